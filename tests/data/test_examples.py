"""Examples: what any source of labelled pictures gives, in memory or not, and how a set of them is known."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.data import DataLoader

import honshi
from honshi.data.examples import Examples
from honshi.data.images import Images
from honshi.pictures.contract import LECTURE, Normalization


class Drawn(Examples):
    """Pictures of 2 x 3 pixels that are made from their place whenever they are asked for."""

    def __init__(self, count: int) -> None:
        self.labels = torch.arange(count) % 3
        self.classes = ("a", "b", "c")
        self.normalization = LECTURE

    @property
    def shape(self) -> tuple[int, int, int]:
        return 1, 2, 3

    def gather(self, places: Tensor, device: torch.device | None = None) -> Tensor:
        values = places.cpu().view(-1, 1) * 7 + torch.arange(6)
        return (values % 256).to(torch.uint8).view(-1, 1, 2, 3).to(device)


def in_memory(examples: Examples) -> Images:
    return Images(
        pixels=torch.cat(list(examples.blocks())),
        labels=examples.labels,
        classes=examples.classes,
        normalization=examples.normalization,
    )


@pytest.fixture
def drawn() -> Drawn:
    return Drawn(10)


class TestWhereverTheyLie:
    """Pictures drawn when they are asked for answer as those in memory do."""

    def test_a_source_says_labels_shape_and_pixels_and_has_the_rest(self, drawn: Drawn) -> None:
        held = in_memory(drawn)
        assert len(drawn) == len(held) == 10
        assert drawn.class_counts() == held.class_counts() == [4, 3, 3]
        assert np.array_equal(drawn.digests, held.digests)
        assert drawn.identity == held.identity
        assert drawn.sha256() == held.sha256()
        assert drawn.preprocessing == held.preprocessing

    def test_pixels_that_are_not_in_memory_are_not_there_to_take(self, drawn: Drawn) -> None:
        assert drawn.pixels_in_memory is None
        assert drawn.subset([1, 2]).pixels_in_memory is None
        assert in_memory(drawn).pixels_in_memory is not None

    def test_an_item_is_a_normalised_image_and_its_label(self, drawn: Drawn) -> None:
        held = in_memory(drawn)
        for place in (0, 4, -1):
            assert torch.equal(drawn[place][0], held[place][0])
            assert drawn[place][1] == held[place][1]
        with pytest.raises(IndexError):
            drawn[10]

    def test_a_data_loader_takes_them(self, drawn: Drawn) -> None:
        inputs, labels = next(iter(DataLoader(drawn, batch_size=10)))
        assert torch.equal(inputs, LECTURE(in_memory(drawn).pixels))
        assert torch.equal(labels, drawn.labels)

    @given(places=st.lists(st.integers(-10, 9), max_size=12), further=st.data())
    def test_a_part_of_a_part_is_what_it_would_be_in_memory(self, places: list[int], further: st.DataObject) -> None:
        drawn = Drawn(10)
        held = in_memory(drawn)
        within = st.lists(st.integers(-len(places), len(places) - 1), max_size=5) if places else st.just([])
        inner = further.draw(within)
        part, held_part = drawn.subset(places).subset(inner), held.subset(places).subset(inner)
        everything = torch.arange(len(inner))
        assert torch.equal(part.gather(everything), held_part.pixels)
        assert torch.equal(part.labels, held_part.labels)
        assert np.array_equal(part.digests, held_part.digests)

    def test_shown_in_another_way_they_are_the_same_images(self, drawn: Drawn) -> None:
        other = Normalization(mean=(0.1,), std=(0.3,))
        shown = drawn.normalized_by(other)
        assert shown.normalization == shown.subset([3, 4]).normalization == other
        assert shown.identity == drawn.identity
        assert torch.equal(shown[3][0], other(drawn.gather(torch.tensor([3])))[0])

    def test_mean_and_deviation_are_found_block_by_block(self, drawn: Drawn) -> None:
        pixels = in_memory(drawn).pixels
        assert Normalization.measured(pixels.split(3)) == Normalization.measured(pixels)


class TestIdentity:
    def test_a_digest_is_the_hash_of_the_pixels_and_the_label(self, drawn: Drawn) -> None:
        pixels = bytes(drawn.gather(torch.tensor([5])).flatten().tolist())
        assert drawn.digests.shape == (10, 40)
        assert drawn.digests[5].tobytes() == hashlib.sha256(pixels).digest() + (5 % 3).to_bytes(8, "big")

    @given(labels=st.lists(st.integers(0, 300), min_size=1, max_size=20))
    def test_the_identity_is_the_hash_of_shape_and_sorted_digests(self, labels: list[int]) -> None:
        images = Images(
            pixels=torch.arange(len(labels), dtype=torch.uint8).view(-1, 1, 1, 1) // 2,
            labels=torch.tensor(labels),
            classes=tuple(map(str, range(301))),
        )
        each = sorted(row.tobytes() for row in images.digests)
        assert images.identity == hashlib.sha256(b"(1, 1, 1)" + b"".join(each)).hexdigest()

    def test_the_digits_of_mnist_are_known_by_what_ledgers_hold(self, mnist: honshi.Splits) -> None:
        assert mnist.val.identity == "1438400855930bddad98bee4ecbf5e2929133c7bddb15b02effec312089cd2b2"

    def test_order_and_place_play_no_part_and_content_does(self, drawn: Drawn) -> None:
        known = in_memory(drawn)
        changed, relabelled = known.pixels.clone(), known.labels.flip(0)
        changed[0, 0, 0, 0] ^= 1
        assert known.subset([3, 1, 5, 0, 2, 4, 9, 8, 7, 6]).identity == known.identity
        others = [
            Images(pixels=changed, labels=known.labels, classes=known.classes),
            Images(pixels=known.pixels, labels=relabelled, classes=known.classes),
            Images(pixels=known.pixels.view(-1, 1, 3, 2), labels=known.labels, classes=known.classes),
            known.subset(range(9)),
            known.subset([*range(10), 9]),
        ]
        assert len({known.identity, *(other.identity for other in others)}) == 6

    def test_what_is_known_of_the_whole_is_not_found_out_again_for_a_part(self, drawn: Drawn) -> None:
        held = in_memory(drawn)
        digests = held.digests
        part = held.subset([4, 2]).normalized_by(LECTURE)
        assert np.array_equal(part.__dict__["digests"], digests[[4, 2]])
