from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_without_runs_it_says_how_to_begin(honshi: Callable[..., Any]) -> None:
    finished = honshi("runs")

    assert finished.code == 0
    assert "honshi train" in finished.out


def test_a_table_names_each_run_with_its_score_and_the_looks(honshi_there: Callable[..., Any]) -> None:
    finished = honshi_there("runs")

    assert "first" in finished.out
    assert "looked at 2 times" in finished.out


def test_a_damaged_run_is_named_and_hides_no_other(honshi_there: Callable[..., Any], folder: Path) -> None:
    damaged = folder / "runs" / "damaged"
    damaged.mkdir()
    (damaged / "recipe.toml").write_text("[model\n")

    rows = {Path(row["run"]).name: row for row in honshi_there("runs", "--json").json}

    assert "TOML" in rows["damaged"]["error"]
    assert rows["first"]["finished"] is True
