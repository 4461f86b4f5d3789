from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD
from torch.optim.swa_utils import AveragedModel

import honshi
from honshi.data.batches import Batch
from honshi.models import MLP
from honshi.training import Averaging
from honshi.training.epoch import train_epoch
from honshi.training.step import Step

criterion = nn.CrossEntropyLoss()


def build(*, batch_norm: bool = True) -> MLP:
    torch.manual_seed(0)
    return MLP(6, (5,), 3, batch_norm=batch_norm)


@pytest.fixture
def batches() -> list[Batch]:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(100, 6, generator=generator) * 3 + 1
    return list(zip(inputs.split(10), torch.randint(3, (100,), generator=generator).split(10), strict=True))


def train(model: nn.Module, batches: list[Batch], averaging: Averaging | None) -> list[dict[str, Tensor]]:
    """An epoch; the weights after each step."""
    path: list[dict[str, Tensor]] = []
    train_epoch(
        model,
        criterion,
        SGD(model.parameters(), lr=0.3, momentum=0.9),
        batches,
        step=Step(averaging=averaging),
        on_step=lambda _: path.append(copy.deepcopy(model.state_dict())),
    )
    return path


def floats(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}


def test_swa_is_torchs_average_over_the_last_part_of_the_steps(batches: list[Batch]) -> None:
    model, averaging = build(), Averaging(swa=0.4)
    expected = AveragedModel(copy.deepcopy(model))
    averaging.begin(model, 10)

    path = train(model, batches, averaging)

    for weights in path[-4:]:
        passing = copy.deepcopy(model)
        passing.load_state_dict(weights)
        expected.update_parameters(passing)
    for name, average in expected.module.named_parameters():
        torch.testing.assert_close(averaging.averages[name], average.detach())


def test_ema_moves_a_fixed_part_of_the_way_after_quicker_first_steps(batches: list[Batch]) -> None:
    model, averaging = build(), Averaging(ema=0.35)
    expected = floats(copy.deepcopy(model.state_dict()))
    averaging.begin(model, 10)

    path = train(model, batches, averaging)

    for keep, weights in zip([2 / 11, 3 / 12, 4 / 13, *[0.35] * 7], path, strict=True):
        expected = {name: keep * average + (1 - keep) * weights[name] for name, average in expected.items()}
    torch.testing.assert_close(averaging.averages, expected)


def test_ema_averages_the_statistics_of_batch_norm_too(batches: list[Batch]) -> None:
    model, averaging = build(), Averaging(ema=0.9)
    averaging.begin(model, 10)

    path = train(model, batches, averaging)

    means = torch.stack([weights["norm1.running_mean"] for weights in path])
    average = averaging.averages["norm1.running_mean"]
    assert not torch.allclose(average, means[-1])
    assert bool(((means.min(0).values <= average) & (average <= means.max(0).values)).all())


def test_the_training_itself_is_not_touched(batches: list[Batch]) -> None:
    watched, alone = build(), build()
    averaging = Averaging(ema=0.9)
    averaging.begin(watched, 10)

    train(watched, batches, averaging)
    train(alone, batches, None)

    torch.testing.assert_close(watched.state_dict(), alone.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("averaging", [Averaging(ema=0.9), Averaging(swa=0.5)], ids=["ema", "swa"])
def test_applied_the_model_has_the_average_and_afterwards_its_own_weights(
    batches: list[Batch], averaging: Averaging
) -> None:
    model = build()
    averaging.begin(model, 10)
    train(model, batches, averaging)
    own = copy.deepcopy(model.state_dict())

    with averaging.applied(model, batches):
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.detach(), averaging.averages[name])
        assert not torch.allclose(model.get_parameter("layer2.weight"), own["layer2.weight"])

    torch.testing.assert_close(model.state_dict(), own, rtol=0, atol=0)
    assert model.norm1.momentum == 0.1  # type: ignore[union-attr]


