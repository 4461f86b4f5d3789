from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import honshi
from honshi.errors import ModelError

LABELS = torch.arange(65) % 3
INPUTS = torch.randn(65, 8, generator=torch.Generator().manual_seed(0)) + LABELS[:, None]
DATA = TensorDataset(INPUTS, LABELS)
criterion = nn.CrossEntropyLoss()


def normed() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))


def fit(model: nn.Module, train: Any = DATA, **options: Any) -> honshi.FitResult:
    return honshi.fit(model, criterion, SGD(model.parameters(), lr=0.1), train, DATA, 1, **options)


class Stream(IterableDataset[tuple[Tensor, int]]):
    def __iter__(self) -> Any:
        return iter([(INPUTS[i], int(LABELS[i])) for i in range(65)])


@pytest.mark.parametrize(
    ("data", "batch_size"),
    [(DATA, 64), (DATA, 1), (DataLoader(DATA, 64), 10), (DataLoader(DATA, 16, shuffle=True), 10)],
    ids=["dataset", "batches of one", "loader", "shuffled loader"],
)
def test_a_single_image_under_batch_norm_is_refused_before_a_step(data: Any, batch_size: int) -> None:
    model, steps = normed(), list[int]()

    with pytest.raises(ModelError, match="single image"):
        fit(model, data, batch_size=batch_size, on_step=steps.append)

    assert steps == []


def test_where_the_batches_cannot_be_known_it_is_said_when_it_comes() -> None:
    with pytest.raises(ModelError, match="single image"):
        fit(normed(), Stream())


def test_it_is_no_hindrance_where_it_does_no_harm() -> None:
    pictures = TensorDataset(INPUTS.view(65, 1, 2, 4), LABELS)
    places = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(16, 3))
    frozen = normed().train()
    frozen.get_submodule("1").eval()

    honshi.fit(places, criterion, SGD(places.parameters(), lr=0.1), pictures, pictures, 1)
    fit(frozen)
    fit(normed(), DataLoader(DATA, 64, drop_last=True))
    fit(normed(), batch_size=60)
    fit(nn.Linear(8, 3))


def test_looking_draws_nothing() -> None:
    def train(look: bool) -> Tensor:
        torch.manual_seed(0)
        pictures = TensorDataset(INPUTS.view(65, 1, 2, 4), LABELS)
        norm = nn.BatchNorm2d(2) if look else nn.Identity()
        model = nn.Sequential(nn.Conv2d(1, 2, 1), norm.requires_grad_(False), nn.Flatten(), nn.Linear(16, 3))
        loader = DataLoader(pictures, 64, shuffle=True, generator=torch.Generator().manual_seed(3))
        seen: list[Tensor] = []
        model.register_forward_pre_hook(lambda model, inputs: seen.append(inputs[0]) if model.training else None)
        optimizer = SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        honshi.fit(model, criterion, optimizer, loader, pictures, 1)
        return torch.cat(seen)

    assert torch.equal(train(look=True), train(look=False))


def test_lazy_layers_learn_their_sizes_and_are_trained() -> None:
    def lazy() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.LazyBatchNorm1d(), nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(3))

    models = [lazy(), lazy()]
    for model in models:
        optimizer = Adam(model.parameters(), lr=0.05)
        result = honshi.fit(
            model, criterion, optimizer, DATA, DATA, 5, batch_size=13, averaging=honshi.Averaging(ema=0.5)
        )

    assert result.history[-1].val_loss < result.history[0].val_loss
    # Their first weights too are drawn from the seed.
    torch.testing.assert_close(models[0].state_dict(), models[1].state_dict(), rtol=0, atol=0)


# What the owner of a model has frozen


def test_a_batch_norm_that_was_frozen_stays_frozen() -> None:
    model = normed().train()
    norm = model.get_submodule("1").eval()

    fit(model, batch_size=13, on_epoch=lambda _row: model.train())

    assert torch.equal(norm.get_buffer("running_mean"), torch.zeros(16))
    assert not model.training


def test_a_model_in_eval_mode_is_trained_whole() -> None:
    model = normed().eval()

    fit(model, batch_size=13)

    assert not torch.equal(model.get_buffer("1.running_mean"), torch.zeros(16))
    assert not any(module.training for module in model.modules())
