"""A data set as shards, for training on many machines."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from honshi.data.shards import Written, write_shards
from honshi.data.store import Reading
from honshi.experiment import load_splits
from honshi.messages import Message
from honshi.recipe import Recipe


def shards(
    recipe: Recipe,
    folder: Path,
    told: Callable[[Reading | Message], None] | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Written:
    """Write the training and the validation part of the data that a recipe asks for.

    Args:
        recipe: which says where the data are and how they are divided.
        folder: a new one, or an empty one.
        told: told how far the reading of own pictures is.
        tell: told how many images of all are written.

    Raises:
        RequestError, WriteError: as `honshi.data.shards.write_shards`.
        DataNotFoundError, DataError: the data are not there, or cannot be used.
    """
    return write_shards(load_splits(recipe, told), folder, recipe.data.seed, tell)
