from __future__ import annotations

import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest
import torch
from tests.native.calls import counted
from torch import nn

import honshi
from honshi.models import CNN
from honshi.native.layers import PoolingStage, compiled_layers


def model() -> CNN:
    torch.manual_seed(0)
    return CNN(1, (8, 16), 10, residual=(0, 1))


def without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("convolution", "max_pool"):
        monkeypatch.setattr(f"honshi.native.{place}.kernels", lambda: None)


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.01)])
def test_a_training_has_the_losses_of_torchs_layers(
    precision: Literal["float32", "bfloat16"],
    tolerance: float,
    mnist: honshi.Splits,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    losses, calls_of = [], []
    for _ in range(2):
        cnn = model()
        optimizer = torch.optim.SGD(cnn.parameters(), lr=0.05)
        images = mnist.train.subset(range(300))
        with counted() as calls:
            result = honshi.fit(
                cnn, nn.CrossEntropyLoss(), optimizer, images, images, epochs=2, batch_size=32, precision=precision
            )
        calls_of.append(calls)
        losses.append([row.train_loss for row in result.history])
        without_a_compiler(monkeypatch)

    ours, theirs = losses
    assert ours == pytest.approx(theirs, rel=tolerance)
    # Twenty steps, and scores beside them; of each step the gradients too.
    assert calls_of[0]["conv_pool"] > calls_of[0]["conv_pool_gradient"] == 20
    assert calls_of[1] == {}


def kernels_of_a_step(cnn: nn.Module) -> Counter[str]:
    """Which kernels compute a forward and a backward pass."""
    with counted() as calls:
        cnn(torch.randn(4, 1, 12, 12)).sum().backward()
    return calls


def test_pooling_is_compiled_inside_and_torchs_outside() -> None:
    cnn = model()
    with compiled_layers(cnn):
        inside = kernels_of_a_step(cnn)
    outside = kernels_of_a_step(cnn)

    # The first of two stages begins with the images, of which no gradient is wanted.
    assert inside == {"conv_pool": 1, "conv_pool_gradient": 1, "max_pool": 1, "max_pool_gradient": 1}
    assert outside == {}


def test_outside_the_layers_are_what_they_were() -> None:
    cnn = model()
    before = {name: set(vars(module)) for name, module in cnn.named_modules()}

    with pytest.raises(ValueError, match="within"), compiled_layers(cnn):
        raise ValueError("within")

    assert {name: set(vars(module)) for name, module in cnn.named_modules()} == before


def test_inside_once_more_changes_nothing() -> None:
    cnn = model()
    with compiled_layers(cnn):
        with compiled_layers(cnn):
            pass
        assert kernels_of_a_step(cnn)["conv_pool"] == 1


def test_the_layers_behind_the_pooling_are_computed_as_ever() -> None:
    stage = PoolingStage(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(8), nn.ReLU()
    ).eval()
    images = torch.randn(2, 1, 6, 6)
    expected = stage(images)

    with compiled_layers(stage):
        found = stage(images)

    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("layers", [[], [nn.ReLU()], [nn.ReLU(), nn.Flatten(), nn.Softmax(1)]])
def test_a_stage_of_other_layers_computes_them(layers: list[nn.Module]) -> None:
    stage = PoolingStage(*layers)
    images = torch.randn(2, 1, 6, 6)

    with compiled_layers(stage):
        assert torch.equal(stage(images), nn.Sequential(*layers)(images))


@pytest.mark.parametrize("layer", [0, 1], ids=["convolution", "pooling"])
def test_a_forward_that_somebody_has_given_a_layer_is_called(layer: int) -> None:
    stage = PoolingStage(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.MaxPool2d(2))
    given = stage[layer].forward
    called = []

    def own(features: torch.Tensor) -> torch.Tensor:
        called.append(features.shape)
        return given(features)  # type: ignore[no-any-return]

    stage[layer].forward = own

    with compiled_layers(stage):
        stage(torch.randn(2, 1, 6, 6))
    assert len(called) == 1


def test_each_thread_says_for_itself_what_is_compiled() -> None:
    cnn = model()
    with compiled_layers(cnn), ThreadPoolExecutor(1) as other:
        calls = other.submit(kernels_of_a_step, cnn).result()

    assert calls == {}


def test_torchscript_and_torch_compile_look_through_the_layers() -> None:
    cnn, images = model().eval(), torch.randn(2, 1, 12, 12)
    expected = cnn(images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is on its way out
        scripted = torch.jit.script(cnn)

    torch.testing.assert_close(scripted(images), expected)
    with compiled_layers(cnn):
        whole = torch.compile(cnn, backend="eager", fullgraph=True)
        torch.testing.assert_close(whole(images), expected)
