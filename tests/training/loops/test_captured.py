from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

import honshi
from honshi import optimizers
from honshi.data.batches import Batches
from honshi.errors import NonFiniteLossError
from honshi.losses import CrossEntropy
from honshi.models import CNN, MLP, TTA, Ensemble
from honshi.recipe import AdamOptions, OneCycleOptions, SGDOptions
from honshi.training.averaging import Averaging
from honshi.training.epoch import train_epoch
from honshi.training.loops.captured import CapturedEpochs, _Snapshot, captured_epochs
from honshi.training.step import Step

CUDA = pytest.mark.skipif(not torch.cuda.is_available(), reason="a CUDA graph needs a CUDA device")
DEVICES = ["cpu", pytest.param("cuda", marks=CUDA)]


class Replayed:
    """On a CPU there are no graphs: the step is taken instead. All around the graph is as on a GPU."""

    def __init__(self, epochs: CapturedEpochs, inputs: Tensor, labels: Tensor) -> None:
        self.epochs, self.inputs, self.labels = epochs, inputs, labels

    def replay(self) -> None:
        self.epochs._step(self.inputs, self.labels)


@pytest.fixture
def images(mnist: honshi.Splits) -> honshi.Images:
    return mnist.train.subset(range(300))


def mlp() -> MLP:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MLP(784, (32,), 10)


def batches(images: honshi.Images, device: str = "cpu") -> Batches:
    shuffle = torch.Generator().manual_seed(1)
    return Batches(images, 64, shuffle=shuffle, device=torch.device(device))


def captured(
    model: nn.Module, optimizer: Optimizer, images: honshi.Images, device: str = "cpu", **options: Any
) -> CapturedEpochs:
    epochs = CapturedEpochs(model, CrossEntropy(), optimizer, batches(images, device), Step(**options))
    if device == "cpu":
        epochs._capture = lambda inputs, labels: (Replayed(epochs, inputs, labels), inputs, labels)  # type: ignore
    return epochs


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("options", [SGDOptions(lr=0.02, momentum=0.9), AdamOptions()], ids=["sgd", "adam"])
def test_losses_accuracies_and_weights_are_those_of_the_readable_loop(
    images: honshi.Images, device: str, options: SGDOptions | AdamOptions
) -> None:
    readable = mlp().to(device)
    model = copy.deepcopy(readable)
    schedules = []
    one, other = optimizers.build(options, readable), optimizers.build(options, model)
    for optimizer in (one, other):
        schedules.append(optimizers.build_schedule(OneCycleOptions(), optimizer, 5, 3))
    epochs = captured(model, other, images, device, schedule=schedules[1], clip_grad_norm=1.0)

    expected_batches = batches(images, device)
    expected = [
        train_epoch(
            readable, CrossEntropy(), one, expected_batches, step=Step(schedule=schedules[0], clip_grad_norm=1.0)
        )
        for _ in range(3)
    ]
    found = [epochs.train_epoch() for _ in range(3)]

    for epoch, numbers in enumerate(found):
        assert numbers == pytest.approx(expected[epoch], rel=1e-4)
    for parameter, expectation in zip(model.parameters(), readable.parameters(), strict=True):
        torch.testing.assert_close(parameter, expectation, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_a_loss_that_is_not_finite_is_told_with_its_step_at_the_end_of_the_epoch(
    images: honshi.Images, device: str
) -> None:
    model = mlp().to(device)
    optimizer = optimizers.build(SGDOptions(lr=1e30), model)

    with pytest.raises(NonFiniteLossError) as raised:
        captured(model, optimizer, images, device).train_epoch(epoch=3)

    assert (raised.value.epoch, raised.value.step) == (3, 2)


@pytest.mark.parametrize("device", DEVICES)
def test_after_a_loss_that_is_not_finite_the_model_is_as_before_the_epoch(images: honshi.Images, device: str) -> None:
    model = mlp().to(device)
    before = copy.deepcopy(model.state_dict())
    optimizer = optimizers.build(SGDOptions(lr=1e30, momentum=0.9), model)

    with pytest.raises(NonFiniteLossError):
        captured(model, optimizer, images, device).train_epoch()

    torch.testing.assert_close(model.state_dict(), before, rtol=0, atol=0)
    assert all(not state["momentum_buffer"].any() for state in optimizer.state.values())


@pytest.mark.parametrize("device", DEVICES)
def test_averages_take_note_of_each_step(images: honshi.Images, device: str) -> None:
    model = mlp().to(device)
    averaging = Averaging(ema=0.9)
    averaging.begin(model, 10)

    captured(model, optimizers.build(SGDOptions(), model), images, device, averaging=averaging).train_epoch()

    assert averaging.steps == 5


@pytest.mark.parametrize("device", DEVICES)
def test_each_step_is_told(images: honshi.Images, device: str) -> None:
    model, told = mlp().to(device), list[int]()

    captured(model, optimizers.build(SGDOptions(), model), images, device).train_epoch(on_step=told.append)

    assert told == [1, 2, 3, 4, 5]


def test_what_a_warm_up_changes_is_put_back(images: honshi.Images) -> None:
    model = CNN(1, (4, 8), 10)
    optimizer = optimizers.build(AdamOptions(), model)
    before = copy.deepcopy(model.state_dict())
    memory = [tensor.data_ptr() for tensor in model.state_dict().values()]
    snapshot = _Snapshot(model, optimizer)
    captured(model, optimizer, images).train_epoch()

    snapshot.restore()

    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert [tensor.data_ptr() for tensor in model.state_dict().values()] == memory
    assert all(not tensor.any() for state in optimizer.state.values() for tensor in state.values())


def test_a_state_from_before_the_warm_up_is_put_back(images: honshi.Images) -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.9)
    captured(model, optimizer, images).train_epoch()
    before = [state["momentum_buffer"].clone() for state in optimizer.state.values()]
    snapshot = _Snapshot(model, optimizer)
    captured(model, optimizer, images).train_epoch()

    snapshot.restore()

    after = [state["momentum_buffer"] for state in optimizer.state.values()]
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


