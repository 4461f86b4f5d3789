"""Training the whole of a pretrained network, from the head that has learnt on what it sees: kept only where it is
better by more than chance.

The backbone learns at a tenth of the head's rate, so that what it knows is changed and not lost (J. Howard, S. Ruder,
"Universal Language Model Fine-tuning for Text Classification", 2018, have the same for text).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from honshi.data import Augmentation
from honshi.evaluation.answers import ask, loss_to_learn_from
from honshi.evaluation.comparison import Comparison, compare
from honshi.evaluation.evaluate import right_answers
from honshi.features.stage import frozen_in
from honshi.messages import Message
from honshi.models.modes import train_mode
from honshi.runtime import device_of
from honshi.training import EarlyStopping, fit

if TYPE_CHECKING:
    from honshi.experiment.experiment import Experiment

# Of the head, and what the backbone's is of it.
RATE, BELOW = 0.001, 0.1
EPOCHS, BATCH_SIZE, PATIENCE = 6, 16, 2
# A gain that chance gives once in twenty times is none.
THRESHOLD = 0.05


@dataclass(frozen=True)
class Finetuned:
    """What training the whole network has brought.

    Attributes:
        comparison: the head alone and the whole network, on the same validation images.
        before, after: accuracies there.
        kept: whether the whole network is better by more than chance, and so what the run keeps.
        epochs: that it was trained for.
        seconds: that took.
    """

    comparison: Comparison
    before: float
    after: float
    kept: bool
    epochs: int
    seconds: float

    @property
    def sentence(self) -> Message:
        numbers: dict[str, Any] = {
            "before": self.before,
            "after": self.after,
            "p": self.comparison.p_value,
            "minutes": self.seconds / 60,
        }
        if self.kept:
            return Message(
                "Training the whole network took {minutes:.1f} minutes and brought validation from {before:.2%} to "
                "{after:.2%}, by more than chance (McNemar's exact test: p = {p:.2g}): the run keeps it.",
                **numbers,
            )
        return Message(
            "Training the whole network took {minutes:.1f} minutes and gave {after:.2%} of validation where the head "
            "alone has {before:.2%}, which chance may explain (McNemar's exact test: p = {p:.2g}): the run keeps the "
            "head on the backbone as it was.",
            **numbers,
        )

    def to_dict(self) -> dict[str, Any]:
        """What ``finetune.json`` holds."""
        return {
            "kept": self.kept,
            "before": self.before,
            "after": self.after,
            "epochs": self.epochs,
            "seconds": self.seconds,
            **self.comparison.to_dict(),
        }


def finetune(
    experiment: Experiment,
    *,
    say: Callable[[Message], None] = lambda message: None,
    on_step: Callable[[int], None] = lambda step: None,
) -> Finetuned:
    """Train a network whose head has learnt, all of it, and leave the better of the two in the experiment's model.

    Of several processes each calls this with the same weights, and each comes to the same end.

    Args:
        experiment: whose model has a trained head on a frozen backbone.
        say: told how long it will take, before it begins.
        on_step: as for `honshi.fit`.

    Raises:
        KeyboardInterrupt: it was stopped.
    """
    model, train, val = experiment.model, experiment.splits.train, experiment.splits.val
    frozen = frozen_in(model)
    assert frozen is not None
    started = time.perf_counter()
    before = right_answers(model, val)
    kept = copy.deepcopy(model.state_dict())
    frozen.unfreeze()
    try:
        seconds = _seconds_an_image(experiment) / experiment.world.size
        say(
            Message(
                "Training the whole network: up to {epochs} epochs of {images:,} images at {milliseconds:.0f} ms each, "
                "{minutes:.1f} minutes at most.",
                epochs=EPOCHS,
                images=len(train),
                milliseconds=1000 * seconds,
                minutes=EPOCHS * len(train) * seconds / 60,
            )
        )
        optimizer = torch.optim.AdamW(
            [
                {"params": list(frozen.head.parameters()), "lr": RATE},
                {"params": list(frozen.backbone.parameters()), "lr": RATE * BELOW},
            ],
            weight_decay=0.01,
        )
        result = fit(
            model,
            experiment.criterion,
            optimizer,
            train,
            val,
            EPOCHS,
            batch_size=BATCH_SIZE,
            patience=EarlyStopping(patience=PATIENCE),
            # What a photograph still shows when it is moved a little, or seen in a mirror.
            augment=Augmentation(shift=0.05, scale=0.1, flip=True),
            seed=experiment.recipe.training.seed,
            world=experiment.world,
            on_step=on_step,
            show=False,
        )
        if result.interrupted:
            raise KeyboardInterrupt
        after = right_answers(model, val)
    except BaseException:
        model.load_state_dict(kept)
        raise
    finally:
        frozen.freeze()
    found = compare(before, after)
    better = found.difference > 0 and found.p_value < THRESHOLD
    if not better:
        model.load_state_dict(kept)
    model.eval()
    return Finetuned(
        comparison=found,
        before=float(before.double().mean()),
        after=float(after.double().mean()),
        kept=better,
        epochs=len(result.history),
        seconds=time.perf_counter() - started,
    )


def _seconds_an_image(experiment: Experiment) -> float:
    """Of forward and backward pass, measured on a mini-batch; the second one, because the first one takes memory."""
    model, train = experiment.model, experiment.splits.train
    places = torch.arange(min(BATCH_SIZE, len(train)))
    inputs = train.normalization(train.gather(places, device_of(model)))
    labels = train.labels[places].to(inputs.device)
    train_mode(model)
    for _ in range(2):
        started = time.perf_counter()
        model.zero_grad()
        loss_to_learn_from(experiment.criterion, ask(model, inputs, len(labels)), labels).backward()
    model.zero_grad()
    return (time.perf_counter() - started) / len(places)
