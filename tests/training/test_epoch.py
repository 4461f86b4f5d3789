from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot
from torch.optim import SGD, Adam
from torch.optim.lr_scheduler import ExponentialLR

from honshi.data.batches import Batch
from honshi.errors import ModelError, NonFiniteLossError
from honshi.models import MLP
from honshi.training.epoch import train_epoch
from honshi.training.step import Step

criterion = nn.CrossEntropyLoss()


@pytest.fixture
def model() -> MLP:
    torch.manual_seed(0)
    return MLP(6, (5,), 3)


@pytest.fixture
def batches() -> list[Batch]:
    """23 images in batches of 10, 10 and 3."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(23, 6, generator=generator)
    labels = torch.randint(3, (23,), generator=generator)
    return list(zip(inputs.split(10), labels.split(10), strict=True))


def weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def test_it_is_the_lectures_loop(model: MLP, batches: list[Batch]) -> None:
    plain = copy.deepcopy(model)
    optimizer = Adam(plain.parameters(), lr=0.01)
    for inputs, labels in batches:
        optimizer.zero_grad()
        criterion(plain(inputs), labels).backward()
        optimizer.step()

    train_epoch(model, criterion, Adam(model.parameters(), lr=0.01), batches)

    assert torch.equal(weights(model), weights(plain))


def test_loss_and_accuracy_are_means_over_images_with_a_small_last_batch(model: MLP, batches: list[Batch]) -> None:
    inputs, labels = map(torch.cat, zip(*batches, strict=True))
    logits = model(inputs)

    loss, accuracy = train_epoch(model, criterion, SGD(model.parameters(), lr=0.0), batches)

    assert loss == pytest.approx(cross_entropy(logits, labels).item(), rel=1e-6)
    assert accuracy == int((logits.argmax(1) == labels).sum()) / 23


def test_each_loss_is_measured_before_the_step_that_learns_from_it(model: MLP, batches: list[Batch]) -> None:
    inputs, labels = batches[0]
    before = criterion(model(inputs), labels).item()

    loss, _ = train_epoch(model, criterion, SGD(model.parameters(), lr=1.0), batches[:1])

    assert loss == before
    assert criterion(model(inputs), labels).item() < before


def test_the_model_is_in_training_mode(model: MLP, batches: list[Batch]) -> None:
    modes: list[bool] = []
    model.register_forward_hook(lambda module, _inputs, _output: modes.append(module.training))

    train_epoch(model.eval(), criterion, SGD(model.parameters(), lr=0.1), batches)

    assert modes == [True, True, True]


def test_gradients_do_not_add_up_over_steps(batches: list[Batch]) -> None:
    class Linear(nn.Module):
        """Its loss has the same gradient everywhere, so that each step moves it by as much."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, inputs: Tensor) -> Tensor:
            return self.weight.expand(len(inputs), 3)

    model = Linear()

    train_epoch(model, lambda logits, _labels: logits.mean(), SGD(model.parameters(), lr=1.0), batches)

    assert model.weight.item() == pytest.approx(-3.0)


def test_gradients_from_before_the_epoch_have_no_part_in_it(model: MLP, batches: list[Batch]) -> None:
    fresh = copy.deepcopy(model)
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 1e6)

    train_epoch(model, criterion, SGD(model.parameters(), lr=0.1), batches)
    train_epoch(fresh, criterion, SGD(fresh.parameters(), lr=0.1), batches)

    assert torch.equal(weights(model), weights(fresh))


def test_clipping_shortens_a_step_to_the_norm_and_keeps_its_direction(model: MLP, batches: list[Batch]) -> None:
    start, free = weights(model), copy.deepcopy(model)

    train_epoch(model, criterion, SGD(model.parameters(), lr=1.0), batches[:1], step=Step(clip_grad_norm=0.01))
    train_epoch(free, criterion, SGD(free.parameters(), lr=1.0), batches[:1])

    clipped, unclipped = weights(model) - start, weights(free) - start
    assert clipped.norm().item() == pytest.approx(0.01, rel=1e-3)
    assert torch.cosine_similarity(clipped, unclipped, dim=0).item() == pytest.approx(1.0, abs=1e-4)


