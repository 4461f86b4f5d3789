from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_the_cycle_ends_with_a_table_and_a_recipe(honshi: Callable[..., Any], tmp_path: Path) -> None:
    honshi("train", "--subset", "500", "--epochs", "4", "--lr", "0.01", "--out", "runs/slow")

    finished = honshi("improve", "slow", "--budget", "0.2", "--json")

    assert finished.code == 0
    told = finished.json
    assert told["kept"][0] == "more epochs"
    assert told["improved"]["accuracy"] > told["baseline"]["accuracy"] + 0.03
    assert told["seconds"] < 60
    assert "more epochs" in finished.err
    assert "honshi train runs/slow/improved.toml" in finished.err
    assert honshi("train", "runs/slow/improved.toml", "--epochs", "1", "--out", "runs/after").code == 0
    assert not (tmp_path / "home" / "ledger.jsonl").exists()


def test_a_budget_that_is_too_short_is_a_wrong_request(honshi_there: Callable[..., Any], folder: Path) -> None:
    finished = honshi_there("improve", "first", "--budget", "0.0001")

    assert finished.code == 2
    assert "--budget" in finished.err
    assert not (folder / "runs" / "first" / "improvement.json").exists()
