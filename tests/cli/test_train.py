from __future__ import annotations

import csv
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tests.drawn import colours

from honshi.reports.curves import PARTS
from honshi.runs import Run

QUICK = ("--subset", "2000", "--epochs", "2")
FILES = {
    "recipe.toml",
    "history.csv",
    "model.safetensors",
    "model.json",
    "curves.png",
    "split.json",
    "environment.json",
    "events.jsonl",
}


def test_a_run_folder_holds_what_the_contract_says(folder: Path) -> None:
    run = folder / "runs" / "first"

    assert {path.name for path in run.iterdir()} == FILES
    with (run / "history.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "lr", "seconds"]
    assert [row["epoch"] for row in rows] == ["1", "2"]
    sidecar = json.loads((run / "model.json").read_text())
    assert sidecar["architecture"]["hidden"] == [128, 64]
    assert sidecar["classes"] == list("0123456789")
    assert sidecar["input_shape"] == [1, 28, 28]
    assert sidecar["normalization"] == {"mean": [0.5], "std": [0.5]}
    assert sidecar["parameters"] == 109_386
    assert sidecar["temperature"] > 0
    assert len(json.loads((run / "split.json").read_text())["val_digests"]) == 6000
    with Image.open(run / "curves.png") as picture:
        assert picture.size[0] > 1000


def test_training_shows_what_will_happen_what_happens_and_what_to_do_next(honshi: Callable[..., Any]) -> None:
    finished = honshi("train", *QUICK)

    assert finished.code == 0
    for told in ("2,000 images", "6,000 images", "sealed", "109,386", "sgd lr=0.1", "cpu"):
        assert told in finished.out
    assert "Best epoch" in finished.out
    assert "95 % interval" in finished.out
    assert "honshi test" in finished.out


def test_json_is_one_document_with_the_text_for_people_beside_it(honshi: Callable[..., Any], tmp_path: Path) -> None:
    finished = honshi("train", *QUICK, "--out", "out", "--json")

    document = finished.json
    assert set(document) == {"run", "epochs", "best", "seconds", "device", "parameters"}
    assert document["run"] == "out"
    assert len(document["epochs"]) == 2
    assert document["best"] in document["epochs"]
    assert set(document["seconds"]) == {"load", "train", "evaluate", "total"}
    assert document["parameters"] == 109_386
    assert "Best epoch" in finished.err


def test_the_options_reach_the_recipe(honshi: Callable[..., Any], tmp_path: Path) -> None:
    options = ("--lr", "0.05", "--batch-size", "32", "--hidden", "32,16", "--dropout", "0.1", "--seed", "7")
    settings = ("--val", "0.2", "--set", "optimizer.momentum=0.9", "--set", "data.normalize=train")
    finished = honshi("train", "--subset", "500", "--epochs", "1", *options, *settings, "--out", "out")

    assert finished.code == 0, finished.err
    recipe = (tmp_path / "out" / "recipe.toml").read_text()
    for line in ("lr = 0.05", "batch_size = 32", "dropout = 0.1", "seed = 7", "val = 0.2", "momentum = 0.9"):
        assert line in recipe
    assert len(json.loads((tmp_path / "out" / "split.json").read_text())["val_digests"]) == 12_000


def test_a_runs_own_recipe_repeats_it_bit_by_bit(honshi: Callable[..., Any], tmp_path: Path) -> None:
    honshi("train", *QUICK, "--dropout", "0.3", "--out", "first")
    honshi("train", "first/recipe.toml", "--out", "second")

    assert (tmp_path / "first/model.safetensors").read_bytes() == (tmp_path / "second/model.safetensors").read_bytes()


@pytest.mark.parametrize("recipe", ["lecture-as-printed", "lecture-table", "mlp", "cnn"])
def test_every_recipe_trains(honshi: Callable[..., Any], recipe: str) -> None:
    finished = honshi("train", recipe, "--subset", "500", "--epochs", "1", "--json")

    assert finished.code == 0, finished.err
    assert finished.json["epochs"][0]["train_loss"] < 4


def test_a_folder_that_holds_something_is_not_written_into(honshi: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all my work")

    finished = honshi("train", *QUICK, "--out", "mine")

    assert finished.code == 2
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_diverging_training_stops_and_says_what_to_try(honshi: Callable[..., Any]) -> None:
    finished = honshi("train", *QUICK, "--lr", "1e30")

    assert finished.code == 1
    assert "epoch 1, step" in finished.err
    assert "smaller learning rate" in finished.err


def test_several_seeds_report_mean_deviation_and_range(honshi: Callable[..., Any], tmp_path: Path) -> None:
    finished = honshi("train", *QUICK, "--seeds", "2", "--out", "many", "--json")

    document = finished.json
    accuracies = [one["best"]["val_accuracy"] for one in document["seeds"]]
    assert document["val_accuracy"]["mean"] == pytest.approx(sum(accuracies) / 2)
    assert document["val_accuracy"]["lowest"] == min(accuracies)
    assert {colour for _, _, colour in PARTS} <= colours(tmp_path / "many" / "curves.png")
    assert honshi("validate", "many/seed-1").code == 0


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "honshi", "train", "--batch-size", "8", "--set", "optimizer.momentum=0.5"]
    environment = {**os.environ, "HONSHI_HOME": str(folder / "home")}
    return subprocess.Popen(
        [*command, *arguments], cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_epoch(run: Path) -> None:
    until = time.monotonic() + 60
    while not (run / "history.csv").exists():
        assert time.monotonic() < until, "no epoch was finished"
        time.sleep(0.02)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on_to_the_same_weights(
    honshi: Callable[..., Any], tmp_path: Path, how: signal.Signals
) -> None:
    options = ("--subset", "4000", "--epochs", "8", "--dropout", "0.2")
    with start(tmp_path, *options, "--out", "whole") as whole:
        whole.communicate(timeout=120)
    broken = start(tmp_path, *options, "--out", "broken")
    wait_for_epoch(tmp_path / "broken")
    broken.send_signal(how)
    _, told = broken.communicate(timeout=60)

    assert broken.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL)
    if how == signal.SIGINT:
        assert "Traceback" not in told
    assert not (tmp_path / "broken" / "model.json").exists()
    assert Run(tmp_path / "broken").status.state == ("interrupted" if how == signal.SIGINT else "killed")
    state = torch.load(tmp_path / "broken" / "state.pt", weights_only=True)
    assert 1 <= len(state["rows"]) < 8

    resumed = honshi("train", "--resume", "broken")

    assert resumed.code == 0, resumed.err
    assert not (tmp_path / "broken" / "state.pt").exists()
    expected, found = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "broken"))
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_interrupted_seeds_go_on_by_the_command_that_is_printed(honshi: Callable[..., Any], tmp_path: Path) -> None:
    process = start(tmp_path, "--subset", "500", "--epochs", "8", "--seeds", "2", "--out", "two seeds")
    wait_for_epoch(tmp_path / "two seeds" / "seed-0")
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)

    assert process.returncode == 130
    (command,) = re.findall("Go on with: honshi (.*)", said)
    finished = honshi(*shlex.split(command), "--json")

    assert finished.code == 0, finished.err
    assert [one["seed"] for one in finished.json["seeds"]] == [0, 1]
    assert all((tmp_path / "two seeds" / f"seed-{seed}" / "model.json").exists() for seed in (0, 1))
    assert "are trained" in honshi("train", "--resume", "two seeds").err