def test_clipping_leaves_gradients_below_the_norm_as_they_are(model: MLP, batches: list[Batch]) -> None:
    free = copy.deepcopy(model)

    train_epoch(model, criterion, SGD(model.parameters(), lr=0.1), batches, step=Step(clip_grad_norm=1e6))
    train_epoch(free, criterion, SGD(free.parameters(), lr=0.1), batches)

    assert torch.equal(weights(model), weights(free))


def test_the_schedule_moves_after_every_step(model: MLP, batches: list[Batch]) -> None:
    optimizer = SGD(model.parameters(), lr=0.8)
    rates: list[float] = []
    optimizer.register_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))

    train_epoch(model, criterion, optimizer, batches, step=Step(schedule=ExponentialLR(optimizer, gamma=0.5)))

    assert rates == [0.8, 0.4, 0.2]


def test_with_probabilities_for_labels_the_accuracy_is_that_of_the_most_probable(
    model: MLP, batches: list[Batch]
) -> None:
    softened = [(inputs, 0.8 * one_hot(labels, 3) + 0.2 / 3) for inputs, labels in batches]
    twin = copy.deepcopy(model)

    _, accuracy = train_epoch(model, criterion, SGD(model.parameters(), lr=0.0), batches)
    soft_loss, soft_accuracy = train_epoch(twin, criterion, SGD(twin.parameters(), lr=0.0), softened)

    inputs, labels = map(torch.cat, zip(*batches, strict=True))
    assert soft_accuracy == accuracy
    assert soft_loss == pytest.approx(cross_entropy(model(inputs), labels, label_smoothing=0.2).item(), rel=1e-5)


def test_in_bfloat16_the_loss_and_the_weights_are_float32(model: MLP, batches: list[Batch]) -> None:
    twin, seen = copy.deepcopy(model), list[torch.dtype]()
    twin.layer1.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))  # type: ignore[union-attr]

    def recording(logits: Tensor, labels: Tensor) -> Tensor:
        seen.append(logits.dtype)
        return cross_entropy(logits, labels)

    exact, _ = train_epoch(model, criterion, SGD(model.parameters(), lr=0.1), batches)
    step = Step(autocast=torch.autocast("cpu", torch.bfloat16))
    rounded, _ = train_epoch(twin, recording, SGD(twin.parameters(), lr=0.1), batches, step=step)

    assert seen == [torch.bfloat16, torch.float32] * 3
    assert all(parameter.dtype == torch.float32 for parameter in twin.parameters())
    assert rounded == pytest.approx(exact, rel=1e-2)
    assert rounded != exact
    torch.testing.assert_close(weights(twin), weights(model), rtol=0.05, atol=0.005)


def test_every_step_is_reported(model: MLP, batches: list[Batch]) -> None:
    steps: list[int] = []

    train_epoch(model, criterion, SGD(model.parameters(), lr=0.1), batches, on_step=steps.append)

    assert steps == [1, 2, 3]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_before_it_spoils_the_weights(
    model: MLP, batches: list[Batch], value: float
) -> None:
    scales, after_steps = iter([1.0, value]), list[Tensor]()

    with pytest.raises(NonFiniteLossError, match="epoch 7, step 2") as caught:
        train_epoch(
            model,
            lambda logits, labels: criterion(logits, labels) * next(scales),
            SGD(model.parameters(), lr=0.125),
            batches,
            epoch=7,
            on_step=lambda _step: after_steps.append(weights(model)),
        )

    assert (caught.value.epoch, caught.value.step) == (7, 2)
    assert "it was 0.125" in str(caught.value)
    assert len(after_steps) == 1
    assert torch.equal(weights(model), after_steps[0])


def test_nothing_to_train_on_is_an_error_that_says_so(model: MLP) -> None:
    with pytest.raises(ModelError, match="no images"):
        train_epoch(model, criterion, SGD(model.parameters(), lr=0.1), [])
