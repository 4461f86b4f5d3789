"""`honshi train` under torchrun, in processes of its own."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
HONSHI = ("-m", "honshi", "train", "--lr", "0.03")


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """torchrun in a folder, ended with the block at the latest."""
    environment = {**os.environ, "HONSHI_HOME": str(folder / "home"), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        [*TORCHRUN, *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def worker(launcher: subprocess.Popen[str], rank: int) -> int:
    """The process id of one of torchrun's workers."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    ranks = {pid: Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in children}
    (found,) = [pid for pid, variables in ranks.items() if f"RANK={rank}".encode() in variables]
    return int(found)


def rows(run: Path) -> list[dict[str, str]]:
    with (run / "history.csv").open() as stream:
        return list(csv.DictReader(stream))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the worker in /proc")
def test_a_killed_worker_is_started_again_and_the_training_goes_on(tmp_path: Path, honshi: Callable[..., Any]) -> None:
    # 6,000 - 3 images to validate and 3,001 to train: neither is divided by two without a rest.
    options = ("--subset", "3001", "--val", "0.09995", "--epochs", "8")
    run = tmp_path / "runs" / "shared"
    with started(tmp_path, "--max-restarts", "1", *HONSHI, *options, "--out", "runs/shared") as launcher:
        deadline = time.monotonic() + 100
        while not (run / "state.pt").exists() and launcher.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        os.kill(worker(launcher, 1), signal.SIGKILL)
        out, err = launcher.communicate(timeout=100)

    assert launcher.returncode == 0, err
    # It said once more what it trains, and then went on behind the epochs that it had.
    first, second = [text.splitlines() for text in out.split("epoch   train loss  accuracy    val loss")[1:]]
    assert first[1].split()[0] == "1"
    assert int(second[1].split()[0]) > 1
    # One folder, written by one process, as if nothing had happened and nobody had helped.
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["shared"]
    assert not (run / "state.pt").exists()
    alone = honshi(*HONSHI[2:], *options, "--out", "alone")
    assert alone.code == 0, alone.err
    for ours, theirs in zip(rows(run), rows(tmp_path / "alone"), strict=True):
        assert ours["epoch"] == theirs["epoch"]
        assert float(ours["train_loss"]) == pytest.approx(float(theirs["train_loss"]), rel=1e-3)
        assert float(ours["val_loss"]) == pytest.approx(float(theirs["val_loss"]), rel=1e-3)
        assert float(ours["val_accuracy"]) == pytest.approx(float(theirs["val_accuracy"]), abs=1e-3)


def test_processes_train_from_shards_as_well_as_one_does_from_memory(
    tmp_path: Path, honshi: Callable[..., Any]
) -> None:
    options = ("--lr", "0.1", "--epochs", "3")
    written = honshi("shards", "mnist", "shards", "--subset", "3001", "--json")
    assert written.json["images"] == {"train": 3001, "val": 6000}
    arguments = ("-m", "honshi", "train", "lecture", "--data", "shards", *options, "--out", "runs/shards")
    with started(tmp_path, *arguments) as launcher:
        _, err = launcher.communicate(timeout=200)
    assert launcher.returncode == 0, err
    assert honshi("train", "lecture", "--subset", "3001", *options, "--out", "runs/memory").code == 0

    best = max(rows(tmp_path / "runs" / "shards"), key=lambda row: -float(row["val_loss"]))
    memory = max(rows(tmp_path / "runs" / "memory"), key=lambda row: -float(row["val_loss"]))
    assert float(best["val_accuracy"]) == pytest.approx(float(memory["val_accuracy"]), abs=0.04)
    # The score of two processes is that of one, of all images.
    again = honshi("validate", "shards", "--json").json
    assert (again["n"], again["accuracy"]) == (6000, pytest.approx(float(best["val_accuracy"]), abs=1e-9))
    # And the data themselves are known by what they are, wherever they lie.
    assert honshi("validate", "shards", "--data", "mnist", "--json").json["accuracy"] == again["accuracy"]


def test_processes_train_a_whole_pretrained_network_together_after_one_has_trained_its_head(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    for label, light in (("dark", 60), ("light", 150)):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(16):
            pixels = draws.integers(0, 100, (64, 64, 3), dtype=np.uint8) + np.uint8(light)
            Image.fromarray(pixels).save(tmp_path / "pictures" / label / f"{number}.png")
    options = ("--data", "pictures", "--val", "0.3", "--finetune", "--out", "run")
    with started(tmp_path, "-m", "honshi", "train", "photos", *options) as launcher:
        out, err = launcher.communicate(timeout=200)

    assert launcher.returncode == 0, err
    assert (out + err).count("Training the whole network: up to") == 1
    assert (out + err).count("the whole network took") == 1
    found = json.loads((tmp_path / "run" / "finetune.json").read_text())
    assert found["epochs"] >= 1
    assert found["n"] == json.loads((tmp_path / "run" / "split.json").read_text())["val_size"]
    assert json.loads((tmp_path / "run" / "environment.json").read_text())["processes"] == 2
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_a_wrong_request_is_answered_once_and_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path, *HONSHI, "--batch-size", "1", "--out", "run") as launcher:
        out, err = launcher.communicate(timeout=100)

    assert launcher.returncode != 0
    assert err.count("A mini-batch of 1 cannot be divided among 2 processes") == 1
    assert "exitcode  : 2" in err
    assert not out
    assert not (tmp_path / "run").exists()


def test_of_several_processes_on_a_machine_one_speaks_of_a_wrong_option(
    honshi: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for rank in ("0", "1"):
        monkeypatch.setenv("LOCAL_RANK", rank)
        for wrong in (("--nonsense",), ("nowhere.toml",)):
            finished = honshi("train", *wrong)
            assert finished.code == 2
            said.append(bool(finished.err))

    assert said == [True, True, False, False]
