"""The data that a recipe asks for, and those that a run was trained on, wherever they lie now."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from torch import nn

from honshi.checks import before_training
from honshi.data import Examples, Splits, load
from honshi.data.fitted import brought_to
from honshi.data.sources import is_published
from honshi.data.split import load_again
from honshi.data.store import Reading
from honshi.errors import DataError, DataNotFoundError, IdxError, RunError
from honshi.experiment.folds import FEW
from honshi.messages import Message
from honshi.models import input_contract
from honshi.recipe import FrozenOptions, ModelOptions, Recipe
from honshi.runs import Run, find, looks


def load_splits(
    recipe: Recipe, tell: Callable[[Reading | Message], None] | None = None, *, folds: bool = False
) -> Splits:
    """The data that a recipe asks for, read and split; how far the reading of own pictures is, is told.

    Args:
        recipe: which says where they are.
        tell: told how far it is.
        folds: whether the training images may be the mock exam themselves, by folds. What compares many models has a
            validation part instead.
    """
    data, size, fit = recipe.data, recipe.data.size, recipe.data.fit
    contract = input_contract(recipe.model)
    if contract is not None and not is_published(data.source):
        # Own pictures are read as the backbone wants them, unless it is said otherwise.
        size, fit = size or contract.shape[1], fit or contract.fit
    splits = load(
        data.source,
        val=data.val,
        seed=data.seed,
        normalize=data.normalize,
        subset=data.subset,
        drop_leaks=data.drop_leaks,
        size=size,
        fit=fit,
        test=data.test,
        group=data.group,
        columns=data.columns,
        strict=bool(data.strict),
        folds_below=_folds_below(recipe) if folds else 0,
        tell=tell,
    )
    looks.adopt(splits.val)
    return splits


def _folds_below(recipe: Recipe) -> int:
    """With fewer validation images than this the training images are scored by folds."""
    if isinstance(recipe.model, FrozenOptions) and recipe.model.finetune and not recipe.data.folds:
        return 0  # whether it is better is decided on a validation part
    if recipe.data.folds is not None:
        return sys.maxsize if recipe.data.folds else 0
    return FEW if recipe.model.kept_views(False) else 0


def as_wanted(splits: Splits[Examples], options: ModelOptions) -> Splits[Examples]:
    """The data as a kind of model wants its images, where it does not take them as they are.

    Raises:
        ModelError: its backbone is not installed, or cannot be had.
    """
    contract = input_contract(options)
    if contract is None:
        return splits
    train, val = (brought_to(part, contract) for part in (splits.train, splits.val))
    return replace(splits, train=train, val=val)


def look_before_training(splits: Splits[Examples]) -> list[Message]:
    """What a short look at the data gives to think about before a training.

    Raises:
        DataError: a training on them would teach nothing.
    """
    findings = before_training(splits)
    failed = [finding.message for finding in findings if finding.level == "fail"]
    if failed:
        raise DataError(
            "{data}: {problem} `honshi check` looks closer.", data=splits.manifest.source, problem=failed[0]
        )
    return [*splits.notes, *(finding.message for finding in findings)]


def open_finished(name: str, data: str | None = None) -> tuple[Run, nn.Module, Splits[Examples]]:
    """A finished run with its model and the data that it was trained on.

    Args:
        name: of the run.
        data: where the data are now, as ``--data`` takes it; where they were, if left out.

    Raises:
        RunNotFoundError: no run answers to that name.
        RunError: it is not finished, or the data have changed since.
    """
    run = find(name)
    return run, run.model(), splits_of(run, data)


def splits_of(run: Run, data: str | None = None) -> Splits[Examples]:
    """The data that a run was trained on: the same images in the same parts, wherever they lie now.

    Args:
        run: which has begun.
        data: where its data are now, as ``--data`` takes it; where they were, if left out.

    Raises:
        DataNotFoundError: they are not there.
        RunError: they have changed since; the message says how many images are new or missing.
    """
    options, manifest = run.recipe.data, run.manifest
    # The first version kept a path that held from one working directory, and one from everywhere beside it.
    name = data or (manifest.source if manifest.by_order else options.source)
    try:
        splits = load_again(
            name,
            manifest,
            normalize=options.normalize,
            subset=options.subset,
            drop_leaks=options.drop_leaks,
            columns=options.columns,
        )
    except DataNotFoundError as error:
        raise DataNotFoundError(
            "{problem} If the data of {run} were moved, say where they are: --data NEWPLACE.",
            problem=error.message,
            run=run.path,
        ) from error
    except IdxError:
        raise
    except DataError as error:
        raise RunError(
            "{run}: the data are not those that this run was trained and validated on. {problem}",
            run=run.path,
            problem=error.message,
        ) from error
    looks.adopt(splits.val)
    if splits.changes is not None:
        run.note_changes(splits.changes)
    return as_wanted(splits, run.recipe.model)
