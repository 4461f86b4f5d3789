from __future__ import annotations

import json

import pytest
from torch import nn

from honshi.errors import ModelError
from honshi.models import CNN, MLP, TTA, Ensemble, network_in
from honshi.models.architecture import architecture_of, from_architecture

MODELS = [
    MLP(12, (5, 4), 3, dropout=0.25, batch_norm=True),
    CNN(3, (4,), 7, dropout=0.5),
    Ensemble([MLP(12, (5,), 3), MLP(12, (), 3), CNN(1, (4,), 3)]),
    TTA(CNN(1, (4,), 3), shift=2, flip=True),
    TTA(Ensemble([MLP(), MLP()]), shift=1),
    Ensemble([TTA(MLP(), flip=True)]),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_a_model_is_built_again_from_its_description_in_json(model: nn.Module) -> None:
    described = architecture_of(model)

    again = from_architecture(json.loads(json.dumps(described)))

    assert str(again) == str(model)
    assert architecture_of(again) == described
    again.load_state_dict(model.state_dict())


class Doubled(MLP):
    pass


@pytest.mark.parametrize(
    "model", [nn.Linear(2, 2), Doubled(), TTA(nn.Linear(2, 2)), Ensemble([MLP(), Doubled()])], ids=str
)
def test_a_part_that_is_not_honshis_own_is_asked_for_by_name(model: nn.Module) -> None:
    described = architecture_of(model)

    with pytest.raises(ModelError, match=r"x holds a .*(Linear|Doubled): build one and give it as load_model"):
        from_architecture(described, "x")


@pytest.mark.parametrize(
    "architecture", [{}, {"kind": "mlp", "colour": 1}, {"kind": "tta"}, {"kind": "ensemble", "members": 2}]
)
def test_what_is_no_description_is_not_guessed_at(architecture: dict[str, object]) -> None:
    with pytest.raises((KeyError, TypeError)):
        from_architecture(architecture)


def test_the_network_is_found_within_what_is_around_it() -> None:
    network = MLP()

    assert network_in(TTA(Ensemble([network, MLP()]), shift=1)) is network
    assert network_in(network) is network
