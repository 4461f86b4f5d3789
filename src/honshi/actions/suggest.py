"""Which recipe suits pictures of one's own, where data stand in the place of a recipe."""

from __future__ import annotations

from honshi.data.listing import TEST
from honshi.data.sources import Source, is_sharded, open_source
from honshi.data.store.deciding import usual
from honshi.recipe import DataOptions
from honshi.recipe.suggestion import Suggestion, suggest_recipe


def suggest(options: DataOptions) -> Suggestion | None:
    """What suits the data that are asked for; None where they come with a shape of their own, as IDX files
    and shards do.

    Raises:
        DataNotFoundError, DataError: they are not there, or no picture can be read.
    """
    if is_sharded(options.source):
        return None
    listing = open_source(options.source, columns=options.columns, group=options.group)
    if isinstance(listing, Source):
        return None
    images = int((listing.parts != TEST).sum())
    side, colour = usual(listing)
    side = min(side, options.size or side)
    return suggest_recipe(images=images, classes=len(listing.classes), side=side, colour=colour)
