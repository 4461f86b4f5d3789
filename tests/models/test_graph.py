from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from honshi.models.card import Card
from honshi.models.graph import graph_of
from honshi.pictures import InputContract, Normalization


def asked(content: bytes, pixels: torch.Tensor) -> torch.Tensor:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": pixels.numpy()})
    return torch.from_numpy(logits)


def card(shape: tuple[int, int, int], classes: int) -> Card:
    normalization = Normalization(mean=(0.4, 0.5, 0.6)[: shape[0]], std=(0.2, 0.3, 0.4)[: shape[0]])
    return Card(InputContract(shape=shape, normalization=normalization), tuple(map(str, range(classes))))


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[nn.Module, tuple[int, int, int]]:
    """Layers with any of their options, and the shape of an image that they take."""
    channels = draw(st.sampled_from([1, 3]))
    groups = draw(st.sampled_from([1, channels]))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    side = st.integers(0, 3)
    padding: Any = draw(st.one_of(st.sampled_from(["same", "valid"]), side, st.tuples(side, side)))
    stride = 1 if padding == "same" else draw(st.integers(1, 3))
    first = nn.Conv2d(
        channels,
        6,
        kernel,
        stride=stride,
        padding=padding,
        dilation=draw(st.integers(1, 2)),
        groups=groups,
        bias=draw(st.booleans()),
    )
    size = draw(st.integers(1, 3))
    up = draw(st.booleans())
    pool = nn.MaxPool2d(
        size,
        stride=draw(st.integers(1, size if up else 3)),
        padding=0 if up else draw(st.integers(0, size // 2)),
        dilation=draw(st.integers(1, 2)),
        ceil_mode=up,
    )
    norm = nn.BatchNorm2d(6, affine=draw(st.booleans()), eps=draw(st.sampled_from([1e-5, 1e-2])))
    act = draw(st.sampled_from([nn.ReLU, nn.Sigmoid, nn.Tanh, nn.Identity]))()
    shape = (channels, draw(st.integers(20, 25)), draw(st.integers(20, 25)))
    layers = nn.Sequential(first, nn.Dropout2d(0.5), pool, norm, act, nn.Flatten()).eval()
    with torch.no_grad():
        count = layers(torch.zeros(1, *shape)).shape[1]
    return nn.Sequential(layers, nn.Linear(count, 3, bias=draw(st.booleans()))).eval(), shape


# torch says that it pads unevenly, as it does here.
@pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")
@given(convolutions(), st.integers(0, 1 << 30))
def test_layers_of_torch_compute_the_same_in_a_graph(drawn: tuple[nn.Module, tuple[int, int, int]], seed: int) -> None:
    model, shape = drawn
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    pixels = torch.randint(256, (3, *shape), dtype=torch.uint8)
    content = graph_of(model, card(shape, 3))
    assert content is not None
    with torch.no_grad():
        expected = model(card(shape, 3).contract.normalization(pixels))

    torch.testing.assert_close(asked(content, pixels), expected, rtol=1e-4, atol=1e-4)


def test_a_graph_is_a_whole_onnx_model_of_a_version_that_older_runtimes_know() -> None:
    content = graph_of(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), card((3, 2, 2), 3))
    assert content is not None

    model = onnx.load_from_string(content)

    onnx.checker.check_model(model, full_check=True)
    assert [entry.version for entry in model.opset_import] == [18]
    assert [entry.name for entry in model.graph.output] == ["logits", "probabilities"]
    bare = graph_of(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)), card((3, 2, 2), 3), probabilities=False)
    assert bare is not None
    assert [entry.name for entry in onnx.load_from_string(bare).graph.output] == ["logits"]


@pytest.mark.parametrize(
    "layer",
    [
        nn.GELU(),
        nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"),
        nn.BatchNorm2d(1, track_running_stats=False),
        nn.Flatten(2),
        nn.MaxPool2d(2, return_indices=True),
        nn.MaxPool2d(1, stride=2, ceil_mode=True),
        nn.Conv2d(1, 1, 3).half(),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 1, 3)),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_what_has_no_translation_has_no_graph(layer: nn.Module) -> None:
    assert graph_of(nn.Sequential(layer, nn.Flatten(), nn.Linear(9, 2)), card((1, 5, 5), 2)) is None


def test_weights_are_copied() -> None:
    layer = nn.Linear(4, 2)
    model = nn.Sequential(nn.Flatten(), layer)
    content = graph_of(model, card((1, 2, 2), 2))
    with torch.no_grad():
        layer.weight.zero_()

    (weight,) = [
        onnx.numpy_helper.to_array(entry)
        for entry in onnx.load_from_string(content).graph.initializer
        if list(entry.dims) == [2, 4]
    ]
    assert np.abs(weight).max() > 0
