from __future__ import annotations

import errno
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch
from torch import nn

import honshi
from honshi.data.manifest import Manifest
from honshi.errors import HonshiError, RequestError, RunError, WriteError
from honshi.models import MLP
from honshi.models.card import Card, attach, card_of
from honshi.pictures import InputContract, Normalization
from honshi.recipe import Recipe
from honshi.runs import Run

MANIFEST = Manifest(
    source="mnist",
    seed=0,
    val_fraction=0.1,
    train_size=4,
    val_size=2,
    train_sha256="aa",
    val_sha256="bb",
    val_indices=[1, 3],
)
ENVIRONMENT = {"started": "2030-01-02T03:04:05+00:00"}

# Numbers that decimal notation does not hold exactly.
ROWS = [
    honshi.Row(1, 0.1 + 0.2, 1 / 3, 2 / 3, 0.9, lr=0.1, seconds=1e-7),
    honshi.Row(2, 1e-30, 0.5, 0.25, 0.95, lr=0.1 / 3, seconds=12345.678),
    honshi.Row(3, 0.01, 1.0, 0.5, 0.93, lr=1e-5, seconds=0.1),
]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that has trained and is not finished."""
    run = Run.create(Recipe(name="mine"), tmp_path / "run")
    run.write_start(MANIFEST, ENVIRONMENT)
    run.write_history(ROWS)
    run.state.write_bytes(b"state")
    return run


# A new folder


def test_a_folder_in_which_no_run_could_begin_is_free_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes, *, parents: bool) -> None:
        raise WriteError("{path}: no room.", OSError(errno.ENOSPC, "full"), path=path)

    with monkeypatch.context() as patched:
        patched.setattr("honshi.runs.folder.write_whole", full)
        with pytest.raises(WriteError):
            Run.create(Recipe(), tmp_path / "run")

    assert Run.create(Recipe(), tmp_path / "run").recipe == Recipe()


def test_a_new_run_is_named_after_the_time_and_its_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    run = Run.create(Recipe(name="mine"))

    assert run.path.parent == Path("runs")
    stamp = re.fullmatch(r"(\d{8}-\d{6})-mine", run.name)
    assert stamp is not None
    assert abs(datetime.strptime(stamp[1], "%Y%m%d-%H%M%S") - datetime.now()) < timedelta(minutes=1)


def test_a_name_that_is_taken_within_the_same_second_gets_a_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    now = datetime.now()
    for seconds in range(30):
        Path(f"runs/{now + timedelta(seconds=seconds):%Y%m%d-%H%M%S}-mine").mkdir(parents=True)

    names = [Run.create(Recipe(name="mine")).name for _ in range(2)]

    assert all(re.fullmatch(r"\d{8}-\d{6}-mine-[23]", name) for name in names)
    assert names[0] != names[1]


def test_runs_that_begin_at_once_do_not_share_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _: Run.create(Recipe(name="mine")), range(16)))

    assert len({run.path for run in runs}) == 16


def test_a_chosen_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    run = Run.create(Recipe(), tmp_path / "a" / "b")

    assert run.path == tmp_path / "a" / "b"
    assert run.name == "b"
    assert (run.path / "recipe.toml").is_file()


def test_an_empty_folder_may_be_chosen(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()

    assert Run.create(Recipe(name="mine"), tmp_path / "run").recipe.name == "mine"


def test_a_folder_with_something_in_it_is_left_alone(run: Run) -> None:
    before = (run.path / "recipe.toml").read_bytes()

    with pytest.raises(RequestError, match=f"--resume {re.escape(str(run.path))}"):
        Run.create(Recipe(name="other"), run.path)

    assert (run.path / "recipe.toml").read_bytes() == before


def test_a_file_is_no_folder_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(RequestError, match="folder cannot be made"):
        Run.create(Recipe(), tmp_path / "file")


# What is written comes back


def test_the_recipe_comes_back(run: Run) -> None:
    assert Run(run.path).recipe == Recipe(name="mine")


def test_the_manifest_and_the_environment_come_back(run: Run) -> None:
    assert Run(run.path).manifest == MANIFEST
    assert Run(run.path).environment == ENVIRONMENT


def test_the_history_comes_back_to_the_last_bit(run: Run) -> None:
    assert Run(run.path).history == ROWS


def test_the_history_is_a_table_that_other_programs_read(run: Run) -> None:
    lines = (run.path / "history.csv").read_text().splitlines()

    assert lines[0] == "epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr,seconds"
    assert lines[3] == "3,0.01,1.0,0.5,0.93,1e-05,0.1"
    assert len(lines) == 4


def test_before_the_first_epoch_the_history_is_empty(tmp_path: Path) -> None:
    assert Run.create(Recipe(), tmp_path / "run").history == []


@pytest.mark.parametrize(("restore_best", "epoch"), [(True, 2), (False, 3)])
def test_the_kept_row_is_that_of_the_weights(tmp_path: Path, restore_best: bool, epoch: int) -> None:
    recipe = Recipe.from_dict({"training": {"restore_best": restore_best}})
    run = Run.create(recipe, tmp_path / "run")
    run.write_history(ROWS)

    assert run.kept.epoch == epoch


def test_a_run_without_an_epoch_has_kept_nothing(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no epoch of this run is finished"):
        _ = Run.create(Recipe(), tmp_path / "run").kept


# The end


def test_a_run_is_finished_when_its_model_is_written_and_no_longer_to_be_resumed(run: Run) -> None:
    before = run.finished

    run.write_end(MLP(4, (3,), 2))

    assert (before, run.finished) == (False, True)
    assert not run.state.exists()


def test_a_finished_run_gives_its_model_ready_to_predict(run: Run) -> None:
    model = MLP(4, (3,), 2)
    contract = InputContract(shape=(1, 2, 2), normalization=Normalization(mean=(0.5,), std=(0.5,)))
    card = Card(contract, ("cat", "dog"), temperature=1.5)
    attach(model, card)
    run.write_end(model)

    loaded = Run(run.path).model()

    x = torch.randn(5, 4)
    assert torch.equal(loaded(x), model(x))
    assert card_of(loaded) == card
    assert not loaded.training


def test_an_unfinished_run_has_no_model_and_says_how_to_go_on(run: Run) -> None:
    with pytest.raises(RunError, match=f"honshi train --resume {re.escape(str(run.path))}"):
        run.model()


def test_no_file_is_left_half_written(run: Run) -> None:
    run.write_end(nn.Linear(2, 2))

    assert sorted(path.name for path in run.path.iterdir()) == [
        "environment.json",
        "events.jsonl",
        "history.csv",
        "model.json",
        "model.safetensors",
        "recipe.toml",
        "split.json",
    ]


# Damage

READERS: dict[str, Callable[[Run], object]] = {
    "recipe.toml": lambda run: run.recipe,
    "split.json": lambda run: run.manifest,
    "environment.json": lambda run: run.environment,
    "history.csv": lambda run: run.history,
}


@pytest.mark.parametrize("name", ["recipe.toml", "split.json", "environment.json"])
def test_a_missing_file_is_named(run: Run, name: str) -> None:
    (run.path / name).unlink()

    with pytest.raises(RunError, match=re.escape(name)):
        READERS[name](run)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("recipe.toml", b"name ="),
        ("recipe.toml", b"nmae = 'mine'\n"),
        ("recipe.toml", b"\xff\xfe"),
        ("split.json", b""),
        ("split.json", b"{"),
        ("split.json", b"[1, 2]"),
        ("split.json", b'{"source": "mnist"}'),
        ("split.json", b"\xff"),
        ("environment.json", b"{"),
        ("environment.json", b"3"),
        ("history.csv", b""),
        ("history.csv", b"\xff"),
        ("history.csv", b"epoch,loss\n1,0.5\n"),
        ("history.csv", b"x" * 200_000),
        ("history.csv", None),
    ],
)
def test_a_damaged_file_is_named(run: Run, name: str, content: bytes | None) -> None:
    if content is None:
        (run.path / name).unlink()
        (run.path / name).mkdir()
    else:
        (run.path / name).write_bytes(content)

    with pytest.raises(RunError, match=re.escape(str(run.path / name))):
        READERS[name](run)


@pytest.mark.parametrize(
    "line",
    ["1,0.5", "1,0.5,0.5,0.5,0.5,0.1,1.0,7", "1,low,0.5,0.5,0.5,0.1,1.0", "1.5,0.5,0.5,0.5,0.5,0.1,1.0", "\n"],
    ids=["too short", "too long", "a word", "half an epoch", "empty"],
)
def test_a_damaged_line_of_the_history_is_noticed(run: Run, line: str) -> None:
    with (run.path / "history.csv").open("a") as stream:
        stream.write(f"{line}\n")

    with pytest.raises(RunError, match=r"history\.csv: this is not a history of a training"):
        _ = run.history


def test_errors_of_a_run_are_failures_and_not_wrong_requests(run: Run) -> None:
    (run.path / "recipe.toml").write_text("name =")

    with pytest.raises(HonshiError) as caught:
        _ = run.recipe

    assert caught.value.exit_code == 1
