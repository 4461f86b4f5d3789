from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel

import honshi
from honshi.models import CNN, MLP, TTA, Ensemble
from honshi.models.card import Card, attach, needed_card
from honshi.models.identity import identity_of
from honshi.pictures import InputContract, Normalization, Scale

CARD = Card(
    InputContract(shape=(1, 12, 12), normalization=Normalization(mean=(0.1,), std=(0.3,))), ("a", "b", "c"), 1.0
)


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.act: nn.Module = nn.ReLU()
        self.linear = nn.Linear(144, 3)
        self.norm = nn.BatchNorm1d(3)
        self.scale = 2.0
        self.table: dict[str, Any] = {"a": [1, 2], "b": np.arange(3)}
        self.made = SimpleNamespace(power=2)
        self.parts = [nn.Linear(3, 3)]  # not registered
        self.function: Callable[..., Any] = torch.sin
        self.partial = partial(torch.add, alpha=2)
        self.me = [self]

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.norm(self.linear(self.act(images.flatten(1)))) * self.scale
        return logits


def own() -> Own:
    torch.manual_seed(0)
    model = Own()
    attach(model, CARD)
    return model


def ensemble() -> TTA:
    torch.manual_seed(0)
    model = TTA(Ensemble([CNN(1, (4,), 3), CNN(1, (4,), 3)]), shift=1)
    attach(model, CARD)
    return model


def changed(model: nn.Module, **fields: Any) -> None:
    card = needed_card(model)
    attach(model, replace(card, contract=replace(card.contract, **fields)))


def fill(tensor: Tensor) -> None:
    with torch.no_grad():
        tensor.view(-1)[0] += 1


OWN: dict[str, Callable[[Own], Any]] = {
    "a weight": lambda model: fill(model.linear.weight),
    "a buffer": lambda model: fill(model.norm.get_buffer("running_mean")),
    "an activation": lambda model: setattr(model, "act", nn.GELU()),
    "an option of a layer": lambda model: setattr(model.norm, "eps", 0.1),
    "a number": lambda model: setattr(model, "scale", 3.0),
    "a number in a table": lambda model: model.table["a"].append(3),
    "an array": lambda model: model.table.update(b=np.arange(4)),
    "an attribute of an object": lambda model: setattr(model.made, "power", 3),
    "a layer that is not registered": lambda model: fill(model.parts[0].weight),
    "a function": lambda model: setattr(model, "function", torch.cos),
    "an argument of a function": lambda model: setattr(model, "partial", partial(torch.add, alpha=3)),
    "a new attribute": lambda model: setattr(model, "another", None),
    "a hook": lambda model: model.linear.register_forward_hook(lambda module, inputs, output: output + 1),
    "normalisation": lambda model: changed(model, normalization=Normalization(mean=(0.2,), std=(0.3,))),
    "the size": lambda model: changed(model, shape=(1, 9, 16)),
    "the scale": lambda model: changed(model, scale=Scale(integers=4095)),
    "the form": lambda model: changed(model, form="mnist"),
}
ENSEMBLE: dict[str, Callable[[TTA], Any]] = {
    "shift": lambda model: setattr(model, "shift", 3),
    "flip": lambda model: setattr(model, "flip", True),
    "members": lambda model: model.model.members.append(CNN(1, (4,), 3)),  # type: ignore[union-attr, operator]
    "a member's weight": lambda model: fill(next(model.model.parameters())),
}


@pytest.mark.parametrize("change", OWN.values(), ids=OWN)
def test_what_changes_an_answer_makes_another_model(change: Callable[[Own], Any]) -> None:
    model = own()
    change(model)

    assert identity_of(model) != identity_of(own())


@pytest.mark.parametrize("change", ENSEMBLE.values(), ids=ENSEMBLE)
def test_copies_and_members_are_part_of_a_model(change: Callable[[TTA], Any]) -> None:
    model = ensemble()
    change(model)

    assert identity_of(model) != identity_of(ensemble())


def test_test_time_copies_around_a_model_make_another() -> None:
    model = own()

    assert identity_of(TTA(model, shift=1)) != identity_of(model)


def test_the_classes_names_the_temperature_and_the_background_change_no_answer() -> None:
    model = own()
    attach(model, Card(replace(CARD.contract, background=1.0), ("x", "y", "z"), 2.0))

    assert identity_of(model) == identity_of(own())


