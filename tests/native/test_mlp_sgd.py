from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from honshi.native.mlp_sgd import MOST_LAYERS, IndexedImages, Network, library

MEAN, STD = 0.3, 0.4


def network(widths: tuple[int, ...], batch_size: int) -> Network:
    code = library().code
    assert code is not None
    return Network(code, widths, batch_size, MEAN, STD)


def linear_layers(widths: tuple[int, ...]) -> list[nn.Linear]:
    torch.manual_seed(0)
    return [nn.Linear(inputs, outputs) for inputs, outputs in pairwise(widths)]


def drawn(count: int, inputs: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Pixels, of which a half is 0, and labels."""
    draws = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 256, (count, inputs), dtype=torch.uint8, generator=draws)
    pixels *= torch.randint(0, 2, (count, inputs), dtype=torch.uint8, generator=draws)
    return pixels, torch.randint(0, classes, (count,), generator=draws)


def images(pixels: Tensor, labels: Tensor) -> IndexedImages:
    code = library().code
    assert code is not None
    return IndexedImages(code, pixels, labels, 1 / (255 * STD))


def trained_by_torch(
    layers: list[nn.Linear], pixels: Tensor, labels: Tensor, order: Tensor, batch_size: int, lr: float
) -> tuple[float, int]:
    """The sum of the losses and the number of right answers, in float64."""
    loss_sum, right = 0.0, 0
    for layer in layers:
        layer.double()
    inputs = (pixels.double() / 255 - MEAN) / STD
    for places in order.split(batch_size):
        x = inputs[places]
        for layer in layers[:-1]:
            x = layer(x).relu()
        logits = layers[-1](x)
        loss = cross_entropy(logits, labels[places])
        weights = [tensor for layer in layers for tensor in (layer.weight, layer.bias)]
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for tensor, gradient in zip(weights, gradients, strict=True):
                tensor -= lr * gradient
        loss_sum += loss.item() * len(places)
        right += int((logits.argmax(1) == labels[places]).sum())
    return loss_sum, right


@given(
    widths=st.lists(st.integers(1, 70), min_size=2, max_size=5),
    inputs=st.integers(1, 130),
    count=st.integers(1, 70),
    batch_size=st.integers(1, 70),
    threads=st.integers(1, 3),
)
def test_steps_are_those_of_autograd_for_a_network_of_any_size(
    widths: list[int], inputs: int, count: int, batch_size: int, threads: int
) -> None:
    sizes = (inputs, *widths)
    pixels, labels = drawn(count, inputs, widths[-1])
    order = torch.randperm(count, generator=torch.Generator().manual_seed(1))
    ours, theirs = linear_layers(sizes), linear_layers(sizes)
    net = network(sizes, min(batch_size, count))

    net.load(ours)
    steps = net.train(images(pixels, labels), order, batch_size, 0.01, threads)
    net.store(ours)
    loss_sum, right = trained_by_torch(theirs, pixels, labels, order, batch_size, 0.01)

    assert (steps.done, steps.finite) == (-(-count // batch_size), True)
    assert steps.loss_sum == pytest.approx(loss_sum, rel=1e-4)
    assert abs(steps.right - right) <= 1  # two logits may be as large as one another within rounding
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.weight.double(), other.weight, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(one.bias.double(), other.bias, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("label", [-1, 3, 10**6, -(1 << 63), (1 << 63) - 1])
def test_a_label_that_is_no_output_is_refused_before_anything_is_done(label: int) -> None:
    pixels, labels = drawn(6, 20, 3)
    labels[4] = label
    layers = linear_layers((20, 8, 3))
    net = network((20, 8, 3), 6)
    net.load(layers)

    with pytest.raises(ValueError, match="labels from 0 to 2"):
        net.train(images(pixels, labels), torch.arange(6), 6, 0.1, 1)

    before = [layer.weight.clone() for layer in layers]
    net.store(layers)
    assert all(torch.equal(layer.weight, weight) for layer, weight in zip(layers, before, strict=True))


@pytest.mark.parametrize("place", [-1, 6, 1 << 40])
def test_an_image_that_is_not_there_is_refused(place: int) -> None:
    net = network((20, 8, 3), 6)

    with pytest.raises(ValueError, match="images from 0 to 5"):
        net.train(images(*drawn(6, 20, 3)), torch.tensor([0, place]), 6, 0.1, 1)


@pytest.mark.parametrize("batch_size", [-1, 0, 5])
def test_mini_batches_for_which_there_is_no_room_are_refused(batch_size: int) -> None:
    with pytest.raises(ValueError, match="mini-batches that fit"):
        network((20, 8, 3), 4).train(images(*drawn(6, 20, 3)), torch.arange(6), batch_size, 0.1, 1)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="20 pixels, not 21"):
        network((20, 8, 3), 6).train(images(*drawn(6, 21, 3)), torch.arange(6), 6, 0.1, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        [nn.Linear(20, 8), nn.Linear(8, 2)],
        [nn.Linear(20, 8), nn.Linear(8, 3, dtype=torch.float64)],
        [nn.Linear(20, 8), nn.Linear(8, 3, device="meta")],
    ],
    ids=["smaller", "float64", "elsewhere"],
)
def test_layers_of_another_kind_are_neither_read_nor_written(wrong: list[nn.Linear]) -> None:
    net = network((20, 8, 3), 6)

    with pytest.raises(ValueError, match=r"needs torch.float32 of shape \(3"):
        net.load(wrong)
    with pytest.raises(ValueError, match=r"needs torch.float32 of shape \(3"):
        net.store(wrong)


@pytest.mark.parametrize(
    ("widths", "batch_size"),
    [((5, 4), 1), ((5,) * (MOST_LAYERS + 2), 1), ((5, 0, 3), 1), ((5, 4, 3), 0), ((1 << 24, 1 << 24, 3), 1 << 24)],
    ids=["one layer", "too many layers", "no unit", "no image", "larger than any memory"],
)
def test_a_network_for_which_there_is_no_room_is_refused(widths: tuple[int, ...], batch_size: int) -> None:
    with pytest.raises(MemoryError):
        network(widths, batch_size)


def test_it_knows_when_its_images_were_changed() -> None:
    pixels, labels = drawn(6, 20, 3)
    ours = images(pixels, labels)
    assert ours.are(pixels, labels)

    pixels[0] = 1

    assert not ours.are(pixels, labels)
    assert not images(pixels, labels).are(pixels, labels.clone())


def test_autograd_learns_that_the_weights_have_changed() -> None:
    layers = linear_layers((20, 8, 3))
    net = network((20, 8, 3), 6)
    loss = (layers[1].weight ** 2).sum()

    net.store(layers)

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
