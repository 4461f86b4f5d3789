"""Runs, looks and a ledger that an earlier version wrote mean today what they meant then.

What they are and how they were made is told in ``recorded/README.md``. Each test works on a copy.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import pytest
import torch

import honshi
from honshi import exam
from honshi.data.sources import open_published
from honshi.errors import AlreadyOpenedError, DataNotFoundError, RunError
from honshi.exam import Ledger
from honshi.experiment import Experiment, diagnose_run, splits_of
from honshi.prediction import predict_pixels
from honshi.runs import Run, all_runs, find, looks

RECORDED = Path(__file__).parent / "recorded"
ANSWERS: dict[str, Any] = json.loads((RECORDED / "answers.json").read_text("utf-8"))
ON_MNIST = ("lecture", "cnn")


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where someone worked with the earlier version, now the working directory.

    The tiny data set lies elsewhere than it did then.
    """
    folder = tmp_path / "lecture-of-last-year"
    shutil.copytree(RECORDED / "runs", folder / "runs")
    shutil.copytree(RECORDED / "tiny", folder / "moved" / "tiny")
    shutil.copytree(RECORDED / "home", folder / "home")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HONSHI_HOME", str(folder / "home"))
    return folder


def splits_of_recorded(run: Run) -> honshi.Splits:
    """The data of a recorded run, wherever they are now."""
    # Recorded runs are of images that lie in memory.
    return cast("honshi.Splits", splits_of(run, None if run.recipe.data.source == "mnist" else "idx:moved/tiny"))


def test_the_runs_are_found_in_the_order_in_which_they_began() -> None:
    names = ["lecture", "cnn", "relative", "together", "no-leaks", "diverged", "killed", "seeds/seed-0", "seeds/seed-1"]
    assert [run.name for run in all_runs()] == names


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("lecture", "runs/lecture"),
        ("lect", "runs/lecture"),
        ("runs/lecture", "runs/lecture"),
        ("seeds/seed-1", "runs/seeds/seed-1"),
        ("latest", "runs/seeds/seed-1"),
        # Of those that share the latest one's validation images.
        ("best", "runs/together"),
    ],
)
def test_each_way_to_name_a_run_finds_it(name: str, folder: str) -> None:
    assert find(name).path == Path(folder)


def test_the_finished_ones_are_told_from_the_others() -> None:
    assert [run.name for run in all_runs() if not run.finished] == ["diverged", "killed"]
    assert [run.name for run in all_runs() if run.divergence is not None] == ["diverged"]
    assert [run.name for run in all_runs() if run.state.exists()] == ["killed"]


def test_of_an_unfinished_one_there_is_no_model() -> None:
    with pytest.raises(RunError, match="not finished"):
        find("killed").model()


def test_history_and_environment_are_read() -> None:
    run = find("relative")

    assert [row.epoch for row in run.history] == [1, 2, 3]
    assert run.kept.val_accuracy == ANSWERS["relative"]["val_accuracy"]
    assert run.environment["versions"]["honshi"] == "0.1.0"


@pytest.mark.parametrize("name", list(ANSWERS))
def test_a_model_answers_as_it_did(name: str) -> None:
    run, answers = find(name), ANSWERS[name]
    model, val = run.model(), splits_of_recorded(run).val

    score = honshi.evaluate(model, val)
    predictions = predict_pixels(model, val.pixels[:3])

    assert score.loss == pytest.approx(answers["val_loss"], rel=1e-4)
    assert score.accuracy == pytest.approx(answers["val_accuracy"], abs=0.005)
    assert torch.allclose(predictions.probabilities.float(), torch.tensor(answers["first_images"]), atol=1e-4)


@pytest.mark.parametrize("name", [*ANSWERS, "diverged", "killed"])
def test_the_data_are_divided_as_they_were(name: str) -> None:
    run = find(name)

    splits = splits_of_recorded(run)

    published = open_published("mnist" if run.recipe.data.source == "mnist" else "idx:moved/tiny").train
    assert run.manifest.val_indices is not None
    assert torch.equal(splits.val.pixels, published.subset(run.manifest.val_indices).pixels)
    assert splits.train.sha256() == run.manifest.train_sha256


def test_data_that_are_not_where_they_were_are_asked_for() -> None:
    split = find("relative").path / "split.json"
    split.write_text(split.read_text("utf-8").replace("/tmp/honshi-recorded", "/nowhere"), "utf-8")
    with pytest.raises(DataNotFoundError, match="--data NEWPLACE"):
        splits_of(find("relative"))


