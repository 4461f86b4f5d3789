"""Where a benchmark ran: without it, its numbers say nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

import torch

from honshi.runs.environment import device_name

PACKAGES = ("honshi", "torch", "numpy", "jax", "keras", "lightning", "skorch", "scikit-learn", "onnxruntime", "optuna")


def describe() -> dict[str, str]:
    """CPU, cores, system and the versions of whatever is installed here."""
    facts = {
        "cpu": device_name(torch.device("cpu")),
        "cores": str(os.cpu_count()),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            continue
    return facts


def line() -> str:
    """The same in one line."""
    facts = describe()
    cpu, cores, system = facts.pop("cpu"), facts.pop("cores"), facts.pop("system")
    versions = ", ".join(f"{name} {number}" for name, number in facts.items())
    return f"{cpu}, {cores} cores, {system}; {versions}"
