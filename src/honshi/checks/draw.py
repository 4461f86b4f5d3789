"""A sample drawn from whatever a training takes as data, and what is wrong where none can be drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, SequentialSampler, Subset, default_collate

from honshi.checks.raised import place_of
from honshi.checks.sample import Sample
from honshi.data import Examples, Sealed
from honshi.data.batches import Data
from honshi.errors import DataError, SealedError, WrongKindError
from honshi.messages import first_line

# Four of the largest batches that are measured.
IMAGES = 4096
# A Dataset of one's own may read a file for each example, and a loader may be slow.
EXAMPLES = 1024


def known_kind(data: object) -> Data:
    """The data, if they are of a kind that can be looked at.

    Raises:
        SealedError: they are the sealed test set.
        WrongKindError: they are of another kind.
    """
    if isinstance(data, Sealed):
        raise SealedError("check was given the test set")
    if isinstance(data, (Dataset, DataLoader)):
        return data
    shown = f"the class {data.__name__}, without ()" if isinstance(data, type) else f"a {type(data).__name__}"
    raise WrongKindError(
        "Data are honshi.Splits, honshi.Images, a torch Dataset or a DataLoader; this is {shown}.", shown=shown
    )


def draw(data: Data) -> Sample:
    """Examples from `honshi.Examples`, a Dataset or a DataLoader, drawn by torch's random state.

    Raises:
        DataError: no batch can be made of the examples; the message says why.
    """
    if isinstance(data, Examples):
        sample = _from_examples(data)
    elif isinstance(data, DataLoader):
        with _untouched(data):
            sample = _from_loader(data)
    elif isinstance(data, IterableDataset):
        sample = _from_stream(data)
    else:
        sample = _from_dataset(data)
    if len(sample) < 2:
        raise DataError("There is only one example, and nothing can be learnt from it.")
    return sample


def few_of(examples: Examples, count: int) -> Sample:
    """A sample of at most so many, evenly spread over all of them, of which nothing else is looked at."""
    places = torch.linspace(0, len(examples) - 1, min(count, len(examples))).long()
    pixels, labels = examples.gather(places, torch.device("cpu")), examples.labels[places]
    return Sample(examples.normalization(pixels), labels, labels, _constant(pixels), len(examples.classes))


def _from_examples(examples: Examples) -> Sample:
    places = torch.randperm(len(examples))[:IMAGES]
    inputs = examples.normalization(examples.gather(places, torch.device("cpu")))
    constant = sum(_constant(block) for block in examples.blocks())
    return Sample(
        inputs, examples.labels[places], examples.labels, constant, len(examples.classes), count=len(examples)
    )


def _from_dataset(dataset: Dataset[Any]) -> Sample:
    if not hasattr(dataset, "__len__"):
        raise DataError(
            "{kind} has no length, so its examples cannot be shuffled: add def __len__(self), which returns how many "
            "there are, or make a stream an IterableDataset.",
            kind=type(dataset).__name__,
        )
    try:
        count = len(dataset)
    except Exception as error:
        raise DataError(
            "len(dataset) raised{place} {error}.", place=place_of(error), error=first_line(error)
        ) from error
    if not count:
        raise DataError("The data set has no examples: len() of it is 0.")
    items = [_read(dataset, place) for place in torch.randperm(count)[:EXAMPLES].tolist()]
    return replace(_collated(items, _classes_of(dataset)), count=count)


def _from_stream(stream: IterableDataset[Any]) -> Sample:
    try:
        items = list(islice(stream, EXAMPLES))
    except Exception as error:
        raise DataError("The stream raised{place} {error}.", place=place_of(error), error=first_line(error)) from error
    if not items:
        raise DataError("The stream has no examples.")
    return _collated([_example(item, f"item {place}") for place, item in enumerate(items)], _classes_of(stream))


def _read(dataset: Dataset[Any], place: int) -> tuple[Any, Any]:
    try:
        item = dataset[place]
    except Exception as error:
        raise DataError(
            "dataset[{index}] raised{place} {error}.", index=place, place=place_of(error), error=first_line(error)
        ) from error
    return _example(item, f"dataset[{place}]")


def _example(item: object, name: str) -> tuple[Any, Any]:
    """One example as the pair that it should be."""
    if not (isinstance(item, (tuple, list)) and len(item) == 2):
        raise DataError(
            "{name} is {kind}; __getitem__ returns the pair (input, label) of one example.",
            name=name,
            kind=_described(item),
        )
    if isinstance(item[0], (tuple, list, Mapping)):
        raise DataError(
            "The input of {name} is {kind}, and a model is called with one tensor: stack or concatenate its parts, or "
            "have forward() take them apart again.",
            name=name,
            kind=_described(item[0]),
        )
    if not isinstance(item[0], (Tensor, np.ndarray)):
        raise DataError(
            "The input of {name} is a {kind} and a model takes tensors: convert it in __getitem__, torchvision's "
            "transforms.ToTensor() does it for pictures.",
            name=name,
            kind=type(item[0]).__name__,
        )
    return item[0], item[1]


def _collated(items: list[tuple[Any, Any]], classes: int | None) -> Sample:
    try:
        inputs, labels = default_collate(items)
    except (TypeError, RuntimeError) as error:
        shapes = sorted({str(tuple(np.shape(item[0]))) for item in items})
        if len(shapes) > 1:
            raise DataError(
                "No batch can be made: the inputs have different shapes, {first} and {second}; bring them to one in "
                "__getitem__.",
                first=shapes[0],
                second=shapes[1],
            ) from error
        raise DataError("No batch can be made of the examples: {error}.", error=first_line(error)) from error
    return _sample(inputs, labels, classes)


def _from_loader(loader: DataLoader[Any]) -> Sample:
    batches: list[tuple[Tensor, Tensor]] = []
    try:
        for batch in loader:
            batches.append(_pair(batch))
            if sum(len(labels) for _, labels in batches) >= EXAMPLES:
                break
    except DataError:
        raise
    except Exception as error:
        raise DataError("The loader raised{place} {error}.", place=place_of(error), error=first_line(error)) from error
    if not batches:
        raise DataError("The loader has no batches.")
    shapes = sorted({str(tuple(inputs.shape[1:])) for inputs, _ in batches})
    if len(shapes) > 1:
        raise DataError(
            "The batches have inputs of different shapes, {first} and {second} for each example: bring them to one.",
            first=shapes[0],
            second=shapes[1],
        )
    sample = _sample(
        torch.cat([inputs for inputs, _ in batches]),
        torch.cat([labels for _, labels in batches]),
        _classes_of(loader.dataset),
    )
    sample = replace(sample, count=_examples_of(loader), batch_size=loader.batch_size, drop_last=bool(loader.drop_last))
    if isinstance(loader.sampler, SequentialSampler):
        return replace(sample, loader_batches=tuple(labels for _, labels in batches))
    return sample


def _pair(batch: object) -> tuple[Tensor, Tensor]:
    """A batch of a loader as the pair of tensors that it should be."""
    if not (isinstance(batch, (tuple, list)) and len(batch) == 2):
        raise DataError(
            "The loader gives {kind} as a batch, and a training takes the pair (inputs, labels): have __getitem__ or "
            "collate_fn return that.",
            kind=_described(batch),
        )
    inputs, labels = batch
    if isinstance(inputs, np.ndarray):
        inputs = torch.as_tensor(inputs)
    if not isinstance(inputs, Tensor):
        raise DataError(
            "The loader gives {kind} as inputs, and a model is called with one tensor: stack or concatenate its parts, "
            "or have forward() take them apart again.",
            kind=_described(inputs),
        )
    try:
        labels = torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DataError(
            "The loader gives {kind} as labels, of which no tensor can be made: cross-entropy wants the number of each "
            "class, int64 (b,).",
            kind=_described(labels),
        ) from error
    if labels.dim() == 0:
        raise DataError(
            "The loader gives one example of shape {shape} at a time, without a batch dimension: give DataLoader a "
            "batch_size, or x.unsqueeze(0).",
            shape=tuple(inputs.shape),
        )
    if len(inputs) != len(labels):
        raise DataError(
            "The loader gives {inputs} inputs and {labels} labels in a batch.", inputs=len(inputs), labels=len(labels)
        )
    return inputs, labels


def _described(value: object) -> str:
    """``a dict with 'image' and 'label'``, ``a list of 3``, ``a str``"""
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} with {' and '.join(map(repr, list(value)[:3]))}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def _sample(inputs: Tensor, labels: Any, classes: int | None) -> Sample:
    if not isinstance(labels, Tensor):
        first = labels[0] if isinstance(labels, (list, tuple)) and labels else labels
        raise DataError(
            "A label is a {kind}, {first!r}; cross-entropy wants the number of the class: keep a list of the names and "
            "use names.index(name).",
            kind=type(first).__name__,
            first=first,
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


def _examples_of(loader: DataLoader[Any]) -> int | None:
    """How many examples an epoch has, where it is divided into batches of one size."""
    if loader.batch_size is None or isinstance(loader.dataset, IterableDataset):
        return None
    sampler: Iterable[Any] = loader.sampler
    try:
        return len(sampler)  # type: ignore[arg-type]
    except TypeError:
        return None


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
