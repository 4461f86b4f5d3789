"""From a folder of someone's own to an honest score, by the commands."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Finished, run_honshi
from tests.data.folders import CLASSES, class_folders, draw


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures, and a run that was trained on it by the path alone."""
    work = tmp_path_factory.mktemp("own")
    class_folders(work / "絵", range(90))
    trained = run_honshi(work, "train", "絵", "--epochs", "2", "--out", "runs/first")
    assert trained.code == 0, trained.err
    (work / "trained.txt").write_text(trained.out, "utf-8")
    return work


@pytest.fixture
def there(work: Path) -> Callable[..., Finished]:
    return lambda *arguments: run_honshi(work, *arguments)


def test_the_plan_says_what_it_was_taken_for_and_how_it_is_divided(work: Path) -> None:
    said = " ".join((work / "trained.txt").read_text("utf-8").split())
    for part in (
        "recipe cnn",
        "a folder of class folders: 90 pictures in 2 classes",
        "chosen from the pictures; --size N for another",
        "13 of 90 pictures are set aside, 13 of them now",
        "The exam has 13 images: 80 % right would mean",
    ):
        assert part in said


def test_the_model_keeps_how_pictures_become_its_input(work: Path) -> None:
    sidecar = json.loads((work / "runs/first/model.json").read_text("utf-8"))
    assert sidecar["classes"] == list(CLASSES)
    assert sidecar["input_shape"][0] == 3
    assert sidecar["fit"] == "pad"


def test_the_mock_exam_the_exam_and_a_second_opening(there: Callable[..., Finished], work: Path) -> None:
    validated = there("validate", "first", "--json")
    assert validated.code == 0, validated.err
    assert validated.json["n"] == 8
    tested = there("test", "first", "--yes", "--json")
    assert tested.code == 0, tested.err
    assert (tested.json["n"], tested.json["opening"]) == (13, 1)
    # What was recorded is given again.
    assert there("test", "first", "--yes", "--json").json["recorded"] == tested.json["recorded"]
    # At another size they are the same pictures.
    trained = there("train", "絵", "--size", "20", "--epochs", "1", "--out", "runs/second")
    assert trained.code == 0, trained.err
    refused = there("test", "second", "--yes")
    assert refused.code == 2
    assert "this is the same exam" in refused.err
    assert there("test", "second", "--yes", "--again", "--reason", "larger", "--json").json["opening"] == 2


def test_a_run_finds_its_pictures_in_another_place_and_says_what_has_changed(
    there: Callable[..., Finished], work: Path
) -> None:
    moved = work / "moved"
    shutil.copytree(work / "絵", moved)
    class_folders(moved, range(200, 203))
    (moved / CLASSES[0]).joinpath(f"{CLASSES[0]}002.png").rename(moved / CLASSES[0] / "名前.png")

    validated = there("validate", "first", "--data", "moved")

    assert validated.code == 0, validated.err
    changed = "pictures added 3, removed 0, given another label 0"
    assert changed in validated.out
    assert json.loads((work / "runs/first/split.json").read_text("utf-8"))["since"]["added"] == 3
    listed = there("runs")
    assert changed in listed.out
    assert "*絵" in listed.out
    # Where nothing has changed, nothing is said any more.
    assert changed not in there("validate", "first").out
    assert changed not in there("runs").out
    for command in (("diagnose", "first"), ("compare", "first", "first")):
        other = there(*command, "--data", "moved")
        assert other.code == 0, other.err
        assert changed in other.out


def test_a_table_with_groups(there: Callable[..., Finished], work: Path) -> None:
    lines = ["file,class,patient"]
    for number in range(60):
        draw(work / "pictures" / f"{number}.png", number, CLASSES[number % 2])
        lines.append(f"pictures/{number}.png,{number % 2:03},p{number // 6}")
    (work / "table.csv").write_text("\n".join(lines), "utf-8")
    columns = "path=file,label=class,group=patient"
    trained = there("train", "table.csv", "--columns", columns, "--epochs", "1", "--out", "runs/table")
    assert trained.code == 0, trained.err
    assert "10 groups; none is torn apart by a split" in trained.out
    assert there("validate", "table").code == 0
    assert json.loads((work / "runs/table/model.json").read_text("utf-8"))["classes"] == ["000", "001"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "絵", "--group", "("), "no regular expression"),
        (("--data", "絵", "--test", "1.5"), "data.test"),
        (("--data", "絵", "--size", "0"), "data.size"),
        (("--data", "絵", "--fit", "squash"), "data.fit"),
        (("絵", "--data", "絵"), "give one of them"),
        (("--columns", "path"), "is not path=COLUMN"),
        (("--size", "20"), "mnist comes with its parts and its shape"),
        (("--data", "nowhere"), "nowhere"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    there: Callable[..., Finished], arguments: tuple[str, ...], said: str
) -> None:
    refused = there("train", *arguments, "--epochs", "1", "--out", "runs/never")
    assert refused.code == 2, refused.out + refused.err
    assert said in refused.err
    assert "Traceback" not in refused.err


def test_check_says_it_too(there: Callable[..., Finished]) -> None:
    checked = there("check", "絵", "--picture", "range.png")
    assert "The exam has 13 images: 80 % right would mean" in checked.out
    assert "a folder of class folders" in checked.out
