from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import pytest
import torch
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
    losses = []
    for _ in range(2):
        cnn = model()
        optimizer = torch.optim.SGD(cnn.parameters(), lr=0.05)
        images = mnist.train.subset(range(300))
        result = honshi.fit(
            cnn, nn.CrossEntropyLoss(), optimizer, images, images, epochs=2, batch_size=32, precision=precision
        )
        losses.append([row.train_loss for row in result.history])
        without_a_compiler(monkeypatch)

    ours, theirs = losses
    assert ours == pytest.approx(theirs, rel=tolerance)
    assert ours != theirs


def names_of_gradients(cnn: nn.Module) -> set[str]:
    """What computes them, from the outputs to the images."""
    names: set[str] = set()
    waiting = [cnn(torch.randn(4, 1, 12, 12)).grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None:
            names.add(type(node).__name__)
            waiting += [before for before, _ in node.next_functions]
    return names


def test_pooling_is_compiled_inside_and_torchs_outside() -> None:
    cnn = model()
    with compiled_layers(cnn):
        inside = names_of_gradients(cnn)
    outside = names_of_gradients(cnn)

    assert {"_ConvPoolBackward", "_MaxPoolBackward", "NativeBatchNormBackward0"} <= inside
    assert {"MaxPool2DWithIndicesBackward0", "NativeBatchNormBackward0"} <= outside
    assert not {"_ConvPoolBackward", "_MaxPoolBackward"} & outside


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
        assert "_ConvPoolBackward" in names_of_gradients(cnn)


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
        names = other.submit(names_of_gradients, cnn).result()

    assert "_ConvPoolBackward" not in names


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
