from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.drawn import pixels

from honshi.errors import RunError, RunNotFoundError
from honshi.experiment.seeds import Seeds, Spread
from honshi.recipe import Recipe
from honshi.reports.curves import draw_band
from honshi.runs import Run


@pytest.fixture
def recipe(idx_folder: Path) -> Recipe:
    """Two epochs on a hundred tiny images, first from seed 3."""
    changes = {"data.source": f"idx:{idx_folder}", "training.epochs": 2, "training.seed": 3, "model.dropout": 0.1}
    return Recipe.read("lecture").changed(changes)


def contents(folder: Path) -> dict[str, bytes]:
    """What does not hold a time, of each run."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("seed-*/*")
        if path.name in ("model.safetensors", "recipe.toml", "split.json")
    }


def losses(content: dict[str, Any]) -> list[list[float]]:
    return [[row["val_loss"] for row in summary["epochs"]] for summary in content["seeds"]]


def test_the_spread_is_that_of_a_sample() -> None:
    spread = Spread.of([1.0, 2.0, 6.0])

    assert (spread.mean, spread.lowest, spread.highest) == (3.0, 1.0, 6.0)
    assert spread.deviation == pytest.approx(statistics.stdev([1, 2, 6]))


def test_every_seed_is_a_run_on_the_same_validation_set(recipe: Recipe, tmp_path: Path) -> None:
    content = Seeds.begin(recipe, 2, tmp_path / "many").train()

    runs = [Run(tmp_path / "many" / name) for name in ("seed-3", "seed-4")]
    assert runs[0].manifest == runs[1].manifest
    assert [run.name for run in runs] == ["many/seed-3", "many/seed-4"]
    assert runs[0].history[0].train_loss != runs[1].history[0].train_loss
    assert json.loads((tmp_path / "many" / "seeds.json").read_text()) == content
    draw_band([run.history for run in runs], tmp_path / "again.png")
    assert np.array_equal(pixels(tmp_path / "many" / "curves.png"), pixels(tmp_path / "again.png"))


def test_what_is_trained_is_written_down_before_the_first_seed(recipe: Recipe, tmp_path: Path) -> None:
    Seeds.begin(recipe, 3, tmp_path / "many")

    content = json.loads((tmp_path / "many" / "seeds.json").read_text())
    assert (content["count"], content["seeds"]) == (3, [])
    assert Recipe.from_dict(content["recipe"]) == recipe


@pytest.mark.parametrize("done", [0, 1, 2])
def test_interrupted_seeds_go_on_to_the_same_bytes(recipe: Recipe, tmp_path: Path, done: int) -> None:
    whole = Seeds.begin(recipe, 3, tmp_path / "whole").train()
    told: list[Path] = []

    def interrupt(run: Run, summary: dict[str, Any]) -> None:
        told.append(run.path)
        if len(told) == done + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Seeds.begin(recipe, 3, tmp_path / "many").train(interrupt)
    kept = (tmp_path / "many" / "seed-3" / "history.csv").read_bytes()
    assert len(json.loads((tmp_path / "many" / "seeds.json").read_text())["seeds"]) == done + 1

    seeds = Seeds.interrupted(str(tmp_path / "many"))
    assert seeds is not None
    content = seeds.train()

    assert contents(tmp_path / "many") == contents(tmp_path / "whole")
    assert losses(content) == losses(whole)
    assert (content["val_loss"], content["val_accuracy"]) == (whole["val_loss"], whole["val_accuracy"])
    assert (tmp_path / "many" / "seed-3" / "history.csv").read_bytes() == kept


def test_the_seed_that_was_being_trained_goes_on_too(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Seeds.begin(recipe, 2, tmp_path / "whole").train()
    write_history, written = Run.write_history, []

    def interrupted(run: Run, rows: Any) -> None:
        write_history(run, rows)
        written.append(run.path.name)
        if written.count("seed-4") == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Run, "write_history", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Seeds.begin(recipe, 2, tmp_path / "many").train()

    # By the name of one of its runs, as `latest` is.
    seeds = Seeds.interrupted(str(tmp_path / "many" / "seed-4"))
    assert seeds is not None
    assert seeds.folder == tmp_path / "many"
    seeds.train()

    assert contents(tmp_path / "many") == contents(tmp_path / "whole")


def test_a_seed_whose_end_was_not_written_down_any_more_is_kept(recipe: Recipe, tmp_path: Path) -> None:
    whole = Seeds.begin(recipe, 2, tmp_path / "many").train()
    (tmp_path / "many" / "seeds.json").write_text(json.dumps({**whole, "seeds": [], "val_accuracy": None}))
    content = json.loads((tmp_path / "many" / "seeds.json").read_text())
    del content["val_accuracy"]
    (tmp_path / "many" / "seeds.json").write_text(json.dumps(content))

    seeds = Seeds.interrupted(str(tmp_path / "many"))
    assert seeds is not None
    again = seeds.train()

    assert again["val_accuracy"] == whole["val_accuracy"]
    assert set(again["seeds"][0]) == set(whole["seeds"][0])
    assert [one["parameters"] for one in again["seeds"]] == [one["parameters"] for one in whole["seeds"]]


def test_trained_seeds_do_not_go_on(recipe: Recipe, tmp_path: Path) -> None:
    Seeds.begin(recipe, 2, tmp_path / "many").train()

    with pytest.raises(RunError, match="all seeds of this folder are trained"):
        Seeds.interrupted(str(tmp_path / "many"))


def test_a_run_for_itself_belongs_to_no_seeds(recipe: Recipe, tmp_path: Path) -> None:
    Run.create(recipe, tmp_path / "run")

    assert Seeds.interrupted(str(tmp_path / "run")) is None
    with pytest.raises(RunNotFoundError):
        Seeds.interrupted("elsewhere")


@pytest.mark.parametrize(
    "content", ["", "[]", '{"run": "many", "seeds": []}', '{"count": 1, "recipe": {}, "seeds": []}', "\x00"]
)
def test_seeds_that_do_not_say_what_was_to_be_trained_are_refused(recipe: Recipe, tmp_path: Path, content: str) -> None:
    Seeds.begin(recipe, 2, tmp_path / "many")
    run = Run.create(recipe, tmp_path / "many" / "seed-3")
    (tmp_path / "many" / "seeds.json").write_text(content)

    with pytest.raises(RunError, match=r"seeds\.json: it does not say .*honshi train --resume .*many/seed-…"):
        Seeds.interrupted(str(tmp_path / "many"))
    assert Seeds.interrupted(str(run.path)) is None


def test_on_other_data_they_do_not_go_on(recipe: Recipe, tmp_path: Path) -> None:
    def interrupt(run: Run, summary: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Seeds.begin(recipe, 2, tmp_path / "many").train(interrupt)
    other = Seeds(tmp_path / "many", recipe.changed({"data.seed": 7}), 2)

    with pytest.raises(RunError, match="not those that this seed was trained on"):
        other.train()
