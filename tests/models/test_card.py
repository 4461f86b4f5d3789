from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel

import honshi
from honshi.errors import ModelError
from honshi.models import MLP
from honshi.models.card import ATTRIBUTE, Card, attach, card_of, detach, needed_card, unwrapped
from honshi.pictures import InputContract, Normalization

CONTRACT = InputContract(shape=(1, 2, 2), normalization=Normalization(mean=(0.5,), std=(0.5,)))
CARD = Card(CONTRACT, ("a", "b"), temperature=1.5)
WRAPPERS: dict[str, Callable[[nn.Module], Any]] = {
    "nothing": lambda model: model,
    "DataParallel": DataParallel,
    "torch.compile": lambda model: torch.compile(model, backend="eager"),
    "both": lambda model: torch.compile(DataParallel(model), backend="eager"),
}


class Own(nn.Module):
    """With names of its own that honshi once used for itself."""

    def __init__(self, temperature: object, preprocessing: object = "scale", architecture: object = 3) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        self.temperature = temperature
        self.preprocessing = preprocessing
        self.architecture = architecture

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.net(images)
        return logits / self.temperature if isinstance(self.temperature, float | Tensor) else logits


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_card_is_seen_through_whatever_computes_the_model(wrap: Callable[[nn.Module], nn.Module]) -> None:
    outside, inside = MLP(4, (3,), 2), MLP(4, (3,), 2)

    attach(wrap(outside), CARD)
    attach(inside, CARD)

    assert card_of(outside) == card_of(wrap(inside)) == CARD
    assert unwrapped(wrap(inside)) is inside


def test_a_model_that_tells_nothing_has_no_card_and_is_refused_where_one_is_needed() -> None:
    assert card_of(MLP()) is None
    with pytest.raises(ModelError, match=r"model\.preprocessing = images\.preprocessing"):
        needed_card(MLP())


def test_a_card_can_be_taken_away() -> None:
    model = MLP()
    attach(model, CARD)

    detach(model)

    assert card_of(model) is None


def test_what_a_user_says_of_pictures_goes_before_what_the_model_was_trained_on(mnist: honshi.Splits) -> None:
    model = MLP()
    attach(model, CARD)

    model.preprocessing = mnist.train.preprocessing  # type: ignore[assignment]

    assert card_of(model) == Card(mnist.train.contract, mnist.train.classes, temperature=1.5)


def test_what_is_attached_later_takes_the_place_of_what_was_said(mnist: honshi.Splits) -> None:
    model = MLP()
    model.preprocessing = mnist.train.preprocessing  # type: ignore[assignment]

    attach(model, CARD)

    assert card_of(model) == CARD


def test_a_property_of_that_name_is_not_asked() -> None:
    class Asked(nn.Module):
        @property
        def preprocessing(self) -> None:
            raise AssertionError

    assert card_of(Asked()) is None


@pytest.mark.parametrize("temperature", [nn.Parameter(torch.ones(1) * 1.5), 0.2, torch.ones(10), "warm", {"t": 2}])
def test_a_users_own_names_are_left_alone_from_training_to_prediction(
    temperature: object, mnist: honshi.Splits, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = Own(temperature)
    train, val = mnist.train.subset(range(200)), mnist.val.subset(range(50))
    before = set(vars(model))

    honshi.fit(model, nn.CrossEntropyLoss(), torch.optim.SGD(model.net.parameters(), lr=0.01), train, val, 1)
    honshi.save(model, tmp_path / "model.safetensors")
    loaded = honshi.load_model(tmp_path / "model.safetensors", into=Own(temperature))

    pixels = val.pixels[:1]
    own = model.eval()(val.normalization(pixels)).softmax(1).max().item()
    assert honshi.predict(model, pixels[0]).confidence == pytest.approx(own)
    assert honshi.predict(loaded, pixels[0]).confidence == pytest.approx(own)
    assert set(vars(model)) - before == {ATTRIBUTE}
    assert (model.temperature is temperature, model.preprocessing, model.architecture) == (True, "scale", 3)
