from __future__ import annotations

from collections.abc import Callable
from typing import Any


def test_a_run_does_not_differ_from_itself(honshi_there: Callable[..., Any]) -> None:
    finished = honshi_there("compare", "first", "first", "--json")

    assert finished.json["difference"] == 0
    assert finished.json["p_value"] == 1
    assert "within noise" in finished.err


def test_a_clearly_better_run_is_called_so(honshi_there: Callable[..., Any]) -> None:
    honshi_there("train", "--subset", "20000", "--epochs", "2", "--out", "runs/better")

    finished = honshi_there("compare", "first", "better")

    assert "the second is better by more than noise" in finished.out


def test_runs_on_other_validation_images_do_not_compare(honshi_there: Callable[..., Any]) -> None:
    honshi_there("train", "--subset", "500", "--epochs", "1", "--val", "0.2", "--out", "runs/other")

    finished = honshi_there("compare", "first", "other")

    assert finished.code == 2
    assert "different images" in finished.err
