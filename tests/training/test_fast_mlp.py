from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torch.utils.data import TensorDataset

import honshi
from honshi.data.batches import Batches
from honshi.errors import NonFiniteLossError
from honshi.losses import CrossEntropy
from honshi.models import MLP
from honshi.training import fast_mlp
from honshi.training.epoch import train_epoch


def mlp(hidden: tuple[int, ...] = (128, 64), **options: Any) -> MLP:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MLP(784, hidden, 10, **options)


def sgd(model: nn.Module, **options: Any) -> SGD:
    # A small rate, at which roundings stay roundings instead of growing from step to step.
    return SGD(model.parameters(), lr=0.02, **options)


def both(images: honshi.Images, hidden: tuple[int, ...], batch_size: int) -> tuple[Any, Any, MLP, MLP]:
    """One epoch by each loop, from the same weights and in the same order: what they return, and the models."""
    readable = mlp(hidden)
    fast = copy.deepcopy(readable)
    batches = [Batches(images, batch_size, shuffle=torch.Generator().manual_seed(1)) for _ in range(2)]
    expected = train_epoch(readable, CrossEntropy(), sgd(readable), batches[0])
    found = fast_mlp.train_epoch(fast, sgd(fast), batches[1])
    return expected, found, readable, fast


@pytest.mark.parametrize("hidden", [(128, 64), (32,), (), (40, 30, 20)])
@pytest.mark.parametrize("count", [1280, 1300], ids=["whole batches", "a small last batch"])
def test_losses_accuracies_and_weights_are_those_of_the_readable_loop(
    mnist: honshi.Splits, hidden: tuple[int, ...], count: int
) -> None:
    expected, found, readable, fast = both(mnist.train.subset(range(count)), hidden, 64)

    assert found == pytest.approx(expected, rel=1e-4)
    for one, other in zip(readable.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-5)


def test_a_whole_epoch_of_mnist_ends_at_the_same_loss(mnist: honshi.Splits) -> None:
    expected, found, _, _ = both(mnist.train, (128, 64), 64)

    assert found == pytest.approx(expected, rel=1e-3)


def test_one_step_is_the_gradient_of_autograd(mnist: honshi.Splits) -> None:
    _, _, readable, fast = both(mnist.train.subset(range(64)), (128, 64), 64)

    for one, other in zip(readable.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-7)


def test_the_learning_rate_is_the_optimizers(mnist: honshi.Splits) -> None:
    model = mlp()
    before = copy.deepcopy(model.state_dict())
    optimizer = sgd(model)
    optimizer.param_groups[0]["lr"] = 0.0

    fast_mlp.train_epoch(model, optimizer, Batches(mnist.train.subset(range(100)), 50))

    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_a_loss_that_is_not_finite_stops_before_the_step(mnist: honshi.Splits) -> None:
    images = mnist.train.subset(range(128))
    model = mlp()
    inputs = images.normalization(images.pixels)
    inputs[70] = float("nan")
    parts = list(zip(inputs.split(64), images.labels.split(64), strict=True))
    first = mlp()
    fast_mlp.train_epoch(first, sgd(first), parts[:1])

    with pytest.raises(NonFiniteLossError) as raised:
        fast_mlp.train_epoch(model, sgd(model), parts, epoch=3)

    assert (raised.value.epoch, raised.value.step) == (3, 2)
    assert all(torch.equal(first.state_dict()[name], tensor) for name, tensor in model.state_dict().items())


def test_each_step_is_told(mnist: honshi.Splits) -> None:
    told: list[int] = []
    model = mlp()

    fast_mlp.train_epoch(model, sgd(model), Batches(mnist.train.subset(range(100)), 40), on_step=told.append)

    assert told == [1, 2, 3]


def test_it_knows_the_lectures_case() -> None:
    model = mlp()

    assert fast_mlp.knows(model, nn.CrossEntropyLoss(), sgd(model))
    assert fast_mlp.knows(
        model, CrossEntropy(), honshi.optimizers.build(honshi.Recipe.read("lecture").optimizer, model)
    )


class Subclass(MLP):
    def forward(self, images: Tensor) -> Tensor:
        return -super().forward(images)


def hooked() -> MLP:
    model = mlp()
    model.get_submodule("layer2").register_forward_hook(lambda *_: None)
    return model


def frozen() -> MLP:
    model = mlp()
    next(model.parameters()).requires_grad_(False)
    return model


@pytest.mark.parametrize(
    "make",
    [
        lambda: mlp(dropout=0.5),
        lambda: mlp(batch_norm=True),
        lambda: mlp().double(),
        Subclass,
        hooked,
        frozen,
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),
    ],
    ids=["dropout", "batch norm", "double", "subclass", "hook", "frozen", "another module"],
)
def test_it_leaves_other_models_to_the_readable_loop(make: Callable[[], nn.Module]) -> None:
    model = make()

    assert not fast_mlp.knows(model, CrossEntropy(), sgd(model))


@pytest.mark.parametrize(
    "criterion",
    [
        CrossEntropy(label_smoothing=0.1),
        CrossEntropy(weight=torch.ones(10)),
        nn.CrossEntropyLoss(reduction="sum"),
        nn.CrossEntropyLoss(ignore_index=3),
        nn.MSELoss(),
        nn.functional.cross_entropy,
    ],
)
def test_it_leaves_other_losses_to_the_readable_loop(criterion: Any) -> None:
    model = mlp()

    assert not fast_mlp.knows(model, criterion, sgd(model))


def partial(model: nn.Module) -> SGD:
    return SGD(list(model.parameters())[:2], lr=0.1)


def with_step_hook(model: nn.Module) -> SGD:
    optimizer = sgd(model)
    optimizer.register_step_post_hook(lambda *_: None)
    return optimizer


@pytest.mark.parametrize(
    "make",
    [
        lambda model: sgd(model, momentum=0.9),
        lambda model: sgd(model, weight_decay=0.01),
        lambda model: sgd(model, maximize=True),
        lambda model: Adam(model.parameters()),
        partial,
        with_step_hook,
    ],
    ids=["momentum", "weight decay", "maximize", "Adam", "some parameters", "step hook"],
)
def test_it_leaves_other_optimizers_to_the_readable_loop(make: Callable[[nn.Module], Any]) -> None:
    model = mlp()

    assert not fast_mlp.knows(model, CrossEntropy(), make(model))


def test_fit_comes_here_for_the_lectures_case_with_the_same_result(
    mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, val = mnist.train.subset(range(640)), mnist.val.subset(range(100))
    as_dataset = TensorDataset(train.normalization(train.pixels), train.labels)
    fast, readable = mlp(), mlp()

    first = honshi.fit(fast, CrossEntropy(), sgd(fast), as_dataset, val, 2)
    monkeypatch.setattr(fast_mlp, "knows", lambda *_: False)
    second = honshi.fit(readable, CrossEntropy(), sgd(readable), as_dataset, val, 2)

    assert [row.val_loss for row in first.history] == pytest.approx([row.val_loss for row in second.history], rel=1e-4)
