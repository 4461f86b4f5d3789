"""The public surface: these names and no others, and nothing heavy before one is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import honshi

NAMES = [
    "Augmentation",
    "Averaging",
    "Evaluation",
    "ExamResult",
    "Experiment",
    "FitResult",
    "Images",
    "Normalization",
    "Prediction",
    "Predictor",
    "Recipe",
    "Report",
    "Row",
    "Run",
    "Sealed",
    "Splits",
    "check",
    "errors",
    "evaluate",
    "fit",
    "load",
    "load_model",
    "losses",
    "models",
    "optimizers",
    "predict",
    "save",
    "test",
]

HEAVY = ("torch", "numpy", "matplotlib", "PIL")


def test_the_public_names_are_these() -> None:
    assert honshi.__all__ == NAMES
    assert dir(honshi) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_is_something_with_a_docstring(name: str) -> None:
    assert getattr(honshi, name).__doc__


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'honshi' has no attribute 'train'"):
        honshi.train  # noqa: B018


@pytest.mark.parametrize(
    "name", ["data", "evaluation", "exam", "export", "pictures", "prediction", "runs", "training", "tuning"]
)
def test_every_room_is_an_attribute_without_being_imported_first(name: str) -> None:
    program = f"import honshi; print(honshi.{name}.__name__)"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert finished.stdout.strip() == f"honshi.{name}"


@pytest.mark.parametrize("module", ["honshi", "honshi.errors", "honshi.files", "honshi.recipe", "honshi.cli"])
def test_importing_this_imports_nothing_heavy(module: str) -> None:
    program = f"import sys, {module}; print(*(name for name in {HEAVY} if name in sys.modules))"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert finished.stdout.split() == []


def test_the_first_use_of_a_name_imports_what_it_needs() -> None:
    program = "import sys, honshi; honshi.Images; print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert finished.stdout.split() == ["True", "False"]
