from __future__ import annotations

import json

import pytest
from torch import nn

from honshi.errors import ModelError
from honshi.models import CNN, MLP, TTA, Ensemble, network_in
from honshi.models.architecture import architecture_of, from_architecture, is_ours

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


@pytest.mark.parametrize(
    "claim", [{"inputs": 10**12}, {"hidden": [10**9, 10**9]}, {"classes": 3}, {"hidden": [128, 64, 32]}], ids=str
)
def test_a_description_that_its_weights_do_not_bear_out_is_refused_before_it_takes_memory(
    claim: dict[str, object],
) -> None:
    weights = MLP().state_dict()

    with pytest.raises(ModelError, match=r"x: the weights do not fit the model: layer\d\.\w+ is .* and should be "):
        from_architecture({**architecture_of(MLP()), **claim}, "x", weights)


def test_a_layer_that_was_replaced_makes_it_another_model() -> None:
    head, activation = MLP(), CNN()
    head.layer3 = nn.Linear(64, 5)
    activation.get_submodule("stages.stage1")[3] = nn.GELU()  # type: ignore[operator]

    assert architecture_of(head) == {"kind": "honshi.models.mlp.MLP"}
    assert architecture_of(activation) == {"kind": "honshi.models.cnn.CNN"}
    assert not is_ours(TTA(Ensemble([MLP(), head])))
