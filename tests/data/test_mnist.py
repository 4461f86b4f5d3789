"""MNIST lies in the package, byte for byte as it was published."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import honshi
from honshi.data import mnist as files
from honshi.data.sources import open_published

REPOSITORY = Path(__file__).parents[2]

# From the MNIST page and the literature: images of each digit.
TRAINING_DIGITS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
TEST_DIGITS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("name", files.SHA256)
def test_each_file_has_the_content_that_was_published(name: str) -> None:
    content = gzip.decompress((files.FOLDER / f"{name}.gz").read_bytes())
    assert hashlib.sha256(content).hexdigest() == files.SHA256[name]


def test_there_are_60_000_training_images_of_28_x_28() -> None:
    images = open_published("mnist").train
    assert images.pixels.shape == (60_000, 1, 28, 28)
    assert images.classes == tuple("0123456789")
    assert images.class_counts() == TRAINING_DIGITS


def test_the_10_000_test_images_come_out_in_the_exam(mnist: honshi.Splits) -> None:
    result = honshi.test(honshi.models.MLP(hidden=()), mnist.test)
    assert result.n == 10_000
    assert [score.n for score in result.per_class.values()] == TEST_DIGITS


def test_the_licence_lies_beside_the_files() -> None:
    assert "Creative Commons" in (files.FOLDER / "LICENSE.md").read_text("utf-8")


def verify(repository: Path) -> subprocess.CompletedProcess[str]:
    script = repository / "scripts" / "rebuild_mnist.py"
    return subprocess.run([sys.executable, script, "--verify"], capture_output=True, text=True, timeout=60)


def test_the_script_verifies_the_files() -> None:
    finished = verify(REPOSITORY)
    assert finished.stdout.startswith("4 files verified in ")
    assert finished.returncode == 0


def test_the_script_names_each_file_that_is_missing_damaged_or_another(tmp_path: Path) -> None:
    files_there = tmp_path / "src" / "honshi" / "data" / "mnist_files"
    shutil.copytree(files.FOLDER, files_there)
    shutil.copytree(REPOSITORY / "scripts", tmp_path / "scripts")
    missing, cut_off, another, intact = (files_there / f"{name}.gz" for name in files.SHA256)
    missing.unlink()
    cut_off.write_bytes(cut_off.read_bytes()[:-1])
    shutil.copy(intact, another)

    finished = verify(tmp_path)
    assert finished.stdout == f"wrong: {missing.stem}, {cut_off.stem}, {another.stem}\n"
    assert finished.returncode == 1
