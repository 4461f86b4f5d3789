from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

import honshi
from honshi.errors import NonFiniteLossError, RecipeError, RunError
from honshi.evaluation.diagnosis import Divergence
from honshi.experiment import Experiment, open_finished
from honshi.models.card import needed_card
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


REMEDIES = {
    "augment.shift": 0.1,
    "augment.rotate": 10.0,
    "augment.mixup": 0.2,
    "model.dropout": 0.1,
    "model.batch_norm": True,
    "model.members": 2,
    "tta.shift": 1,
    "training.precision": "bfloat16",
}


@pytest.mark.parametrize("average", [{"training.ema": 0.9}, {"training.swa": 0.5}], ids=["ema", "swa"])
def test_the_remedies_of_a_recipe_are_trained_saved_and_loaded(tmp_path: Path, average: dict[str, float]) -> None:
    experiment = Experiment.build(QUICK.changed({**REMEDIES, **average}))
    run = Run.create(experiment.recipe, tmp_path / "run")

    result = experiment.train(run)

    loaded, val = run.model(), experiment.splits.val
    assert result.best.val_accuracy > 0.3
    # The score was computed in bfloat16, and this one is in float32.
    assert honshi.evaluate(loaded, val).loss == pytest.approx(result.best.val_loss, rel=0.01)
    assert torch.equal(loaded(torch.zeros(2, 1, 28, 28)), experiment.model.eval()(torch.zeros(2, 1, 28, 28)))
    assert all(tensor.dtype != torch.bfloat16 for tensor in loaded.state_dict().values())


def test_the_same_recipe_gives_the_same_weights(tmp_path: Path) -> None:
    runs = []
    for name in ("one", "other"):
        experiment = Experiment.build(QUICK.changed({**REMEDIES, "training.ema": 0.9}))
        runs.append(Run.create(experiment.recipe, tmp_path / name))
        experiment.train(runs[-1])

    first, second = (run.model().state_dict() for run in runs)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("batch_size", [1, 33, 499])
def test_a_mini_batch_of_one_image_and_batch_norm_are_refused_before_the_training(batch_size: int) -> None:
    changes = {"model.batch_norm": True, "data.subset": 100, "training.batch_size": batch_size}
    if batch_size == 499:
        changes["data.subset"] = 500

    with pytest.raises(RecipeError, match=r"training\.batch_size .* a mini-batch has a single image"):
        Experiment.build(QUICK.changed(changes))


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
    assert needed_card(loaded).temperature != 1.0


def test_a_run_that_diverged_says_where(tmp_path: Path) -> None:
    recipe = QUICK.changed({"optimizer.lr": 1e20})
    run = Run.create(recipe, tmp_path / "run")

    with pytest.raises(NonFiniteLossError) as raised:
        Experiment.build(recipe).train(run)

    assert run.divergence == Divergence(raised.value.epoch, raised.value.step, str(raised.value))


def test_a_damaged_record_of_a_divergence_is_named(tmp_path: Path) -> None:
    run = Run.create(QUICK, tmp_path / "run")
    (run.path / "diverged.json").write_text('{"epoch": 1}')

    with pytest.raises(RunError, match=r"diverged\.json: this is not the record of a divergence"):
        _ = run.divergence


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
