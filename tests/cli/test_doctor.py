from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

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
