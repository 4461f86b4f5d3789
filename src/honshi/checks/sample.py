"""The examples that the checks look at: enough to judge by, few enough for seconds.

Shapes: n examples in a sample, each of any shape; k classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, SequentialSampler, Subset, default_collate

from honshi.data import Examples, Sealed
from honshi.errors import DataError, SealedError

# Four of the largest batches that are measured.
IMAGES = 4096
# A Dataset of one's own may read a file for each example, and a loader may be slow.
EXAMPLES = 1024


@dataclass(frozen=True, eq=False)
class Sample:
    """Some training examples, as a model is shown them.

    Attributes:
        inputs: (n, …), in the type in which they came.
        labels: (n, …), in the type in which they came.
        all_labels: of as many examples as could be looked at without effort; of `Examples`, all.
        constant: how many of those have the same value in each pixel.
        classes: k, where the data tell it.
        loader_batches: labels of the first batches, where the data are a loader that does not shuffle.
    """

    inputs: Tensor
    labels: Tensor
    all_labels: Tensor
    constant: int
    classes: int | None = None
    loader_batches: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.inputs)

    def to(self, device: torch.device) -> Self:
        """The same sample on a device."""
        return replace(self, inputs=self.inputs.to(device), labels=self.labels.to(device))

    def first(self, count: int) -> tuple[Tensor, Tensor]:
        """Inputs and labels of the first ``count`` examples, or of all where there are fewer."""
        return self.inputs[:count], self.labels[:count]

    def batches(self, batch_size: int, steps: int, examples: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """So many whole batches of the first ``examples``, in a new order each time that they are gone through.

        Where there are not enough examples for a batch, it is of all that there are.
        """
        count = min(examples or len(self), len(self))
        batch_size = min(batch_size, count)
        order = torch.empty(0, dtype=torch.int64)
        for _ in range(steps):
            if len(order) < batch_size:
                order = torch.randperm(count)
            places = order[:batch_size].to(self.inputs.device)
            order = order[batch_size:]
            yield self.inputs[places], self.labels[places]


def draw(data: object) -> Sample:
    """Examples from `honshi.Examples`, a Dataset or a DataLoader, drawn by torch's random state.

    Raises:
        SealedError: it is the sealed test set.
        DataError: no batch can be made of the examples; the message says why.
        TypeError: it is none of these.
    """
    if isinstance(data, Sealed):
        raise SealedError("check was given the test set")
    if isinstance(data, Examples):
        sample = _from_examples(data)
    elif isinstance(data, DataLoader):
        with _untouched(data):
            sample = _from_loader(data)
    elif isinstance(data, Dataset):
        sample = _from_dataset(data)
    else:
        raise _of_another_kind(data)
    if len(sample) < 2:
        raise DataError("There is one example alone, and nothing can be learnt from it.")
    return sample


def _of_another_kind(data: object) -> TypeError:
    return TypeError(
        f"Data are honshi.Splits, honshi.Images, a torch Dataset or a DataLoader; this is a {type(data).__name__}."
    )


def _from_examples(images: Examples) -> Sample:
    places = torch.randperm(len(images))[:IMAGES]
    inputs = images.normalization(images.gather(places, torch.device("cpu")))
    constant = sum(_constant(block) for block in images.blocks())
    return Sample(inputs, images.labels[places], images.labels, constant, len(images.classes))


def _from_dataset(dataset: Dataset[Any]) -> Sample:
    count = len(dataset)  # type: ignore[arg-type]
    if not count:
        raise DataError("The data set has no examples: len() of it is 0.")
    places = torch.randperm(count)[:EXAMPLES].tolist()
    items = [_read(dataset, place) for place in places]
    try:
        inputs, labels = default_collate(items)
    except (TypeError, RuntimeError) as error:
        shapes = sorted({str(tuple(np.shape(item[0]))) for item in items})
        if len(shapes) > 1:
            raise DataError(
                f"No batch can be made: the inputs have different shapes, {shapes[0]} and {shapes[1]}; bring them to "
                "one in __getitem__."
            ) from error
        raise DataError(f"No batch can be made of the examples: {error}.") from error
    return _raw(inputs, labels, _classes_of(dataset))


def _read(dataset: Dataset[Any], place: int) -> tuple[Any, Any]:
    try:
        item = dataset[place]
    except Exception as error:
        raise DataError(f"dataset[{place}] raised {type(error).__name__}: {error}.") from error
    if not (isinstance(item, (tuple, list)) and len(item) == 2):
        raise DataError(
            f"dataset[{place}] is a {type(item).__name__}; __getitem__ returns the pair (input, label) of one example."
        )
    if not isinstance(item[0], (Tensor, np.ndarray)):
        raise DataError(
            f"The input of dataset[{place}] is a {type(item[0]).__name__} and a model takes tensors: convert it in "
            "__getitem__, torchvision's transforms.ToTensor() does it for pictures."
        )
    return item[0], item[1]


def _from_loader(loader: DataLoader[Any]) -> Sample:
    batches: list[tuple[Tensor, Tensor]] = []
    try:
        for batch in loader:
            inputs, labels = batch
            batches.append((inputs, torch.as_tensor(labels)))
            if batches[-1][1].dim() == 0:
                raise DataError(
                    f"The loader gives one example of shape {tuple(inputs.shape)} at a time, without a batch "
                    "dimension: give DataLoader a batch_size, or x.unsqueeze(0)."
                )
            if sum(len(seen) for _, seen in batches) >= EXAMPLES:
                break
    except DataError:
        raise
    except Exception as error:
        raise DataError(f"The loader raised {type(error).__name__}: {error}.") from error
    if not batches:
        raise DataError("The loader has no batches.")
    sample = _raw(torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches]), _classes_of(loader.dataset))
    if isinstance(loader.sampler, SequentialSampler):
        return replace(sample, loader_batches=tuple(y for _, y in batches))
    return sample


def _raw(inputs: Tensor, labels: Any, classes: int | None) -> Sample:
    if not isinstance(labels, Tensor):
        raise DataError(
            f"A label is a {type(labels[0]).__name__}, {labels[0]!r}; cross-entropy wants the number of the class: "
            "keep a list of the names and use names.index(name)."
        )
    return Sample(inputs, labels, labels, _constant(inputs), classes)


def _constant(inputs: Tensor) -> int:
    """How many examples have the same value everywhere."""
    flat = inputs.flatten(1)
    return int((flat.amin(1) == flat.amax(1)).sum())


def _classes_of(dataset: object) -> int | None:
    """torchvision's data sets, and many others, list their classes."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    classes = getattr(dataset, "classes", None)
    return len(classes) if isinstance(classes, (list, tuple)) else None


@contextmanager
def _untouched(loader: DataLoader[Any]) -> Iterator[None]:
    """A loader may have random generators of its own: they go on as if nobody had looked."""
    owners = (loader, loader.sampler)
    generators = [g for owner in owners if isinstance(g := getattr(owner, "generator", None), torch.Generator)]
    states = [generator.get_state() for generator in generators]
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
