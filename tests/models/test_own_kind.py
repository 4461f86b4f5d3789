"""A kind of model that this one file adds: from the recipe to the search, and nothing else knows of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

import honshi
from honshi.actions.improve import improve
from honshi.cli import honshi as command
from honshi.errors import ModelError, RecipeError
from honshi.evaluation.remedies import all_remedies
from honshi.recipe import Changes, ModelOptions, Recipe, kinds, register
from honshi.recipe.options import Count
from honshi.recipe.ranges import Entry, Range
from honshi.tuning import Search


class Rows(nn.Module):
    """A hidden layer over the mean of each row."""

    def __init__(self, rows: int, units: int, classes: int) -> None:
        super().__init__()
        self.architecture = {"rows": rows, "units": units, "classes": classes}
        self.hidden = nn.Linear(rows, units)
        self.norm = nn.BatchNorm1d(units)
        self.last = nn.Linear(units, classes)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.last(self.norm(self.hidden(images.mean((1, 3)))).relu())
        return logits


@register
class RowsOptions(ModelOptions):
    network = f"{__name__}:Rows"

    kind: Literal["rows"] = "rows"
    units: Count = 16

    def arguments(self, shape: tuple[int, int, int], classes: int) -> dict[str, Any]:
        return {"rows": shape[1], "units": self.units, "classes": classes}

    def needs_two_images(self, shape: tuple[int, int, int]) -> bool:
        return True

    def resized(self, factor: float) -> Changes | None:
        return {"model.units": int(self.units * factor)}

    def search_space(self) -> Mapping[str, Entry]:
        return {"model.units": Range(low=4, high=64, log=True)}


@pytest.fixture
def recipe(idx_folder: Path) -> Recipe:
    """Two epochs on a hundred tiny images."""
    tables = f"""
        name = "rows"
        data.source = "idx:{idx_folder}"
        model = {{kind = "rows", units = 8}}
        training = {{epochs = 2, batch_size = 32}}
    """
    return Recipe.from_toml(tables)


@pytest.fixture
def run(recipe: Recipe, tmp_path: Path) -> honshi.Run:
    """The recipe trained."""
    run = honshi.Run.create(recipe, tmp_path / "run")
    honshi.Experiment.build(recipe).train(run)
    return run


def test_a_recipe_holds_it_and_is_written_and_read_without_loss(recipe: Recipe) -> None:
    assert "rows" in kinds()
    assert recipe.model == RowsOptions(units=8)
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    assert Recipe().changed({"model.kind": "rows"}).model == RowsOptions()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model.unit": 3}, "unknown key 'model.unit'. Did you mean 'units'? Known there: kind, members, units."),
        ({"model.units": 0}, "model.units: input should be greater than or equal to 1 (it is 0)."),
        ({"model.kind": "row"}, "model.kind is 'row'; it can be 'mlp', "),
    ],
)
def test_what_is_wrong_with_its_options_is_said_as_of_any_other(
    recipe: Recipe, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RecipeError, match=re.escape(sentence)):
        recipe.changed(changes)


def test_its_run_is_saved_and_loaded(run: honshi.Run) -> None:
    model = run.model()

    assert type(model) is Rows
    described = json.loads((run.path / "model.json").read_text())["architecture"]
    assert described == {"kind": "rows", "rows": 5, "units": 8, "classes": 4}
    assert len(run.history) == 2


def test_an_ensemble_of_it_that_answers_about_moved_copies_is_loaded_too(recipe: Recipe, tmp_path: Path) -> None:
    run = honshi.Run.create(recipe.changed({"model.members": 2, "tta.shift": 1}), tmp_path / "run")
    experiment = honshi.Experiment.build(run.recipe)
    experiment.train(run)

    images = torch.rand(3, 1, 5, 4)
    assert torch.equal(run.model()(images), experiment.model.eval().cpu()(images))


def test_a_mini_batch_that_it_cannot_be_trained_on_is_noticed_before(recipe: Recipe) -> None:
    with pytest.raises(RecipeError, match="a mini-batch has a single image"):
        honshi.Experiment.build(recipe.changed({"training.batch_size": 107}))


def test_the_checks_look_at_it(recipe: Recipe) -> None:
    experiment = honshi.Experiment.build(recipe)

    report = honshi.check(experiment.model, experiment.splits, optimizer=experiment.optimizer)

    assert [layer.name for layer in report.layers] == ["hidden", "norm", "last"]


def test_the_remedies_are_those_that_it_can_take(recipe: Recipe) -> None:
    remedies = {str(remedy.name): dict(remedy.changes) for remedy in all_remedies("underfitting", recipe, 108)}

    assert remedies["larger model"] == {"model.units": 16}
    assert "dropout" not in remedies
    assert "batch norm" not in remedies
    for changes in remedies.values():
        recipe.changed(changes)


def test_it_is_improved(run: honshi.Run) -> None:
    found = improve(run, 20, seeds=3)

    assert sum(trial.seeds for trial in found.trials) > 3
    # The stem of the convolutional network is too large for images of 5 x 4.
    assert {str(trial.remedy) for trial in found.trials if trial.problem} <= {"convolutional network"}


def test_it_is_searched_over(recipe: Recipe, tmp_path: Path) -> None:
    search = Search.begin(recipe, tmp_path / "search")

    content = search.run(trials=3, workers=1, seeds=2)

    assert type(honshi.Run(Path(content["tuned"]["runs"][0])).recipe.model) is RowsOptions
    assert "model.units" in (tmp_path / "search" / "trials.csv").read_text().splitlines()[0]


def test_the_command_line_trains_it_and_predicts_with_it(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.toml").write_text(recipe.changed({"model.members": 2}).to_toml())

    for arguments in (["train", "rows.toml", "--out", "run"], ["validate", "run"], ["runs"]):
        command.main(arguments, standalone_mode=False)

    assert "2 × rows, " in capsys.readouterr().out
    with pytest.raises(RecipeError, match=r"--dropout: a model of the kind 'rows' has no model\.dropout"):
        command.main(["train", "rows.toml", "--dropout", "0.1"], standalone_mode=False)


def test_a_second_kind_of_that_name_is_refused() -> None:
    class Other(RowsOptions):
        pass

    with pytest.raises(ValueError, match="'rows' is RowsOptions already"):
        register(Other)


def test_a_network_whose_layer_was_replaced_is_not_saved_as_its_kind(run: honshi.Run, tmp_path: Path) -> None:
    model = run.model()
    assert isinstance(model, Rows)
    model.last = nn.Linear(8, 7)

    honshi.save(model, tmp_path / "other.safetensors")

    with pytest.raises(ModelError, match=r"holds a .*Rows: build one and give it as load_model\(path, into=model\)"):
        honshi.load_model(tmp_path / "other.safetensors")
    again = Rows(5, 8, 4)
    again.last = nn.Linear(8, 7)
    honshi.load_model(tmp_path / "other.safetensors", into=again)
    assert torch.equal(again.last.weight, model.last.weight)