SAME: dict[str, Callable[[Own], nn.Module]] = {
    "itself": lambda model: model,
    "a copy": copy.deepcopy,
    "in eval mode": lambda model: model.eval(),
    "DataParallel": DataParallel,
    "compiled": lambda model: compiled(model),
    "a compiled part": lambda model: compiled_part(model),
    "compiled in place": lambda model: compiled_in_place(model),
    "frozen": lambda model: model.requires_grad_(False),
    "after a prediction": lambda model: predicted(model),
}


def compiled(model: nn.Module) -> nn.Module:
    """Not run, so by the backend that is loaded soonest."""
    wrapped: nn.Module = torch.compile(model, backend="eager")  # type: ignore[assignment]
    return wrapped


def compiled_part(model: Own) -> Own:
    model.act = compiled(model.act)
    return model


def compiled_in_place(model: Own) -> Own:
    model.compile(backend="eager")
    return model


def predicted(model: Own) -> Own:
    honshi.predict(model, torch.zeros(1, 12, 12, dtype=torch.uint8))
    return model


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_how_a_model_is_computed_makes_no_other(change: Callable[[Own], nn.Module]) -> None:
    assert identity_of(change(own())) == identity_of(own())


def test_a_model_of_several_processes_is_the_model(tmp_path: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        assert identity_of(nn.parallel.DistributedDataParallel(own())) == identity_of(own())
    finally:
        torch.distributed.destroy_process_group()


def test_a_model_saved_and_loaded_is_the_model(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    honshi.save(ensemble(), path)
    own_path = tmp_path / "own.safetensors"
    honshi.save(own(), own_path)

    assert identity_of(honshi.load_model(path)) == identity_of(ensemble())
    filled = own()
    fill(filled.linear.weight)
    assert identity_of(honshi.load_model(own_path, into=filled)) == identity_of(own())


def test_numbers_that_are_equal_are_the_same() -> None:
    model = own()
    model.scale = 2

    assert identity_of(model) == identity_of(own())


def test_it_is_the_same_in_another_process() -> None:
    program = (
        "import torch; from honshi.models import MLP; from honshi.models.identity import identity_of\n"
        "torch.manual_seed(0); model = MLP(4, (3,), 2); model.names = {'b', 'a', 'c'}; print(identity_of(model))"
    )
    torch.manual_seed(0)
    model = MLP(4, (3,), 2)
    model.names = {"a", "b", "c"}  # type: ignore[assignment]

    there = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert there.strip() == identity_of(model)


def traced(factor: float) -> nn.Module:
    class Times(nn.Module):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs * factor

    return Times()


def packed(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    with pytest.warns():  # torch has another way for it by now
        quantized: nn.Module = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 3)), {nn.Linear})
    return quantized


def with_state(version: int) -> nn.Module:
    class WithState(nn.Module):
        def get_extra_state(self) -> dict[str, int]:
            return {"version": version}

    return WithState()


PACKED: dict[str, Callable[[int], nn.Module]] = {
    "code of a traced model": lambda factor: torch.jit.trace(traced(factor), torch.zeros(1, 4), check_trace=False),
    "code of a graph": lambda factor: torch.fx.symbolic_trace(traced(factor)),
    "packed weights": packed,
    "extra state": with_state,
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("make", PACKED.values(), ids=PACKED)
def test_what_a_model_keeps_beside_tensors_belongs_to_it(make: Callable[[int], nn.Module]) -> None:
    assert identity_of(make(2)) == identity_of(make(2))
    assert identity_of(make(2)) != identity_of(make(3))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("norm", [nn.utils.weight_norm, nn.utils.spectral_norm])
def test_a_weight_that_is_made_anew_with_each_answer_makes_no_other_model(norm: Callable[..., nn.Module]) -> None:
    model = own()
    norm(model.linear)
    with torch.no_grad():
        next(model.linear.parameters()).mul_(2)
    before = identity_of(model)

    model.eval()(torch.zeros(1, 1, 12, 12))

    assert identity_of(model) == before


def test_without_values_it_is_known_by_its_shapes() -> None:
    assert identity_of(own().to("meta")) == identity_of(own().to("meta"))
