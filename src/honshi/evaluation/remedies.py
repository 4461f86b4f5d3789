"""From a verdict to what may cure it: each remedy is one change of the recipe.

Sources: the lecture's remedies for overfitting (dropout, stronger regularisation, augmentation, early
stopping), batch norm, and its hyperparameters (learning rate, sizes and number of hidden layers). The order
within a verdict is that of the gain to expect.
"""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from honshi.errors import RecipeError
from honshi.evaluation.diagnosis import Verdict
from honshi.messages import Message
from honshi.recipe import Changes, Recipe


@dataclass(frozen=True)
class Remedy:
    """One thing to try.

    Attributes:
        name: in a table.
        why: in half a sentence.
        changes: of the recipe, as `Recipe.changed` takes them.
        options: of ``honshi train``, where the recipe is not all that changes.
        scores: whether the same data, trained with it, could end with another score. Not early stopping,
            which saves time: the best epoch's weights are kept without it.
    """

    name: Message
    why: Message
    changes: Changes = field(default_factory=dict)
    options: tuple[str, ...] = ()
    scores: bool = True

    def command(self, recipe: Path) -> str:
        """The exact command that tries it on the recipe in a file."""
        settings = [f"--set {shlex.quote(f'{key}={_written(value)}')}" for key, value in self.changes.items()]
        return " ".join(["honshi train", shlex.quote(str(recipe)), *settings, *self.options])


def remedies_for(verdict: Verdict, recipe: Recipe, available: int) -> list[Remedy]:
    """What to try, the largest gain to expect first; only what this recipe does not have already.

    Args:
        verdict: of `honshi.evaluation.diagnosis.diagnose`.
        recipe: of the run that was diagnosed.
        available: training images that there are, before the recipe takes a subset of them.
    """
    return _offered(_ORDER[verdict], recipe, available)


def all_remedies(verdict: Verdict, recipe: Recipe, available: int) -> list[Remedy]:
    """Every remedy that could change the score on the same data, the verdict's own first."""
    makers = dict.fromkeys([*_ORDER[verdict], *(make for order in _ORDER.values() for make in order)])
    return [remedy for remedy in _offered(makers, recipe, available) if remedy.scores]


def _offered(makers: Iterable[Make], recipe: Recipe, available: int) -> list[Remedy]:
    offered = (make(recipe, available) for make in makers)
    return [remedy for remedy in offered if remedy is not None and _fits(recipe, remedy)]


def _fits(recipe: Recipe, remedy: Remedy) -> bool:
    """Whether the recipe can be changed so: what else stands in it, as a space to search, may not go with that."""
    try:
        recipe.changed(remedy.changes)
    except RecipeError:
        return False
    return True


def _written(value: Any) -> str:
    """A value as ``--set`` reads it: TOML, where a word may do without its quotes."""
    return value if isinstance(value, str) else json.dumps(value)


def _rounded(value: float) -> float:
    """To two digits, as people write rates."""
    return float(f"{value:.2g}")


def _if_possible(name: Message, why: Message, changes: Changes | None) -> Remedy | None:
    return None if changes is None else Remedy(name, why, changes)


def _more_images(recipe: Recipe, available: int) -> Remedy | None:
    subset = recipe.data.subset
    if subset is None or subset >= available:
        return None
    changes = {"data.subset": min(4 * subset, available)}
    return Remedy(Message("more images"), Message("nothing cures overfitting like them"), changes, scores=False)


def _augmentation(recipe: Recipe, available: int) -> Remedy | None:
    augment = recipe.augment
    if augment.shift or augment.rotate or augment.scale:
        return None
    return Remedy(
        Message("augmentation"),
        Message("each epoch sees its images shifted, turned and scaled a little"),
        {"augment.shift": 0.1, "augment.rotate": 10.0, "augment.scale": 0.1},
    )


def _convolution(recipe: Recipe, available: int) -> Remedy | None:
    if recipe.model.convolutional:
        return None
    return Remedy(
        Message("convolutional network"),
        Message("it need not learn a shape anew for each place"),
        {"model.kind": "cnn", "model.stem": "stride"},
    )


def _dropout(recipe: Recipe, available: int) -> Remedy | None:
    return _if_possible(
        Message("dropout"), Message("no unit may rely on any single other"), recipe.model.with_more_dropout()
    )


def _weight_decay(recipe: Recipe, available: int) -> Remedy | None:
    decay = _rounded(max(4 * recipe.optimizer.weight_decay, recipe.optimizer.least_decay))
    return Remedy(
        Message("weight decay"), Message("large weights have to pay for themselves"), {"optimizer.weight_decay": decay}
    )


def _label_smoothing(recipe: Recipe, available: int) -> Remedy | None:
    if recipe.loss.label_smoothing:
        return None
    return Remedy(
        Message("label smoothing"), Message("it need not be surer than its labels are"), {"loss.label_smoothing": 0.1}
    )


