"""From a recipe's search space to the recipe of a trial, and back.

In a study hyperparameters are called by the keys of the recipe, with the kind, the number or the place of a layer
behind them where there are several.
"""

from __future__ import annotations

import json
import math
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import BaseTrial

from honshi.recipe import Recipe
from honshi.recipe.ranges import Choices, Entry, Plain, Range, Sizes, Strength


def with_space(recipe: Recipe) -> Recipe:
    """The recipe with its own search space, or with the default one where it has none.

    The default space holds what the lecture calls hyperparameters: learning rate, batch size, number and
    sizes of layers, dropout; and weight decay, the optimizer and how strongly images are augmented. It is
    for trainings of some ten epochs on some ten thousand images.
    """
    if recipe.tune is not None:
        return recipe
    kinds = tuple(dict.fromkeys([recipe.optimizer.kind, "sgd", "adam"]))
    optimizers = {kind: recipe.changed({"optimizer.kind": kind}).optimizer for kind in kinds}
    # The recipe's own augmentation is the strongest, if it has one.
    bending = recipe.augment.model_dump(include={"shift", "rotate", "scale", "shear", "elastic"})
    strength = {option: full for option, full in bending.items() if full}
    space: dict[str, Entry] = {
        "optimizer.kind": Choices(choices=kinds),
        "optimizer.lr": {kind: optimizer.rates for kind, optimizer in optimizers.items()},
        "optimizer.weight_decay": {kind: optimizer.decays for kind, optimizer in optimizers.items()},
        "training.batch_size": Choices(choices=(32, 64, 128, 256)),
        **recipe.model.search_space(),
        "augment": Strength(strength=strength or {"shift": 0.1, "rotate": 10.0, "scale": 0.1}),
    }
    return recipe.changed({"tune": {"space": space}})


def suggest(trial: BaseTrial, recipe: Recipe) -> Recipe:
    """The recipe of a trial: the study's sampler chooses from the space, kinds first.

    Raises:
        RecipeError: values that are valid alone do not go together.
    """
    changes: dict[str, Any] = {"tune": None}
    for key, entry in _kinds_first(recipe):
        part = key.split(".")[0]
        match entry:
            case Range() | Choices():
                changes[key] = _suggest_value(trial, key, entry)
            case Sizes():
                depth = trial.suggest_int(f"{key}.layers", *entry.layers)
                changes[key] = [
                    trial.suggest_int(f"{key}.{place}", entry.low, entry.high, log=entry.log)
                    for place in range(1, depth + 1)
                ]
            case Strength():
                # In whole steps, because 0 has to be exactly 0: then nothing is augmented at all.
                strength = trial.suggest_float(f"{key}.strength", 0.0, 1.0, step=entry.step)
                for option, full in entry.strength.items():
                    changes[f"{key}.{option}"] = strength * full
            case _:
                kind = changes.get(f"{part}.kind", getattr(getattr(recipe, part), "kind", None))
                if kind in entry:
                    changes[key] = _suggest_value(trial, f"{key}.{kind}", entry[kind])
    return recipe.changed(changes)


def distributions(recipe: Recipe) -> dict[str, BaseDistribution]:
    """Every name that a hyperparameter of the space may have in a study, and what `suggest` chooses it from."""
    found: dict[str, BaseDistribution] = {}
    for key, entry in _kinds_first(recipe):
        match entry:
            case Range() | Choices():
                found[key] = _distribution(entry)
            case Sizes():
                fewest, most = entry.layers
                found[f"{key}.layers"] = IntDistribution(fewest, most)
                for place in range(1, most + 1):
                    found[f"{key}.{place}"] = IntDistribution(entry.low, entry.high, log=entry.log)
            case Strength():
                found[f"{key}.strength"] = FloatDistribution(0.0, 1.0, step=entry.step)
            case _:
                found |= {f"{key}.{kind}": _distribution(plain) for kind, plain in entry.items()}
    return found