@pytest.mark.parametrize("moment", ["recipe.toml", "environment.json", "state.pt"])
def test_a_killed_run_is_the_latest_and_goes_on_whenever_it_was(
    honshi: Callable[..., Any], tmp_path: Path, moment: str
) -> None:
    process = start(tmp_path, "--subset", "1000", "--epochs", "3")
    deadline = time.monotonic() + 60
    while not (found := list((tmp_path / "runs").glob(f"*/{moment}"))):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    process.kill()
    process.communicate(timeout=60)
    run = Run(found[0].parent)
    left = run.path / ".state.pt.0a1b2c3d.part"
    left.touch()
    # What a kill between the two writings leaves: the state has an epoch that the history has not.
    (run.path / "history.csv").unlink(missing_ok=True)

    killed = run.status
    resumed = honshi("train", "--resume", "latest")

    assert resumed.code == 0, resumed.err
    assert killed.state in ("killed", "interrupted")  # killed before it said anything, it is an interrupted one
    assert [row.epoch for row in run.history] == [1, 2, 3]
    assert run.status.state == "finished"
    assert not left.exists()


def test_a_file_called_stop_ends_a_training_after_its_step_and_another_may_not_join_it(
    honshi: Callable[..., Any], tmp_path: Path
) -> None:
    process = start(tmp_path, "--epochs", "500", "--out", "run")
    run = Run(tmp_path / "run")
    wait_for_epoch(run.path)

    second = honshi("train", "--resume", "run")
    same = honshi("train", *QUICK, "--out", "run")
    running = run.status
    (run.path / "stop").touch()
    _, told = process.communicate(timeout=60)

    assert (second.code, same.code) == (1, 2)
    for refused in (second, same):
        assert f"by process {process.pid} on " in refused.err
    assert process.returncode == 130
    assert "Interrupted" in told
    assert (running.state, run.status.state) == ("running", "interrupted")
    assert run.state.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_where_there_is_no_room_the_training_ends_in_a_sentence(tmp_path: Path) -> None:
    # A limit of the size of a file stands for a full disk: the state does not fit, all that is smaller does.
    command = f"trap '' XFSZ; ulimit -f 512; exec {sys.executable} -m honshi train --subset 1000 --epochs 2 --out run"
    environment = {**os.environ, "HONSHI_HOME": str(tmp_path / "home")}
    finished = subprocess.run(
        ["sh", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )

    assert finished.returncode == 1
    (told,) = finished.stderr.splitlines()
    assert told.startswith("Error: run/state.pt: this cannot be written: it is larger than a file may be there.")
    assert Run(tmp_path / "run").status.state == "failed"
    assert not (tmp_path / "run" / "state.pt").exists()


def test_what_resume_cannot_do_is_refused(honshi_there: Callable[..., Any]) -> None:
    assert "finished" in honshi_there("train", "--resume", "first").err
    assert "--lr" in honshi_there("train", "--resume", "first", "--lr", "0.5").err
    assert (
        "so mlp, --seeds cannot be given with it"
        in honshi_there("train", "mlp", "--resume", "first", "--seeds", "2").err
    )


def test_a_terminal_sees_a_live_bar(tmp_path: Path) -> None:
    master, slave = pty.openpty()
    environment = {**os.environ, "HONSHI_HOME": str(tmp_path / "home"), "TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, "-m", "honshi", "train", "--subset", "6000", "--epochs", "3", "--batch-size", "8"],
        cwd=tmp_path,
        env=environment,
        stdout=slave,
        stderr=slave,
        stdin=slave,
    )
    os.close(slave)
    seen = b""
    while True:
        try:
            chunk = os.read(master, 65536)
        except OSError:  # Linux says so when the other end has closed
            break
        if not chunk:
            break
        seen += chunk
    os.close(master)

    assert process.wait(timeout=60) == 0
    assert "━".encode() in seen
    assert b"epoch 1/3" in seen


def test_a_precision_that_is_left_open_is_chosen_said_and_written_down(
    honshi: Callable[..., Any], tmp_path: Path
) -> None:
    options = ("--subset", "300", "--epochs", "1", "--set", "training.precision=auto")

    screen = honshi("train", "cnn", *options, "--out", "run").out

    chosen = json.loads((tmp_path / "run" / "environment.json").read_text())["precision"]
    (line,) = [line for line in screen.splitlines() if line.startswith("precision ")]
    assert line.split()[1] == f"{chosen['used']}:"
    assert f'precision = "{chosen["used"]}"' in (tmp_path / "run" / "recipe.toml").read_text()