def test_other_data_are_not_taken_for_those_of_then() -> None:
    with pytest.raises(RunError, match="not those that this run was trained"):
        splits_of(find("relative"), "mnist")


def test_the_images_that_leak_are_left_out_as_they_were() -> None:
    assert find("relative").manifest.train_size == 160
    assert len(splits_of_recorded(find("no-leaks")).train) == 158


@pytest.mark.parametrize(("name", "count"), [("lecture", 5), ("relative", 15), ("no-leaks", 15)])
def test_the_looks_at_a_validation_set_are_still_counted(name: str, count: int) -> None:
    run = find(name)

    assert looks.count(run.manifest.val_sha256) == count
    # A look of today is counted with those of then, also where the data were moved.
    now = splits_of_recorded(run).manifest.val_sha256
    looks.note(now, "validate", run.name)
    assert looks.count(now) == looks.count(run.manifest.val_sha256) == count + 1


def test_an_interrupted_training_goes_on_to_where_it_would_have_come() -> None:
    run = find("killed")
    first = run.history
    whole = Experiment.build(run.recipe).fit().history

    Experiment.build(run.recipe).train(run)

    assert run.finished
    assert run.history[:1] == first
    assert [row.epoch for row in run.history] == [1, 2, 3]
    assert run.history[-1].train_loss == pytest.approx(whole[-1].train_loss, rel=1e-3)
    assert run.history[-1].val_loss == pytest.approx(whole[-1].val_loss, rel=0.01)


def test_a_diverged_training_is_diagnosed() -> None:
    assert diagnose_run(find("diverged")).verdict == "diverged"


def test_a_finished_training_is_diagnosed() -> None:
    diagnosis = diagnose_run(find("lecture"))

    assert diagnosis.verdict == "plateaued"
    assert diagnosis.evidence is not None
    assert diagnosis.evidence.val_accuracy == ANSWERS["lecture"]["val_accuracy"]


def test_the_ledger_holds() -> None:
    entries = Ledger.of_user().entries()

    assert [(entry["test_set"].rpartition("/")[2], entry["opening"], entry["event"]) for entry in entries] == [
        ("tiny", 1, "reserved"),
        ("tiny", 1, "completed"),
        ("tiny", 2, "reserved"),
        ("tiny", 2, "completed"),
        ("mnist", 1, "reserved"),
        ("mnist", 1, "completed"),
        ("mnist", 2, "reserved"),
    ]


@pytest.mark.parametrize(("name", "opening", "openings"), [("relative", 1, 2), ("together", 2, 2), ("lecture", 1, 2)])
def test_weights_that_sat_the_exam_get_their_recorded_result_again(name: str, opening: int, openings: int) -> None:
    run = find(name)
    model, sealed = run.model(), splits_of_recorded(run).test
    before = Ledger.of_user().entries()

    result = exam.test(model, sealed)

    completed = next(entry for entry in before if entry["event"] == "completed" and run.name in entry["record"]["run"])
    assert exam.recorded(model, sealed) == result
    assert (result.accuracy, result.loss) == (completed["score"]["accuracy"], completed["score"]["loss"])
    assert (result.opening, result.openings) == (opening, openings)
    assert result.recorded == completed["time"]
    assert Ledger.of_user().entries() == before


@pytest.mark.parametrize("name", ["no-leaks", "seeds/seed-0"])
def test_another_model_is_refused_by_what_stands_in_the_ledger(name: str) -> None:
    run = find(name)
    with pytest.raises(AlreadyOpenedError, match="for /tmp/honshi-recorded/runs/together"):
        exam.test(run.model(), splits_of_recorded(run).test)


def test_an_opening_that_was_broken_off_is_completed_as_the_one_that_it_was() -> None:
    run = find("cnn")
    model, sealed = run.model(), splits_of(run).test
    assert exam.recorded(model, sealed) is None

    result = exam.test(model, sealed)

    assert (result.opening, result.first) == (2, False)
    assert result.reason == "the first one was trained on too few images"
    entries = Ledger.of_user().entries()
    assert [entry["event"] for entry in entries[6:]] == ["reserved", "completed"]
    # What was known before the score stands beside it, as it was written then.
    own = {"entry", "previous", "time", "event", "hash"}
    assert {key: entries[7][key] for key in set(entries[6]) - own} == {
        key: value for key, value in entries[6].items() if key not in own
    }
    assert exam.recorded(model, sealed) == result
