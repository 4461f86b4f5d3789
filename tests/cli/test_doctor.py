from __future__ import annotations

import os
import platform
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from honshi.data import mnist
from honshi.data.fashion_mnist import SHA256 as FASHION_FILES
from honshi.native.compiler import find_compiler
from honshi.runs.environment import device_name
from honshi.runtime import available_devices, pick_device


def row(screen: str, name: str) -> str:
    """What stands behind a name on the screen for people."""
    (line,) = [line for line in screen.splitlines() if line.startswith(name + " ")]
    return line.removeprefix(name).strip()


def test_what_it_tells_is_what_the_machine_says(
    honshi: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    facts = honshi("doctor", "--json").json

    assert facts["device"] == str(pick_device())
    assert facts["device_name"] == device_name(pick_device())
    assert facts["available_devices"] == available_devices()
    assert (facts["threads"], facts["cores"]) == (2, os.cpu_count())
    assert facts["system"] == platform.platform()
    assert facts["versions"] == {
        "honshi": version("honshi"),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": version("numpy"),
    }
    assert facts["home"] == str(tmp_path / "home")
    assert facts["data"]["mnist"] == str(mnist.FOLDER)
    assert facts["precision"]["used"] in ("float32", "bfloat16")
    assert facts["compiled_epochs"] == (find_compiler() is not None)


def test_people_read_the_same_on_the_screen(
    honshi: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("COLUMNS", "300")

    screen = honshi("doctor").out

    assert row(screen, "device").startswith(f"{pick_device()} ({device_name(pick_device())}): ")
    assert row(screen, "threads") == f"2 of {os.cpu_count()} cores, as OMP_NUM_THREADS says"
    assert row(screen, "precision").startswith("auto is ")
    assert torch.__version__ in row(screen, "versions")
    assert row(screen, "home").startswith(str(tmp_path / "home"))


def test_doctor_says_of_each_compiled_part_that_it_is_used(honshi: Callable[..., Any]) -> None:
    facts = honshi("doctor", "--json").json

    assert facts["compiled_epochs"] is True
    assert len(facts["compiled"]) == 3
    assert all(part["used"] and "compiled here by" in part["why"] for part in facts["compiled"].values())
    assert all((part["level"], part["shipped"]) == ("native", False) for part in facts["compiled"].values())


def test_doctor_says_why_a_compiled_part_is_not_used_and_does_not_look_twice(
    honshi: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "false")
    first, second = honshi("doctor", "--json"), honshi("doctor")

    assert first.json["compiled_epochs"] is False
    assert not any(part["used"] for part in first.json["compiled"].values())
    # One sentence a part, and no line of honshi's code.
    lines = first.err.splitlines()
    assert sum(line.startswith("Warning: The C compiler") for line in lines) == 3
    assert "library.py" not in first.err
    assert "not used" in second.out
    assert "ended with code 1" in second.out
    assert second.err == ""


def test_fashion_mnist_is_where_its_files_are(honshi: Callable[..., Any], tmp_path: Path) -> None:
    folder = tmp_path / "home" / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    names = list(FASHION_FILES)
    for name in names[1:]:
        (folder / name).touch()
    assert honshi("doctor", "--json").json["data"]["fashion-mnist"] != str(folder)

    (folder / names[0]).touch()

    assert honshi("doctor", "--json").json["data"]["fashion-mnist"] == str(folder)
