from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from honshi.errors import RunError
from honshi.experiment import Experiment, open_finished
from honshi.prediction import temperature_of
from honshi.recipe import Recipe
from honshi.runs import Run, looks

QUICK = Recipe.read("lecture").changed({"data.subset": 500, "training.epochs": 2})


def test_a_recipe_becomes_plain_torch_objects() -> None:
    experiment = Experiment.build(QUICK)

    assert isinstance(experiment.model, torch.nn.Module)
    assert isinstance(experiment.optimizer, torch.optim.SGD)
    assert experiment.steps_per_epoch == 8


def test_the_first_weights_depend_on_the_seed_alone() -> None:
    torch.manual_seed(1)
    first = Experiment.build(QUICK).model.state_dict()
    torch.manual_seed(2)
    second = Experiment.build(QUICK).model.state_dict()

    assert all(torch.equal(first[name], second[name]) for name in first)


def test_every_epoch_is_a_look(tmp_path: Path) -> None:
    experiment = Experiment.build(QUICK)
    experiment.train(Run.create(QUICK, tmp_path / "run"))

    assert looks.count(experiment.splits.manifest.val_sha256) == 2


def test_the_saved_model_is_calibrated_and_the_one_that_was_trained(tmp_path: Path) -> None:
    experiment = Experiment.build(QUICK)
    run = Run.create(QUICK, tmp_path / "run")
    experiment.train(run)

    loaded = run.model()
    image = torch.zeros(1, 1, 28, 28)
    assert torch.equal(loaded(image), experiment.model.eval()(image))
    assert temperature_of(loaded) != 1.0


def test_a_run_does_not_go_on_with_other_data(tmp_path: Path) -> None:
    experiment = Experiment.build(QUICK)
    run = Run.create(QUICK, tmp_path / "run")
    run.write_start(dataclasses.replace(experiment.splits.manifest, val_sha256="other"), {})

    with pytest.raises(RunError, match="the data are not those"):
        experiment.train(run)


def test_a_run_whose_data_have_changed_is_not_validated_on_them(tmp_path: Path) -> None:
    experiment = Experiment.build(QUICK)
    run = Run.create(QUICK, tmp_path / "run")
    experiment.train(run)
    path = run.path / "split.json"
    path.write_text(path.read_text().replace(experiment.splits.manifest.val_sha256, "other"))

    with pytest.raises(RunError, match="the data are not those"):
        open_finished(str(run.path))