class Baked(Replayed):
    """A graph reads from memory on the device what it read there when it was captured; all else became a constant."""

    def __init__(self, epochs: CapturedEpochs, inputs: Tensor, labels: Tensor, on_device: list[Tensor]) -> None:
        super().__init__(epochs, inputs, labels)
        self.rates = [
            lr if any(lr is tensor for tensor in on_device) else float(lr)
            for lr in (group["lr"] for group in epochs.optimizer.param_groups)
        ]

    def replay(self) -> None:
        groups = self.epochs.optimizer.param_groups
        current = [group["lr"] for group in groups]
        for group, rate in zip(groups, self.rates, strict=True):
            group["lr"] = rate
        super().replay()
        for group, lr in zip(groups, current, strict=True):
            group["lr"] = lr


def test_a_training_that_goes_on_follows_its_schedule(
    images: honshi.Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(epochs: int, checkpoint: Path | None = None) -> MLP:
        model = mlp()
        optimizer = SGD(model.parameters(), lr=torch.tensor(0.1), momentum=0.9)
        on_device = [group["lr"] for group in optimizer.param_groups]
        schedule = optimizers.build_schedule(OneCycleOptions(), optimizer, 5, 4)

        def loop(*parts: Any) -> Any:
            captured = CapturedEpochs(*parts)
            captured._capture = lambda x, y: (Baked(captured, x, y, on_device), x, y)  # type: ignore
            return captured.train_epoch

        monkeypatch.setattr(sys.modules["honshi.training.fit"], "choose_loop", loop)
        honshi.fit(
            model,
            CrossEntropy(),
            optimizer,
            images,
            images,
            epochs,
            schedule=schedule,
            restore_best=False,
            checkpoint=checkpoint,
        )
        return model

    expected = train(4)
    train(2, tmp_path / "state.pt")

    resumed = train(4, tmp_path / "state.pt")

    torch.testing.assert_close(resumed.state_dict(), expected.state_dict(), rtol=0, atol=0)


@CUDA
def test_capturing_changes_neither_weights_nor_the_random_state(images: honshi.Images) -> None:
    model = mlp().cuda()
    optimizer = optimizers.build(AdamOptions(), model)
    epochs = captured(model, optimizer, images, "cuda")
    inputs, labels = next(iter(epochs.batches))
    before, random = copy.deepcopy(model.state_dict()), torch.cuda.get_rng_state()

    epochs._capture(inputs.clone(), labels.clone())

    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert torch.equal(torch.cuda.get_rng_state(), random)


@CUDA
@pytest.mark.parametrize(
    "make", [mlp, CNN, lambda: TTA(Ensemble([CNN(), CNN()]), shift=1)], ids=["mlp", "cnn", "ensemble and TTA"]
)
def test_fit_captures_honshis_own_networks_on_a_gpu(
    mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    monkeypatch.setattr(sys.modules["honshi.training.loops"], "train_epoch", None)
    model = make().cuda()
    optimizer = optimizers.build(SGDOptions(lr=0.05, momentum=0.9), model)

    result = honshi.fit(model, CrossEntropy(), optimizer, mnist.train, mnist.val, 2, batch_size=256)

    assert result.history[-1].train_loss < result.history[0].train_loss


@CUDA
@pytest.mark.parametrize("device", ["cuda"])
def test_no_step_waits_for_the_device(images: honshi.Images, device: str) -> None:
    model = mlp().to(device)
    epochs = captured(model, optimizers.build(SGDOptions(), model), images, device)
    epochs.train_epoch()

    assert epochs.captured is not None
    graph, held_inputs, held_labels = epochs.captured
    inputs, labels = next(iter(epochs.batches))
    torch.cuda.set_sync_debug_mode("error")
    try:
        held_inputs.copy_(inputs)
        held_labels.copy_(labels)
        graph.replay()
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_on_a_cpu_nothing_is_captured(images: honshi.Images) -> None:
    model = mlp()

    assert captured_epochs(model, CrossEntropy(), optimizers.build(SGDOptions(), model), batches(images)) is None


@CUDA
def test_other_modules_and_rates_that_are_numbers_are_left_to_the_readable_loop(images: honshi.Images) -> None:
    own, other = mlp().cuda(), nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).cuda()
    on_device = batches(images, "cuda")

    assert captured_epochs(own, CrossEntropy(), optimizers.build(SGDOptions(), own), on_device) is not None
    assert captured_epochs(own, CrossEntropy(), SGD(own.parameters(), lr=0.1), on_device) is None
    assert captured_epochs(other, CrossEntropy(), optimizers.build(SGDOptions(), other), on_device) is None