def parameters_of(recipe: Recipe) -> dict[str, Any] | None:
    """The recipe's own values as a point of its space; None where one of them lies outside."""
    found: dict[str, Any] = {}
    for key, entry in _kinds_first(recipe):
        part, _, option = key.partition(".")
        options = getattr(recipe, part)
        value: Any = getattr(options, option, None) if option else None
        match entry:
            case Range() | Choices():
                names = {key: (entry, value)}
            case Sizes():
                size = Range(low=entry.low, high=entry.high)
                found[f"{key}.layers"] = len(value)
                if not entry.layers[0] <= len(value) <= entry.layers[1]:
                    return None
                names = {f"{key}.{place}": (size, width) for place, width in enumerate(value, start=1)}
            case Strength():
                shares = {getattr(options, option) / full for option, full in entry.strength.items()}
                if len(shares) > 1:
                    return None
                names = {f"{key}.strength": (Range(low=0.0, high=1.0, step=entry.step), shares.pop())}
            case _:
                kind = options.kind
                names = {f"{key}.{kind}": (entry[kind], value)} if kind in entry else {}
        for name, (plain, own) in names.items():
            if not _holds(plain, own):
                return None
            found[name] = _written(own) if isinstance(plain, Choices) else own
    return found


def _kinds_first(recipe: Recipe) -> list[tuple[str, Any]]:
    """The space, so that a kind is known before what depends on it."""
    assert recipe.tune is not None
    return sorted(recipe.tune.space.items(), key=lambda item: not item[0].endswith(".kind"))


def _suggest_value(trial: BaseTrial, name: str, entry: Plain) -> Any:
    if isinstance(entry, Choices):
        by_name: dict[Any, Any] = {_written(value): value for value in entry.choices}
        return by_name[trial.suggest_categorical(name, list(by_name))]
    if entry.whole:
        return trial.suggest_int(name, int(entry.low), int(entry.high), step=int(entry.step or 1), log=entry.log)
    step = None if entry.step is None else float(entry.step)
    return trial.suggest_float(name, float(entry.low), float(entry.high), step=step, log=entry.log)


def _distribution(entry: Plain) -> BaseDistribution:
    """What `_suggest_value` chooses from."""
    if isinstance(entry, Choices):
        return CategoricalDistribution(list(dict.fromkeys(map(_written, entry.choices))))
    if entry.whole:
        return IntDistribution(int(entry.low), int(entry.high), log=entry.log, step=int(entry.step or 1))
    step = None if entry.step is None else float(entry.step)
    return FloatDistribution(float(entry.low), float(entry.high), log=entry.log, step=step)


def _holds(entry: Plain, value: Any) -> bool:
    if isinstance(entry, Choices):
        return _written(value) in map(_written, entry.choices)
    if value is None or not entry.low <= value <= entry.high:
        return False
    steps = 0.0 if entry.step is None else (value - entry.low) / entry.step
    return math.isclose(steps, round(steps), abs_tol=1e-9)


def _written(value: Any) -> str | int | float:
    """A choice as a study can hold it: lists and booleans as JSON."""
    if isinstance(value, tuple | list | bool):
        return json.dumps(value)
    assert isinstance(value, str | int | float)
    return value


def differences(recipe: Recipe, base: Recipe) -> dict[str, Any]:
    """The keys in which a recipe differs from another, with its own values: what `Recipe.changed` asks for."""
    own, others = _flat(recipe), _flat(base)
    kinds = {key: kind for key, kind in own.items() if key.endswith(".kind") and kind != others[key]}
    # What comes along with another kind by itself is not a change of its own.
    others = _flat(base.changed(kinds))
    return kinds | {key: value for key, value in own.items() if value != others[key]}


def _flat(recipe: Recipe) -> dict[str, Any]:
    parts = recipe.model_dump(exclude={"name", "tune"})
    return {f"{part}.{key}": value for part, options in parts.items() for key, value in options.items()}
