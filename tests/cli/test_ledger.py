from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_an_empty_ledger_says_so(honshi: Callable[..., Any]) -> None:
    assert "No sealed test set has been opened" in honshi("ledger").out
    assert honshi("ledger", "verify").code == 0


def test_a_terminal_of_80_columns_cuts_nothing_off(
    honshi_there: Callable[..., Any], on_a_terminal: Callable[..., list[str]]
) -> None:
    honshi_there("test", "first", "--yes", "--predict", "0.9")

    head, *rows = on_a_terminal(80, "ledger")

    columns = [match.start() for match in re.finditer(r"\S+(?: \S+)*", head)]
    time, *_, run = (
        "".join(row[start:end].strip() for row in rows)
        for start, end in zip(columns, [*columns[1:], None], strict=True)
    )
    assert max(map(len, [head, *rows])) <= 80
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", time)
    assert run == "runs/first"


def test_openings_are_listed_and_verified_and_an_edit_is_named(honshi_there: Callable[..., Any], folder: Path) -> None:
    honshi_there("test", "first", "--yes")
    assert "runs/first" in honshi_there("ledger").out
    assert honshi_there("ledger", "verify", "--json").json["entries"] == 2

    path = folder / "home" / "ledger.jsonl"
    path.write_text(path.read_text().replace('"accuracy": 0.', '"accuracy": 0.9', 1))

    verified = honshi_there("ledger", "verify")
    assert verified.code == 1
    assert "entry 1" in verified.err
    assert "edited" in verified.err
    assert honshi_there("test", "first", "--yes").code == 1
