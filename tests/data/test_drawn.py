"""Nothing asks examples for more than their interface: pictures made on demand go the whole way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.data import drawn
from tests.data.drawn import Bars
from torch import nn

import honshi
import honshi.actions.improve as improvement
from honshi.actions.validate import validate
from honshi.checks import before_training, check
from honshi.data.examples import Examples
from honshi.data.images import Images
from honshi.evaluation.remedies import Remedy
from honshi.experiment import Experiment
from honshi.messages import Message
from honshi.recipe import Recipe
from honshi.runs import Run

RECIPE = Recipe.read("lecture").changed({"training.epochs": 2, "model.hidden": [8], "training.batch_size": 32})


@pytest.fixture
def splits(monkeypatch: pytest.MonkeyPatch) -> honshi.Splits[Examples]:
    """Bars, which are what every run was trained on."""
    splits = drawn.splits()
    monkeypatch.setattr("honshi.experiment.loading.load_again", lambda *_, **__: splits)
    return splits


@pytest.fixture
def run(splits: honshi.Splits[Examples], tmp_path: Path) -> Run:
    experiment = Experiment.build(RECIPE, splits)
    run = Run.create(experiment.recipe, tmp_path / "run")
    experiment.train(run)
    return run


def test_they_train_to_the_same_numbers_as_in_memory(splits: honshi.Splits[Examples], run: Run) -> None:
    held = [
        Images(
            pixels=torch.cat(list(part.blocks())),
            labels=part.labels,
            classes=part.classes,
            normalization=part.normalization,
        )
        for part in (splits.train, splits.val)
    ]
    in_memory = Experiment.build(RECIPE, honshi.Splits(held[0], held[1], splits.test, splits.manifest)).fit()

    assert [row.train_loss for row in run.history] == pytest.approx([row.train_loss for row in in_memory.history])
    assert [row.val_loss for row in run.history] == pytest.approx([row.val_loss for row in in_memory.history])


def test_they_are_validated_with_all_pictures_of_a_report(run: Run) -> None:
    assert validate(str(run.path)).to_dict()["n"] == 100
    assert (run.path / "mistakes.png").exists()


def test_they_are_sat_as_an_exam_that_finds_leaks(run: Run, splits: honshi.Splits[Examples]) -> None:
    test_set = honshi.Sealed("bars", lambda: Bars(60, 380))

    result = honshi.test(run.model(), test_set, train=splits.train, pictures=run.path)

    assert result.n == 60
    assert result.leaks is not None
    assert result.leaks["exact"] == 20
    assert (run.path / "test-leaks.png").exists()


def test_they_are_checked(splits: honshi.Splits[Examples]) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(100, 4))

    assert not [finding for finding in check(model, splits).findings if finding.level == "fail"]
    assert not [finding for finding in before_training(splits) if finding.level == "fail"]


def test_a_recipe_is_improved_on_them(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    remedy = Remedy(Message("longer"), Message(""), {"training.epochs": 4})
    monkeypatch.setattr(
        improvement, "all_remedies", lambda _, recipe, __: [remedy] if recipe.training.epochs < 4 else []
    )

    result = improvement.improve(run, 60, seeds=3)

    assert [str(trial.remedy) for trial in result.trials] == ["longer"]


def test_two_processes_share_them(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    launched = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
            *(str(root / "tests" / "data" / "drawn.py"), str(tmp_path / "rows.json")),
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert launched.returncode == 0, launched.stderr
    together = json.loads((tmp_path / "rows.json").read_text())

    data = drawn.splits()
    torch.manual_seed(0)
    model = honshi.models.MLP(inputs=100, hidden=(8,), classes=4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    alone = honshi.fit(
        model, torch.nn.CrossEntropyLoss(), optimizer, data.train, data.val, epochs=2, batch_size=32
    ).history

    assert [row["val_loss"] for row in together] == pytest.approx([row.val_loss for row in alone], rel=1e-4)
