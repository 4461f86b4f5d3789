"""Programs as students write them: each mistake is caught and named, and none is seen where there is none."""

from __future__ import annotations

import importlib.util
import random
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import nn

import honshi
from honshi.checks.program import make

PROGRAMS = Path(__file__).parent / "programs"
BROKEN = sorted((PROGRAMS / "broken").glob("*.py"))
CORRECT = sorted((PROGRAMS / "correct").glob("*.py"))


class Checked(NamedTuple):
    """A program, what was found in it, and what its model and optimizer were before and after."""

    program: ModuleType
    report: honshi.Report
    before: dict[str, object]
    after: dict[str, object]


@cache
def checked(path: Path) -> Checked:
    """Check what a program defines: its model, and where it has them its data, loss, optimizer and functions."""
    images = honshi.load("mnist").train.subset(range(500))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        spec.loader.exec_module(program)
        model = program.make_model() if hasattr(program, "make_model") else make(program.Net, path.name)
        # As in the recipes: SGD with the learning rate at which it reaches the lecture's results.
        make_optimizer = getattr(program, "make_optimizer", lambda model: torch.optim.SGD(model.parameters(), lr=0.1))
        optimizer = make_optimizer(model)
        before = snapshot(model, optimizer)
        report = honshi.check(
            model,
            getattr(program, "data", images),
            criterion=getattr(program, "criterion", None),
            optimizer=optimizer,
            train=getattr(program, "train", None),
            evaluate=getattr(program, "evaluate", None),
        )
        return Checked(program, report, before, snapshot(model, optimizer))


def snapshot(model: object, optimizer: object) -> dict[str, object]:
    """Everything of a model and its optimizer that a look at them could change."""
    kept: dict[str, object] = {"torch": torch.get_rng_state().tolist(), "random": random.getstate()}
    kept["numpy"] = np.random.get_state(legacy=False)["state"]["key"].tolist()
    if isinstance(model, nn.Module):
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            lazy = nn.parameter.is_lazy(tensor)
            kept[name] = (id(tensor), tensor.requires_grad, lazy or tensor.tolist())
            kept[f"{name}.grad"] = (
                id(tensor.grad),
                tensor.grad if lazy or tensor.grad is None else tensor.grad.tolist(),
            )
        for name, module in model.named_modules():
            # Mode, hooks and attributes of one's own among them.
            kept[f"{name}()"] = {
                key: sorted(map(str, value)) if isinstance(value, dict) else (id(value), type(value))
                for key, value in vars(module).items()
            }
    if isinstance(optimizer, torch.optim.Optimizer):
        kept["optimizer"] = repr(optimizer.state_dict())
    return kept


def test_there_are_enough_programs() -> None:
    assert len(BROKEN) >= 20
    assert len(CORRECT) >= 10


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_mistake_is_caught_and_named(path: Path) -> None:
    found = checked(path)

    said = [finding.sentence for finding in found.report.findings if finding.level in ("warn", "fail")]
    named = [finding.sentence for finding in found.report.findings if finding.check == found.program.CHECK]
    told = found.program.TOLD
    assert any(all(word in sentence for word in told) for sentence in named if sentence in said), str(found.report)


@pytest.mark.parametrize("path", CORRECT, ids=lambda path: path.stem)
def test_a_correct_program_raises_no_alarm(path: Path) -> None:
    assert [finding for finding in checked(path).report.findings if finding.level != "pass"] == []


@pytest.mark.parametrize("path", BROKEN + CORRECT, ids=lambda path: path.stem)
def test_everything_is_afterwards_what_it_was(path: Path) -> None:
    found = checked(path)

    changed = {name for name in found.before | found.after if found.before.get(name) != found.after.get(name)}
    assert changed == set()
