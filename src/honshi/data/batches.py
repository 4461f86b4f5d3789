"""Mini-batches: the lecture's DataLoader, without a Python call for each image.

Shapes: b images in a batch (the last one may be smaller), n in a block of batches, each (c, h, w); k classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset

from honshi.data.augment import Augmentation
from honshi.data.examples import Examples, Gather
from honshi.data.order import shard_orders
from honshi.data.sealed import Sealed
from honshi.errors import DataError, HonshiError, SealedError, WrongKindError
from honshi.messages import first_line

# What `fit` and `evaluate` take as data.
Data: TypeAlias = Examples | Dataset[Any] | DataLoader[Any]
# Normalised float inputs (b, c, h, w) and int64 labels (b,), or after mixup probabilities of classes (b, k).
Batch: TypeAlias = tuple[Tensor, Tensor]

# About how many bytes of float inputs are gathered and normalised in one go. One call for many small
# batches costs little more than one for each, and a block of this size still fits a usual cache.
BLOCK_BYTES = 8 << 20
# About what is held of images whose files are read from their beginning.
HELD_BYTES = 128 << 20


class Batches:
    """Examples as mini-batches on a device, in a new order each epoch or in their own.

    An epoch is what the lecture says: shuffle, divide into batches, go through them. Every image
    comes once; the last small batch is kept. Pixels stay uint8 until their batch is made.
    """

    def __init__(
        self,
        images: Examples,
        batch_size: int,
        *,
        shuffle: torch.Generator | None = None,
        augment: Augmentation | None = None,
        device: torch.device | None = None,
    ) -> None:
        """
        Args:
            images: what to go through.
            batch_size: images in a batch.
            shuffle: a CPU generator that draws the order anew at each iteration; without one the
                images come in their own order.
            augment: changes the images anew at each iteration, by draws that follow from ``shuffle``.
            device: where the batches are made, and the pixels kept where they are kept at all; the CPU where left out.
        """
        if augment is not None and shuffle is None:
            raise ValueError("augment draws what it needs from shuffle, so give it a generator as well")
        self.device = device or torch.device("cpu")
        self.images = images.to(self.device)
        self.labels = images.labels.to(self.device)  # int64, of all images
        self.classes = len(images.classes)
        self.normalization = images.normalization
        self.augment = augment
        self.batch_size = batch_size
        self.shuffle = shuffle

    def __len__(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def order(self) -> Tensor:
        """The places of all images in the order of one epoch, int64; drawn anew at each call."""
        count = len(self.labels)
        if self.shuffle is None:
            return torch.arange(count, device=self.device)
        # Drawn on the CPU, so that the order does not depend on the device.
        if self.images.homes is not None:
            [order] = shard_orders(self.images.homes, [count], self.at_once, self.shuffle)
            return order.to(self.device)
        return torch.randperm(count, generator=self.shuffle).to(self.device)

    @property
    def at_once(self) -> int:
        """How many images may be held so that an epoch mixes them, where whole files are read."""
        return max(self.batch_size, HELD_BYTES // math.prod(self.images.shape))

    def __iter__(self) -> Iterator[Batch]:
        if not len(self.labels):
            return
        order = self.order()
        with self.images.reading(order) as gather:
            yield from self._read(order, gather)

    def _read(self, order: Tensor, gather: Gather) -> Iterator[Batch]:
        if self.augment is not None:
            # On the device, because a draw for each image is too much to send there.
            draws = torch.Generator(self.device)
            draws.manual_seed(int(torch.randint(2**62, (), generator=self.shuffle)))
        batch_bytes = 4 * self.batch_size * math.prod(self.images.shape)
        block = self.batch_size * max(1, BLOCK_BYTES // batch_bytes)
        for places in order.split(block):
            pixels = gather(places, self.device)  # uint8 (n, c, h, w), several batches at once
            labels = self.labels.index_select(0, places)  # (n,)
            if self.augment is not None:
                pixels = self.augment(pixels, draws)
            inputs = self.normalization(pixels)
            if self.augment is not None and self.augment.mixup and self.shuffle is not None:
                inputs, labels = self.augment.mix(inputs, labels, self.classes, self.shuffle)  # labels (n, k)
            yield from zip(inputs.split(self.batch_size), labels.split(self.batch_size), strict=True)


class OnDevice:
    """A DataLoader whose batches are moved to a device."""

    def __init__(self, loader: DataLoader[Any], device: torch.device) -> None:
        self.loader = loader
        self.device = device

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._collated():
            if not isinstance(batch, (tuple, list)) or len(batch) != 2 or isinstance(batch[0], (dict, tuple, list)):
                raise DataError(
                    "The data give a {kind} for a mini-batch, where two tensors are needed, (inputs, labels): "
                    "have the Dataset return a pair for each image.",
                    kind=_described(batch),
                )
            yield _tensor("inputs", batch[0]).to(self.device), _tensor("labels", batch[1]).to(self.device)

    def _collated(self) -> Iterator[Any]:
        try:
            yield from self.loader
        except HonshiError:
            raise
        except (RuntimeError, ValueError, TypeError, LookupError) as error:
            raise DataError(
                "No mini-batch could be made of the data: {problem}. Each image is a pair, a tensor of the same shape "
                "as the others and the number of its class.",
                problem=first_line(error),
            ) from error


def _tensor(name: str, values: object) -> Tensor:
    try:
        tensor = torch.as_tensor(values)
    except (RuntimeError, ValueError, TypeError) as error:
        raise DataError(
            "The {name} of a mini-batch are a {kind}, where a tensor is needed: have the Dataset return a tensor "
            "for each image, and for its label the number of the class, counted from 0.",
            name=name,
            kind=_described(values),
        ) from error
    if not tensor.dim():
        raise DataError(
            "The data give {name} of a single image, where a mini-batch is needed: let the DataLoader have a "
            "batch_size.",
            name=name,
        )
    return tensor


def _described(batch: object) -> str:
    kind = type(batch).__name__
    return f"{kind} of {len(batch)}" if isinstance(batch, (tuple, list)) else kind


def make_batches(
    data: object,
    batch_size: int,
    *,
    shuffle: torch.Generator | None = None,
    augment: Augmentation | None = None,
    device: torch.device | None = None,
) -> Batches | OnDevice:
    """Whatever holds labelled images, as mini-batches on a device.

    Args:
        data: `Examples` such as `Images`; any ``torch.utils.data.Dataset`` of (input, label); or a
            ``DataLoader``, which keeps its own batch size and order.
        batch_size, shuffle, augment, device: as for `Batches`; only `Examples` are augmented.

    Raises:
        SealedError: it is the sealed test set.
        WrongKindError: it is none of these, or cannot be augmented.
    """
    if isinstance(data, Sealed):
        raise SealedError("The test set was passed as data")
    device = device or torch.device("cpu")
    if isinstance(data, Examples):
        return Batches(data, batch_size, shuffle=shuffle, augment=augment, device=device)
    if augment is not None and isinstance(data, (DataLoader, Dataset)):
        raise WrongKindError(
            "Only honshi.Images are augmented here, and the training data are a {kind}: "
            "give it transforms of its own, or make Images of it.",
            kind=type(data).__name__,
        )
    if isinstance(data, DataLoader):
        return OnDevice(data, device)
    if isinstance(data, IterableDataset):  # a stream comes in its own order
        return OnDevice(DataLoader(data, batch_size), device)
    if isinstance(data, Dataset):
        try:
            count = len(data)  # type: ignore[arg-type]
        except TypeError as error:
            raise WrongKindError(
                "A {kind} does not say how many images it has: give it a __len__, or make it an IterableDataset.",
                kind=type(data).__name__,
            ) from error
        loader = DataLoader(data, batch_size, shuffle=shuffle is not None and count > 0, generator=shuffle)
        return OnDevice(loader, device)
    raise WrongKindError(
        "Data are honshi.Images, a torch Dataset or a DataLoader; this is a {kind}. "
        "Tensors become a Dataset with torch.utils.data.TensorDataset(inputs, labels).",
        kind=type(data).__name__,
    )
