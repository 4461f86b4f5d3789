"""Pictures in a file are the same examples as pictures in memory."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from tests.data.store.pictures import draw, listed

import honshi
from honshi.data import Augmentation, Examples, Images
from honshi.data.batches import Batches
from honshi.data.store import Form, Mapped, ingest
from honshi.errors import DataError
from honshi.pictures.contract import Normalization


@pytest.fixture
def mapped(tmp_path: Path) -> Mapped:
    return ingest(listed(draw(tmp_path / "pets", 50, size=(12, 10))))


def in_memory(images: Mapped) -> Images:
    return Images(
        pixels=images.gather(torch.arange(len(images))),
        labels=images.labels,
        classes=images.classes,
        normalization=images.normalization,
    )


@pytest.mark.parametrize("augment", [None, Augmentation(shift=0.1, rotate=5, mixup=0.2)])
def test_batches_are_bit_by_bit_those_from_memory(mapped: Mapped, augment: Augmentation | None) -> None:
    batches = [
        Batches(images, 8, shuffle=torch.Generator().manual_seed(3), augment=augment)
        for images in (mapped, in_memory(mapped))
    ]

    for _ in range(2):
        for (inputs, labels), (expected_inputs, expected_labels) in zip(*batches, strict=True):
            assert torch.equal(inputs, expected_inputs)
            assert torch.equal(labels, expected_labels)


def test_a_training_gives_the_same_weights_as_from_memory(mapped: Mapped) -> None:
    def train(images: Examples) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        model = honshi.models.MLP(360, (8,), 2)
        optimizer = torch.optim.Adam(model.parameters())
        parts = images.subset(range(40)), images.subset(range(40, 50))
        honshi.fit(model, torch.nn.CrossEntropyLoss(), optimizer, *parts, epochs=2, batch_size=8)
        return model.state_dict()

    found, expected = train(mapped), train(in_memory(mapped))

    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_they_are_not_pulled_into_memory_and_may_be_held_there(mapped: Mapped) -> None:
    assert mapped.pixels_in_memory is None
    held = mapped.in_memory_if_small()
    assert isinstance(held, Images)
    assert held.identity == mapped.identity
    assert torch.equal(held.pixels, in_memory(mapped).pixels)


def test_what_is_large_beside_the_free_memory_stays_in_its_file(
    mapped: Mapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("honshi.data.store.mapped.available_memory", lambda: 8 * len(mapped) * mapped.form.bytes - 8)
    assert mapped.in_memory_if_small() is mapped


def test_gathered_pixels_are_the_callers_own(mapped: Mapped) -> None:
    first = mapped.gather(torch.tensor([1]))
    before = first.clone()
    first.zero_()
    assert torch.equal(mapped.gather(torch.tensor([1])), before)


def test_a_selection_is_that_of_the_images_in_memory(mapped: Mapped) -> None:
    places = [7, 3, 3, -1]
    chosen, expected = mapped.subset(places), in_memory(mapped).subset(places)
    assert chosen.identity == expected.identity
    assert torch.equal(chosen.gather(torch.tensor([2, 0])), expected.gather(torch.tensor([2, 0])))
    normalization = Normalization(mean=(0.1,), std=(0.2,))
    assert chosen.normalized_by(normalization).normalization == normalization
    assert chosen.contract == expected.contract


def test_another_process_opens_the_file_by_itself(mapped: Mapped) -> None:
    content = pickle.dumps(mapped)
    assert len(content) < 2000
    assert pickle.loads(content).identity == mapped.identity  # noqa: S301
    ingest(listed(Path(mapped.store.header["data"]), ("dog", "cat")), Form(shape=mapped.shape))
    with pytest.raises(DataError, match="read anew"):
        pickle.loads(content)  # noqa: S301
