"""The sealed exam of someone's own pictures: the test part that is published, or the share that was set aside.

Whoever makes a seal holds the way to the pictures and what tells them from others, and none of them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from honshi.data.copies import shared_places
from honshi.data.examples import Examples
from honshi.data.listing import TEST, UNLABELLED, Listing, chosen
from honshi.data.parts.settle import learnt_among, publish
from honshi.data.relabelled import Relabelled, held
from honshi.data.sealed import Sealed
from honshi.data.store import Form, ingest
from honshi.errors import DataError

# The word by which a store of the published test part is known.
PART = "test"


def sealed_share(opened: Listing, images: Examples, which: NDArray[np.bool_]) -> Sealed:
    """The exam of pictures that honshi has divided.

    Args:
        opened: what they were read from.
        images: all of them, as they are prepared.
        which: bool (n,), those that are set aside.
    """
    form = Form(shape=images.shape, fit=images.fit, scale=images.scale)
    classes, contents = images.classes, images.contents
    assert contents is not None
    keys = {content.tobytes() for content in contents[which]}

    def read() -> Examples:
        found = Relabelled.with_classes(ingest(opened, form), classes)
        assert found.contents is not None
        places = [place for place, content in enumerate(found.contents) if content.tobytes() in keys]
        return held(found, np.array(places, dtype=np.int64), found.normalization)

    return _sealed(opened.title, read, form)


def sealed_part(listing: Listing, form: Form, classes: tuple[str, ...] | None = None) -> Sealed:
    """The exam of pictures whose test part is published.

    Args:
        listing: all that there is.
        form: as what they are prepared.
        classes: of the run that sits it; those of the listing, if left out.
    """
    labelled = np.flatnonzero((listing.parts == TEST) & (listing.labels != UNLABELLED))
    classes = listing.classes if classes is None else classes

    def read() -> Examples:
        if not len(labelled):
            raise DataError(
                "The test pictures of {data} have no labels, as in a competition: there is no exam to score here. "
                "honshi predict RUN --csv FILE writes the answers to be handed in.",
                data=listing.title,
            )
        found = Relabelled.with_classes(ingest(chosen(listing, labelled), form, part=PART), classes)
        assert found.contents is not None
        publish(found.contents)
        # What was trained on when honshi divided these pictures is no exam any more.
        places = np.flatnonzero(~learnt_among(found.contents))
        return held(found, places, found.normalization)

    return _sealed(listing.title, read, form)


def labelled_test(listing: Listing) -> int:
    """How many pictures of the published test part have a label."""
    return int(((listing.parts == TEST) & (listing.labels != UNLABELLED)).sum())


def unlabelled(listing: Listing) -> tuple[str, ...]:
    """The names of the test pictures that have no label, as those of a competition."""
    places = np.flatnonzero((listing.parts == TEST) & (listing.labels == UNLABELLED))
    return tuple(listing.names[place] for place in places.tolist())


def _sealed(title: str, read: Callable[[], Examples], form: Form) -> Sealed:
    return Sealed(title, read, shape=form.shape, shared=lambda images: shared_places(images, read()))
