"""Training by folds, and what the commands make of such a run."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.cli.conftest import Finished, run_honshi

from honshi.recipe.suggestion import WEIGHTS

pytestmark = pytest.mark.skipif(find_spec(WEIGHTS) is None, reason="the extra photos is not installed")


def stripes(folder: Path, count: int) -> Path:
    """Photographs, as far as their size goes, of stripes that lie or stand; every sixth label is wrong."""
    draws = np.random.default_rng(0)
    for number in range(count):
        standing = number % 2
        rows = (np.arange(80) // draws.integers(4, 9) % 2 * 150).astype(np.uint8)
        image = np.broadcast_to(rows if standing else rows[:, None], (80, 80))
        pixels = image[..., None] + draws.integers(0, 60, (80, 80, 3), dtype=np.uint8)
        label = ("lying", "standing")[standing if number % 6 else 1 - standing]
        path = folder / label / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("folds")
    stripes(work / "stripes", 66)
    trained = run_honshi(work, "train", "stripes", "--out", "runs/first", "--json")
    assert trained.code == 0, trained.err
    (work / "said.txt").write_text(trained.err, "utf-8")
    part = run_honshi(work, "train", "stripes", "--folds", "0", "--out", "runs/part")
    assert part.code == 0, part.err
    return work


@pytest.fixture
def there(work: Path) -> Callable[..., Finished]:
    return lambda *arguments: run_honshi(work, *arguments)


def test_few_photographs_are_scored_by_folds_and_all_are_learnt_from(work: Path) -> None:
    said = " ".join((work / "said.txt").read_text("utf-8").split())

    assert "by 5 folds, 5 times: each training image is scored by models that have not seen it" in said
    assert "Validation by 5 folds, 5 times: accuracy" in said
    split = json.loads((work / "runs/first/split.json").read_text("utf-8"))
    assert split["by_folds"] is True
    assert split["train_sha256"] == split["val_sha256"]
    folds = json.loads((work / "runs/first/folds.json").read_text("utf-8"))
    assert folds["n"] == split["train_size"]
    # Every sixth label is wrong, and nobody can know it.
    assert 0.65 < folds["accuracy"] < 0.9


def test_the_mock_exam_is_that_of_the_folds_and_one_look(there: Callable[..., Finished], work: Path) -> None:
    folds = json.loads((work / "runs/first/folds.json").read_text("utf-8"))

    validated = there("validate", "first", "--json")

    assert validated.code == 0, validated.err
    assert validated.json["accuracy"] == pytest.approx(folds["accuracy"])
    assert validated.json["n"] == folds["n"]
    # The training looked once, and this is the second look.
    assert validated.json["looks"] == 2
    assert (work / "runs/first/always-wrong.png").exists()
    assert f"{folds['accuracy']:.2%}" in there("runs").out


def test_wrong_labels_are_doubted_and_a_corrected_table_is_trained_on(
    there: Callable[..., Finished], work: Path
) -> None:
    found = there("labels", "first", "--csv", "corrected.csv", "--json")

    assert found.code == 0, found.err
    doubted = {doubt["image"] for doubt in found.json["doubts"]}
    trained_on = {doubt["image"] for doubt in found.json["doubts"]} | {
        path.relative_to(work / "stripes").as_posix() for path in (work / "stripes").rglob("*.png")
    }
    wrong = {name for name in trained_on if int(Path(name).stem) % 6 == 0}
    assert len(doubted & wrong) >= 0.6 * len(wrong)
    assert len(doubted & wrong) >= 0.6 * len(doubted)
    assert (work / "runs/first/labels.png").exists()
    rows = list(csv.DictReader((work / "corrected.csv").read_text("utf-8").splitlines()))
    assert len(rows) == 66
    assert {row["path"] for row in rows[: len(doubted)]} == {f"stripes/{name}" for name in doubted}
    for row in rows:
        row["label"] = row["suggested"] or row["label"]
    with (work / "corrected.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    # The same pictures are set aside for the exam: what they are has not changed, nor where they lie.
    trained = there("train", "corrected.csv", "--out", "runs/corrected")
    assert trained.code == 0, trained.err
    assert "10 of 66 pictures are set aside, 0 of them now" in " ".join(trained.out.split())
    better, before = (json.loads((work / "runs" / run / "folds.json").read_text()) for run in ("corrected", "first"))
    assert better["accuracy"] > before["accuracy"] + 0.05


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("first", "--csv", "runs/table.csv"), "in a folder above"),
        (("part",), "Train with folds first"),
        (("nowhere",), "nowhere"),
    ],
)
def test_labels_that_cannot_be_doubted_are_said(
    there: Callable[..., Finished], arguments: tuple[str, ...], said: str
) -> None:
    refused = there("labels", *arguments)

    assert refused.code == 2
    assert said in refused.err


def test_it_is_said_whether_more_pictures_would_help(there: Callable[..., Finished], work: Path) -> None:
    found = there("diagnose", "first", "--json")

    assert found.code == 0, found.err
    more = found.json["more_images"]
    assert [point["images"] for point in more["points"]] == sorted(point["images"] for point in more["points"])
    assert more["sentence"] in found.err
    assert (work / "runs/first/more-images.png").exists()


def test_two_such_runs_are_compared_image_by_image(there: Callable[..., Finished]) -> None:
    trained = there("train", "stripes", "--set", "loss.label_smoothing=0.3", "--out", "runs/smooth")
    assert trained.code == 0, trained.err

    compared = there("compare", "first", "smooth", "--json")

    assert compared.code == 0, compared.err
    assert compared.json["n"] == 56
    # One with a validation part is another mock exam.
    refused = there("compare", "first", "part")
    assert refused.code == 2
    assert "different images" in refused.err


def test_every_other_command_takes_such_a_run(there: Callable[..., Finished], work: Path) -> None:
    for command in (
        ("improve", "first", "--budget", "0.5"),
        ("predict", "first", "stripes/lying/002.png"),
        ("test", "first", "--yes"),
    ):
        finished = there(*command)
        assert finished.code == 0, finished.err
    improved = json.loads((work / "runs/first/improvement.json").read_text("utf-8"))
    assert improved["baseline"]["accuracy"] > 0.5


def test_it_goes_on_where_it_was_interrupted_with_the_same_folds(there: Callable[..., Finished], work: Path) -> None:
    run = work / "runs/first"
    before = (run / "folds.safetensors").read_bytes()
    weights = (run / "model.safetensors").read_bytes()
    for name in ("model.json", "model.safetensors", "folds.json"):
        (run / name).unlink()

    resumed = there("train", "--resume", "first")

    assert resumed.code == 0, resumed.err
    assert (run / "folds.safetensors").read_bytes() == before
    assert (run / "model.safetensors").read_bytes() == weights


def test_any_other_model_is_trained_once_a_fold(there: Callable[..., Finished], work: Path) -> None:
    trained = there(
        "train", "cnn", "--data", "stripes", "--size", "20", "--folds", "3", "--repeats", "2", "--epochs", "3",
        "--out", "runs/scratch", "--json",
    )  # fmt: skip

    assert trained.code == 0, trained.err
    folds = json.loads((work / "runs/scratch/folds.json").read_text("utf-8"))
    assert (folds["folds"], folds["repeats"], folds["n"]) == (3, 2, 56)
    rows = (work / "runs/scratch/history.csv").read_text().splitlines()
    assert len(rows) == 1 + folds["epoch"]


def test_a_head_is_checked_on_what_its_backbone_sees(there: Callable[..., Finished]) -> None:
    checked = there("check", "stripes", "--picture", "range.png", "--apply", "--json")

    assert checked.code == 0, checked.out + checked.err
    assert "nothing was written to the recipe" in checked.err
    # What learns is told of, and not the backbone that does not.
    assert [layer["name"] for layer in checked.json["layers"]] == ["layers.layer1"]
    assert not [one for one in checked.json["findings"] if one["check"] == "gradients" and one["level"] != "pass"]


def test_the_whole_network_is_trained_where_that_is_asked_for(there: Callable[..., Finished], work: Path) -> None:
    trained = there("train", "stripes", "--finetune", "--subset", "16", "--out", "runs/whole")

    assert trained.code == 0, trained.err
    said = " ".join((trained.out + trained.err).split())
    assert "Training the whole network: up to 6 epochs of 16 images" in said
    found = json.loads((work / "runs/whole/finetune.json").read_text("utf-8"))
    assert f"{found['after']:.2%}" in said
    assert there("predict", "whole", "stripes/lying/002.png").code == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--finetune", "--folds", "5"), "leave out --folds, or --finetune"),
        (("--folds", "1"), "at least 2"),
        (("--folds", "60"), "cannot be dealt out to 60 folds"),
        (("--repeats", "3"), "needs folds"),
    ],
)
def test_folds_that_cannot_be_are_refused(
    there: Callable[..., Finished], arguments: tuple[str, ...], said: str
) -> None:
    refused = there("train", "stripes", *arguments, "--out", "runs/never")

    assert refused.code == 2
    assert said in refused.err
