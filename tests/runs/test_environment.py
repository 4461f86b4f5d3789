from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime, timedelta

import torch

from honshi.runs.environment import describe, device_name

CPU = torch.device("cpu")


def test_it_says_with_which_versions_a_run_was_made() -> None:
    versions = describe(CPU)["versions"]

    assert versions["torch"] == torch.__version__
    assert versions["python"] == platform.python_version()
    assert set(versions) == {"honshi", "python", "torch", "numpy"}


def test_it_says_on_what_it_was_made() -> None:
    environment = describe(CPU)

    assert environment["device"] == "cpu"
    assert environment["device_name"] == device_name(CPU)
    assert environment["threads"] == torch.get_num_threads()
    assert environment["cores"] == os.cpu_count()


def test_it_says_when_in_utc() -> None:
    started = datetime.fromisoformat(describe(CPU)["started"])

    assert started.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - started) < timedelta(minutes=1)


def test_it_goes_into_json() -> None:
    environment = describe(CPU)

    assert json.loads(json.dumps(environment)) == environment


def test_a_processor_has_a_name() -> None:
    assert device_name(CPU)
