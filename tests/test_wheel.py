"""What users install: the wheel, in an environment that holds nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import torch

import honshi

ROOT = Path(__file__).parents[1]
MNIST_FILES = {f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")} | {
    "LICENSE.md"
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    # The build backend is among the tests' own packages, so no environment has to be made for it.
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def test_mnist_its_licence_and_the_recipes_are_in_the_wheel(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())

    assert {f"honshi/data/mnist_files/{name}" for name in MNIST_FILES} <= names
    assert "honshi/recipes/lecture.toml" in names
    assert "honshi/py.typed" in names
    assert not [name for name in names if name.startswith("tests/")]


def test_the_c_code_is_in_the_wheel(built: Path) -> None:
    sources = {f"honshi/native/{path.name}" for path in (ROOT / "src" / "honshi" / "native").glob("*.c")}
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())

    assert sources
    assert sources <= names


def test_mnist_and_its_licence_are_in_the_sdist(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {Path(name).name for name in sdist.getnames() if "mnist_files" in name}

    assert names >= MNIST_FILES


def test_the_wheel_installs_into_an_empty_environment_and_trains(built: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    constraints = ROOT / "constraints.txt"
    wheel = next(built.glob("*.whl"))
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--constraint", constraints, wheel], check=True, capture_output=True
    )

    trained = subprocess.run(
        [python.parent / "honshi", "train", "--subset", "1000", "--epochs", "1", "--out", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert trained.returncode == 0, trained.stderr
    assert honshi.load_model(tmp_path / "run" / "model.safetensors")(torch.zeros(1, 1, 28, 28)).shape == (1, 10)
