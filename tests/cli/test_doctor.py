from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch


def test_doctor_says_device_threads_versions_and_data(honshi: Callable[..., Any], tmp_path: Path) -> None:
    facts = honshi("doctor", "--json").json

    assert facts["versions"]["torch"] == torch.__version__
    assert facts["device"] in ("cpu", "cuda", "mps")
    assert facts["threads"] >= 1
    assert facts["home"] == str(tmp_path / "home")
    assert Path(facts["data"]["mnist"]).is_dir()


def test_doctor_tells_people_why(honshi: Callable[..., Any]) -> None:
    assert "here" in honshi("doctor").out


def test_doctor_says_of_each_compiled_part_that_it_is_used(honshi: Callable[..., Any]) -> None:
    facts = honshi("doctor", "--json").json

    assert facts["compiled_epochs"] is True
    assert len(facts["compiled"]) == 4
    assert all(part["used"] and "Compiled" in part["why"] for part in facts["compiled"].values())


def test_doctor_says_why_a_compiled_part_is_not_used_and_does_not_look_twice(
    honshi: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "false")
    first, second = honshi("doctor", "--json"), honshi("doctor")

    assert first.json["compiled_epochs"] is False
    assert not any(part["used"] for part in first.json["compiled"].values())
    # One sentence a part, and no line of honshi's code.
    lines = first.err.splitlines()
    assert sum(line.startswith("Warning: The C compiler") for line in lines) == 4
    assert "library.py" not in first.err
    assert "not used" in second.out
    assert "ended with code 1" in second.out
    assert second.err == ""
