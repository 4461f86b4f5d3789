"""Pictures of a store, read from its file of pixels as they are asked for.

Shapes: n images, c channels (1 grey, 3 colour), h rows, w columns.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from honshi.data.examples import Examples
from honshi.data.images import Images
from honshi.data.store.form import Form
from honshi.data.store.layout import SKIPPED, Store, open_store
from honshi.data.store.rows import Rows
from honshi.errors import DataError
from honshi.messages import Message
from honshi.pictures.contract import LECTURE, Normalization
from honshi.runtime import available_memory

# The share of the memory that is free which pictures may take to be held there.
COMFORTABLE = 1 / 8


class Mapped(Examples):
    """Labelled pictures whose pixels lie in a file. The system holds in memory what it has room for.

    Attributes:
        store: the file and what is known of each picture.
        places: int64 (n,), where each is in the listing: all but those that could not be read.
        names: n texts, as the listing calls them.
        contents: uint8 (n, 32), SHA-256 of what each picture was before it was brought to a size.
        skipped: what could not be read, and why.
    """

    def __init__(self, store: Store, normalization: Normalization = LECTURE) -> None:
        self.store = store
        self.normalization = normalization
        pictures = store.pictures
        self.places = np.flatnonzero(pictures.rows >= 0)
        self.labels = torch.from_numpy(pictures.labels[self.places].astype(np.int64))
        self.classes = pictures.classes
        self.contents: NDArray[np.uint8] = pictures.contents[self.places]
        self.fit = store.form.fit
        self.scale = store.form.scale
        rows = pictures.rows[self.places]
        # None where every row is its place, so that nothing has to be looked up.
        self._rows = None if np.array_equal(rows, np.arange(len(rows))) else torch.from_numpy(rows)
        self._file = Rows(store.pixels, int(store.header["rows"]), store.form.shape)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.store.form.shape

    @property
    def form(self) -> Form:
        """As what they were prepared: what another picture has to become to stand beside them."""
        return self.store.form

    @cached_property
    def names(self) -> list[str]:
        return [self.store.pictures.names[place] for place in self.places.tolist()]

    @cached_property
    def skipped(self) -> list[tuple[str, Message]]:
        return self.store.skipped()

    @property
    def skipped_said(self) -> Message | None:
        """How many pictures could not be read, in a sentence; None where there are none."""
        if not self.skipped:
            return None
        name, reason = self.skipped[0]
        return Message(
            "{count:,} of {total:,} pictures could not be read and are left out; the first one is {name}: {reason} All "
            "are listed in {path}.",
            count=len(self.skipped),
            total=len(self.skipped) + len(self),
            name=name,
            reason=reason,
            path=self.store.folder / SKIPPED,
        )

    @cached_property
    def digests(self) -> NDArray[np.uint8]:
        labels = self._numbers_of_labels.numpy().astype(">i8").view(np.uint8).reshape(len(self), -1)
        return np.hstack([self.store.pictures.digests[self.places], labels])

    def gather(self, places: Tensor, device: torch.device | None = None) -> Tensor:
        places = places.cpu()
        return self._file.take(places if self._rows is None else self._rows[places]).to(device)

    def in_memory(self) -> Images:
        """The same images held in memory; what each is need not be found out again."""
        return Images.of(self)

    def in_memory_if_small(self) -> Images | Mapped:
        """In memory where they take little of what is free there, for which there are quicker loops."""
        free = available_memory()
        small = free is not None and len(self) * self.form.bytes <= free * COMFORTABLE
        return self.in_memory() if small else self

    def normalized_by(self, normalization: Normalization) -> Mapped:
        return Mapped(self.store, normalization)

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process opens the file by itself.
        return _again, (self.store.folder, self.store.header["pictures"], self.normalization)


def _again(folder: Path, pictures: str, normalization: Normalization) -> Mapped:
    store = open_store(folder)
    if store is None or store.header["pictures"] != pictures:
        raise DataError("{folder}: these pictures were read anew meanwhile. Load the data again.", folder=folder)
    return Mapped(store, normalization)
