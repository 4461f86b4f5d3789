"""Programs as students write them: each mistake is caught and named, and none is seen where there is none."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
import torch

import honshi
from honshi.checks.program import make

PROGRAMS = Path(__file__).parent / "programs"
BROKEN = sorted((PROGRAMS / "broken").glob("*.py"))
CORRECT = sorted((PROGRAMS / "correct").glob("*.py"))


def run(path: Path, images: honshi.Images) -> tuple[ModuleType, honshi.Report]:
    """Check what a program defines: its model, and where it has them its data, loss, optimizer and functions."""
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
        report = honshi.check(
            model,
            getattr(program, "data", images),
            criterion=getattr(program, "criterion", None),
            optimizer=make_optimizer(model),
            train=getattr(program, "train", None),
            evaluate=getattr(program, "evaluate", None),
        )
    return program, report


@pytest.fixture(scope="module")
def images(mnist: honshi.Splits) -> honshi.Images:
    return mnist.train.subset(range(500))


def test_there_are_enough_programs() -> None:
    assert len(BROKEN) >= 20
    assert len(CORRECT) >= 10


@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.stem)
def test_a_mistake_is_caught_and_named(path: Path, images: honshi.Images) -> None:
    program, report = run(path, images)

    said = [finding.sentence for finding in report.findings if finding.level in ("warn", "fail")]
    named = [finding.sentence for finding in report.findings if finding.check == program.CHECK]
    assert any(all(word in sentence for word in program.TOLD) for sentence in named if sentence in said), str(report)


@pytest.mark.parametrize("path", CORRECT, ids=lambda path: path.stem)
def test_a_correct_program_raises_no_alarm(path: Path, images: honshi.Images) -> None:
    _, report = run(path, images)

    assert [finding for finding in report.findings if finding.level != "pass"] == []