def test_its_own_weights_come_back_after_an_error_too(batches: list[Batch]) -> None:
    model, averaging = build(), Averaging(ema=0.9)
    averaging.begin(model, 10)
    train(model, batches, averaging)
    own = copy.deepcopy(model.state_dict())

    with pytest.raises(ZeroDivisionError), averaging.applied(model, batches):
        raise ZeroDivisionError

    torch.testing.assert_close(model.state_dict(), own, rtol=0, atol=0)


def test_swa_measures_batch_norm_anew_on_the_training_data(batches: list[Batch]) -> None:
    model, averaging = build(), Averaging(swa=0.5)
    averaging.begin(model, 10)
    train(model, batches, averaging)

    with averaging.applied(model, batches):
        before_norm = model.layer1(torch.cat([inputs for inputs, _ in batches])).detach()  # type: ignore[operator]
        torch.testing.assert_close(model.get_buffer("norm1.running_mean"), before_norm.mean(0))


def test_before_its_last_part_swa_is_the_weights_themselves(batches: list[Batch]) -> None:
    model, averaging = build(), Averaging(swa=0.25)
    averaging.begin(model, 40)
    train(model, batches, averaging)
    own = copy.deepcopy(model.state_dict())

    with averaging.applied(model, batches):
        torch.testing.assert_close(model.state_dict(), own, rtol=0, atol=0)


@pytest.mark.parametrize("options", [{}, {"ema": 0.9, "swa": 0.5}], ids=["neither", "both"])
def test_it_is_one_average(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="by ema or by swa"):
        Averaging(**options)


# In a training


@pytest.fixture
def some(mnist: honshi.Splits) -> tuple[honshi.Images, honshi.Images]:
    return mnist.train.subset(range(600)), mnist.val.subset(range(200))


def mlp() -> MLP:
    torch.manual_seed(0)
    return MLP(784, (32,), 10, batch_norm=True)


@pytest.mark.parametrize("options", [{"ema": 0.9}, {"swa": 0.5}], ids=["ema", "swa"])
@pytest.mark.parametrize("restore_best", [True, False])
def test_the_score_of_an_epoch_is_that_of_the_average_and_so_are_the_kept_weights(
    some: tuple[honshi.Images, honshi.Images], options: dict[str, float], restore_best: bool
) -> None:
    model, (train, val) = mlp(), some

    result = honshi.fit(
        model,
        criterion,
        SGD(model.parameters(), lr=0.3),
        train,
        val,
        4,
        averaging=Averaging(**options),
        restore_best=restore_best,
    )

    kept = result.best if restore_best else result.history[-1]
    assert honshi.evaluate(model, val).loss == pytest.approx(kept.val_loss)


def test_the_average_of_a_noisy_training_is_better_than_its_last_weights(
    some: tuple[honshi.Images, honshi.Images],
) -> None:
    train, val = some
    losses = []
    for averaging in (None, Averaging(ema=0.95)):
        model = mlp()
        optimizer = SGD(model.parameters(), lr=1.0, momentum=0.5)
        result = honshi.fit(model, criterion, optimizer, train, val, 6, batch_size=8, averaging=averaging)
        losses.append(result.history[-1].val_loss)

    assert losses[1] < losses[0]


@pytest.mark.parametrize("first", [Averaging(ema=0.9), None], ids=["with, then without", "without, then with"])
def test_a_state_with_an_average_and_a_training_without_one_do_not_go_together(
    some: tuple[honshi.Images, honshi.Images], tmp_path: Path, first: Averaging | None
) -> None:
    second = Averaging(ema=0.9) if first is None else None
    checkpoint = tmp_path / "state.pt"
    for averaging, epochs in ((first, 1), (second, 2)):
        model = mlp()
        optimizer = SGD(model.parameters(), lr=0.1)
        if averaging is second:
            with pytest.raises(honshi.errors.RunError, match="with averaging and this training has none"):
                honshi.fit(model, criterion, optimizer, *some, epochs, averaging=averaging, checkpoint=checkpoint)
        else:
            honshi.fit(model, criterion, optimizer, *some, epochs, averaging=averaging, checkpoint=checkpoint)
