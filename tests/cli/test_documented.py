"""What the documents say to type is typed: every command and every piece of Python in docs and README is run.

Trainings are made shorter by options behind the documented ones; everything else is run as it stands.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.cli.conftest import run_honshi

import honshi
from honshi.models import MLP

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted((ROOT / "docs").glob("*.md")), *sorted(ROOT.glob("README*.md"))]
# What is behind a documented command so that it ends within seconds.
SHORT = ("--subset", "600", "--epochs", "1")
SEARCH = ("--minutes", "0.2", "--trials", "3")
SHORTER = {
    "train": SHORT,
    "tune": (*SHORT, *SEARCH),
    "improve": ("--budget", "0.25"),
    "test": ("--yes",),
}
# Where these words stand, something stands that is here.
HERE = {"fashion-mnist": "idx:digits", "idx:/mnt/new/place": "idx:digits"}
# Not run here: a page that stays open (tests/web), what needs a GPU or several processes (test_distributed.py), and the
# set-up itself, by which these tests run.
ELSEWHERE = ("honshi lab", "torchrun", "pip install", "make ", "touch ")
# Beside what commands of photographs work with.
OF_PHOTOGRAPHS = ("my-photographs", "corrected.csv", "labels")


def commands() -> list[str]:
    """Every line of the documents' shell blocks once, without its comment."""
    found: dict[str, None] = {}
    for path in DOCUMENTS:
        for block in re.findall(r"```sh\n(.*?)```", path.read_text("utf-8"), re.DOTALL):
            lines = (re.sub(r"\s+#.*", "", line).strip() for line in block.splitlines())
            found.update(dict.fromkeys(line for line in lines if line and not line.startswith(ELSEWHERE)))
    return list(found)


def pieces() -> list[tuple[str, str]]:
    """The Python of all documents but those of docs/house.md, which are parts of files that are not there yet."""
    return [
        (f"{path.name}-{number}", block)
        for path in DOCUMENTS
        if path.name != "house.md"
        for number, block in enumerate(re.findall(r"```python\n(.*?)```", path.read_text("utf-8"), re.DOTALL))
    ]


def pictures(folder: Path, count: int) -> None:
    draws = np.random.default_rng(0)
    for label, light in (("dark", 40), ("light", 140)):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = draws.integers(0, 100, (64, 64, 3), dtype=np.uint8) + np.uint8(light)
            Image.fromarray(pixels).save(folder / label / f"{number}.png")


def digit(path: Path) -> None:
    Image.fromarray(honshi.load("mnist").val.pixels[0, 0].numpy()).save(path)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where somebody works who has two runs on MNIST and has searched."""
    folder = tmp_path_factory.mktemp("digits")
    shutil.copytree(Path(honshi.__file__).parent / "data" / "mnist_files", folder / "digits")
    pictures(folder / "my-pictures", 20)
    (folder / "photos").mkdir()
    for path in (folder / "digit.png", folder / "new-picture.jpg", folder / "photos" / "1.png"):
        digit(path)
    (folder / "net.py").write_text("import honshi\n\nNet = honshi.models.MLP\n")
    (folder / "data.py").write_text('import honshi\n\ntrain = honshi.load("mnist").train\n')
    (folder / "mine.py").write_text(
        "from honshi.training.epoch import train_epoch\n"
        "import torch\n\n\n"
        "def train(model, loader, criterion, optimizer, device):\n"
        "    model.train()\n"
        "    total = 0.0\n"
        "    for images, labels in loader:\n"
        "        optimizer.zero_grad()\n"
        "        loss = criterion(model(images.to(device)), labels.to(device))\n"
        "        loss.backward()\n"
        "        optimizer.step()\n"
        "        total += loss.item() * len(labels)\n"
        "    return total / len(loader.dataset)\n\n\n"
        "@torch.no_grad()\n"
        "def evaluate(model, loader, criterion, device):\n"
        "    model.eval()\n"
        "    total = right = 0.0\n"
        "    for images, labels in loader:\n"
        "        logits = model(images.to(device))\n"
        "        total += criterion(logits, labels.to(device)).item() * len(labels)\n"
        "        right += (logits.argmax(1) == labels.to(device)).sum().item()\n"
        "    return total / len(loader.dataset), right / len(loader.dataset)\n"
    )
    for options in (("lecture", "--lr", "0.2"), ("lecture",)):
        done(folder, "train", *options, *SHORT)
    done(folder, "tune", "mlp", *SHORT, "--trials", "2", "--out", "runs/search")
    return folder


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where somebody works who has trained on photographs."""
    folder = tmp_path_factory.mktemp("photographs")
    pictures(folder / "my-photographs", 20)
    done(folder, "train", "my-photographs")
    done(folder, "labels", "latest", "--csv", "corrected.csv")
    return folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where somebody works who has ended a training by a file called stop."""
    folder = tmp_path_factory.mktemp("stopped")
    run = folder / "runs" / "20261125-042603-lecture"
    command = [sys.executable, "-m", "honshi", "train", "--subset", "600", "--epochs", "300", "--out", str(run)]
    environment = {**os.environ, "HONSHI_HOME": str(folder / "home")}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (run / "state.pt").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        (run / "stop").touch()
        assert process.wait(60) == 130
    return folder


def done(folder: Path, *arguments: str) -> None:
    finished = run_honshi(folder, *arguments)
    assert finished.code == 0, finished.err


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_documents_does_what_it_says(
    command: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    program, name, *words = shlex.split(command)
    resumed, of_photographs = "--resume" in words, any(word in command for word in OF_PHOTOGRAPHS)
    prepared: Path = request.getfixturevalue("stopped" if resumed else "photographs" if of_photographs else "digits")
    folder = tmp_path / "work"
    shutil.copytree(prepared, folder)
    # What goes on, and pictures that are few, are short as they are.
    short = SHORTER.get(name, ())
    if name == "train" and (resumed or of_photographs or "my-pictures" in words):
        short = ()
    elif name == "tune" and words[:1] == ["--out"]:
        short = SEARCH

    finished = run_honshi(folder, name, *(HERE.get(word, word) for word in words), *short)

    assert program == "honshi"
    assert finished.code == 0, finished.err
    assert finished.out


@pytest.mark.parametrize(("name", "piece"), pieces())
def test_a_piece_of_python_of_the_documents_runs(
    name: str, piece: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    digit(tmp_path / "digit.png")
    splits = honshi.load("mnist")
    model = MLP()
    model.preprocessing = splits.train.preprocessing
    honshi.export.to_onnx(model, tmp_path / "digits.onnx")
    around = {
        "honshi": honshi,
        "splits": splits,
        "model": model,
        "criterion": torch.nn.CrossEntropyLoss(),
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "cnn_1": honshi.models.CNN(),
        "cnn_2": honshi.models.CNN(),
        "train": None,
        "evaluate": None,
    }

    exec(compile(piece, name, "exec"), around)
