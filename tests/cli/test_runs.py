from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ALL = ("run", "state", "data", "model", "optimizer", "epochs", "kept", "val loss", "val accuracy", "95 % interval")


def test_without_runs_it_says_how_to_begin(honshi: Callable[..., Any]) -> None:
    finished = honshi("runs")

    assert finished.code == 0
    assert "honshi train" in finished.out


def test_in_a_pipe_the_table_has_every_column(honshi_there: Callable[..., Any]) -> None:
    head, row, *_, last = honshi_there("runs").out.splitlines()

    assert re.split(r"  +", head.strip()) == [*ALL, "n", "looks"]
    cells = re.split(r"  +", row.strip())
    assert cells[:7] == ["first", "finished", "mnist", "mlp", "sgd 0.1", "2/2", "2"]
    assert cells[10:] == ["6,000", "2"]
    assert "looked at 2 times" in last


@pytest.mark.parametrize(
    ("width", "shown"), [(80, ("run", "state", "epochs", "val accuracy")), (120, ALL), (55, ("run", "val accuracy"))]
)
def test_a_terminal_sees_the_columns_that_there_is_room_for(
    on_a_terminal: Callable[..., list[str]], width: int, shown: tuple[str, ...]
) -> None:
    head, row = on_a_terminal(width, "runs")[:2]

    assert len(head) <= width
    assert len(row) <= width
    assert set(shown) <= set(re.split(r"  +", head.strip()))
    assert "first" in row
    assert "finished" in row


def test_a_narrow_terminal_sees_a_block_for_each_run(on_a_terminal: Callable[..., list[str]]) -> None:
    name, state, score, about = on_a_terminal(30, "runs")[:4]

    assert name == "first"
    assert state.split() == ["finished,", "epoch", "2/2"]
    assert re.fullmatch(r"  \d\d\.\d\d% \(\d\d\.\d\d% to \d\d\.\d\d%\)", score.rstrip())
    assert about.split() == ["mnist", "mlp", "sgd", "0.1"]


def test_a_damaged_run_is_named_and_hides_no_other(honshi_there: Callable[..., Any], folder: Path) -> None:
    damaged = folder / "runs" / "damaged"
    damaged.mkdir()
    (damaged / "recipe.toml").write_text("[model\n")

    rows = {Path(row["run"]).name: row for row in honshi_there("runs", "--json").json}

    assert "TOML" in rows["damaged"]["error"]
    assert rows["first"]["finished"] is True