def _early_stopping(recipe: Recipe, available: int) -> Remedy | None:
    epochs = recipe.training.epochs
    if recipe.training.patience is not None or epochs < 4:
        return None
    changes = {"training.patience": max(2, epochs // 5)}
    return Remedy(
        Message("early stopping"),
        Message("the same model in less time: the best epoch is kept anyway"),
        changes,
        scores=False,
    )


def _smaller(recipe: Recipe, available: int) -> Remedy | None:
    return _if_possible(
        Message("smaller model"), Message("less room to learn images by heart"), recipe.model.resized(0.5)
    )


def _larger(recipe: Recipe, available: int) -> Remedy | None:
    return _if_possible(
        Message("larger model"), Message("more room for what there is to learn"), recipe.model.resized(2)
    )


def _batch_norm(recipe: Recipe, available: int) -> Remedy | None:
    if recipe.training.leaves_one(recipe.data.subset or available):
        return None
    why = Message("the steps stay in proportion in every layer")
    return _if_possible(Message("batch norm"), why, recipe.model.with_batch_norm())


def _lower_rate(recipe: Recipe, available: int) -> Remedy | None:
    return _rate(recipe, Message("lower learning rate"), Message("shorter steps do not overshoot"), 1 / 3)


def _much_lower_rate(recipe: Recipe, available: int) -> Remedy | None:
    return _rate(recipe, Message("much lower learning rate"), Message("the steps were far too long"), 1 / 10)


def _higher_rate(recipe: Recipe, available: int) -> Remedy | None:
    return _rate(recipe, Message("higher learning rate"), Message("longer steps get there sooner"), 3)


def _much_higher_rate(recipe: Recipe, available: int) -> Remedy | None:
    return _rate(recipe, Message("much higher learning rate"), Message("the steps were far too short"), 10)


def _rate(recipe: Recipe, name: Message, why: Message, factor: float) -> Remedy:
    return Remedy(name, why, {"optimizer.lr": _rounded(recipe.optimizer.lr * factor)})


def _longer(recipe: Recipe, available: int) -> Remedy | None:
    return Remedy(
        Message("more epochs"), Message("it had not finished"), {"training.epochs": 3 * recipe.training.epochs}
    )


def _one_cycle(recipe: Recipe, available: int) -> Remedy | None:
    if recipe.schedule.falls:
        return None
    why = Message("the rate warms up, then falls to almost 0: calm in the end")
    return Remedy(Message("one-cycle schedule"), why, {"schedule.kind": "one-cycle"})


def _warm_up(recipe: Recipe, available: int) -> Remedy | None:
    return _if_possible(
        Message("warm-up"),
        Message("short steps while the first weights are still wild"),
        recipe.schedule.with_warm_up(),
    )


def _clipping(recipe: Recipe, available: int) -> Remedy | None:
    if recipe.training.clip_grad_norm is not None:
        return None
    return Remedy(
        Message("gradient clipping"), Message("no single step may be too long"), {"training.clip_grad_norm": 1.0}
    )


def _averaging(recipe: Recipe, available: int) -> Remedy | None:
    if recipe.training.ema is not None or recipe.training.swa is not None:
        return None
    # The average reaches back about as many steps as an epoch has.
    steps = math.ceil((recipe.data.subset or available) / recipe.training.batch_size)
    decay = round(1 - 1 / min(max(steps, 10), 1000), 3)
    return Remedy(
        Message("EMA of the weights"),
        Message("the average of the last steps is calmer than each"),
        {"training.ema": decay},
    )


def _adaptive(recipe: Recipe, available: int) -> Remedy | None:
    if recipe.optimizer.adaptive:
        return None
    changes = {"optimizer.kind": "adamw", "optimizer.lr": 0.003}
    return Remedy(Message("AdamW"), Message("each weight has steps of its own length"), changes)


def _less_regularisation(recipe: Recipe, available: int) -> Remedy | None:
    held_back = dict(recipe.model.without_dropout() or {})
    if recipe.optimizer.weight_decay:
        held_back["optimizer.weight_decay"] = 0.0
    if recipe.augment.mixup:
        held_back["augment.mixup"] = 0.0
    if not held_back:
        return None
    return Remedy(Message("less regularisation"), Message("it holds back a model that has nothing to spare"), held_back)


def _more_seeds(recipe: Recipe, available: int) -> Remedy | None:
    return Remedy(
        Message("several seeds"),
        Message("what to expect, rather than what happened"),
        options=("--seeds 5",),
        scores=False,
    )


def _more_validation(recipe: Recipe, available: int) -> Remedy | None:
    if recipe.data.val >= 0.3:
        return None
    larger = _rounded(min(max(0.1, 2 * recipe.data.val), 0.3))
    return Remedy(
        Message("larger validation set"), Message("less noise in every score"), {"data.val": larger}, scores=False
    )


Make = Callable[[Recipe, int], Remedy | None]

_ORDER: dict[Verdict, tuple[Make, ...]] = {
    "overfitting": (
        _more_images,
        _convolution,
        _augmentation,
        _dropout,
        _weight_decay,
        _label_smoothing,
        _batch_norm,
        _early_stopping,
        _smaller,
    ),
    "still-learning": (_longer, _convolution, _batch_norm, _adaptive, _one_cycle, _higher_rate, _augmentation),
    "underfitting": (
        _convolution,
        _larger,
        _less_regularisation,
        _batch_norm,
        _adaptive,
        _higher_rate,
        _lower_rate,
        _longer,
    ),
    "plateaued": (_longer, _much_higher_rate, _batch_norm, _adaptive),
    "stuck": (_much_lower_rate, _lower_rate, _batch_norm, _larger, _adaptive, _convolution),
    "unstable": (_lower_rate, _one_cycle, _averaging, _clipping, _warm_up, _batch_norm),
    "diverged": (_much_lower_rate, _lower_rate, _clipping, _warm_up, _batch_norm),
    "too-noisy": (_more_validation, _more_seeds, _longer),
    "good-fit": (_convolution, _augmentation, _one_cycle, _longer, _larger, _averaging),
}
