"""The record of what was measured, and the README's table of it."""

from __future__ import annotations

import importlib
import json
import re
from typing import Any

import pytest
from benchmarks.__main__ import RESULTS, ROOT, SUITE, TOLERANCE, Worse, ratios, worse
from benchmarks.readme import BEGIN, END, JAPANESE, PAGES, english, japanese, table, with_table


@pytest.fixture
def found() -> dict[str, Any]:
    """What the benchmarks write, in few and round numbers."""
    return {
        "epoch": {
            "peers": {
                "honshi": {"median": 0.5, "ratio": 1.0},
                "lecture": {"median": 6.0, "ratio": 12.0},
                "matrix_products": {"median": 0.25, "ratio": 0.5},
            }
        },
        "whole_process": {"seconds": {"honshi": {"median": 5.0}, "lecture": {"median": 50.0}}, "ratio": 10.0},
        "prediction": {
            "models": {
                "mlp": {
                    "honshi": {"p50": 4e-5, "p99": 8e-5, "images_per_second": 100_000.0},
                    "pytorch": {"p50": 5e-5, "p99": 9e-5, "images_per_second": 200_000.0},
                    "onnxruntime": {"p50": 2e-5, "p99": 3e-5, "images_per_second": 50_000.0},
                }
            }
        },
        "scaling": {
            "batch_sizes": {"512": {"processes": {"1": {"median": 9.0}, "2": {"median": 5.0}}, "speedup": 1.8}}
        },
        "tuning": {
            "honshi": [{"finished": 30, "seconds": 60.0}],
            "plain": [{"finished": 15, "seconds": 60.0}],
            "ratio": 2.0,
        },
    }


def results(found: dict[str, Any]) -> dict[str, Any]:
    machine = {"cpu": "Abacus", "cores": "2", "torch": "2.13.0"}
    return {"machine": machine, "ratios": ratios(found), "benchmarks": found}


def test_a_ratio_is_the_larger_the_better_honshi_is(found: dict[str, Any]) -> None:
    assert ratios(found) == pytest.approx(
        {
            "an epoch: lecture": 12.0,
            "an epoch: matrix_products": 0.5,
            "honshi train from start to exit: lecture": 10.0,
            "one image, mlp: pytorch": 1.25,
            "many images, mlp: pytorch": 0.5,
            "one image, mlp: onnxruntime": 0.5,
            "many images, mlp: onnxruntime": 2.0,
            "two processes, batches of 512: one": 1.8,
            "trials a minute: optuna": 2.0,
        }
    )


def test_a_ratio_that_fell_too_far_is_worse_and_one_that_swings_is_not() -> None:
    before = {"a": 2.0, "b": 2.0, "gone": 1.0}
    now = {"a": 2.0 * TOLERANCE - 0.01, "b": 2.0 * TOLERANCE + 0.01, "new": 0.1}

    assert worse(before, now) == [Worse("a", 2.0, 2.0 * TOLERANCE - 0.01)]


def test_the_table_has_a_row_for_everything_measured_but_the_limit(found: dict[str, Any]) -> None:
    written = table(results(found))

    assert "| **honshi** (0.50 s) | **1.00** |" in written
    assert "| the lecture's script | 12.0 |" in written
    assert "matrix products" not in written
    for number in ("5.0 s", "40 µs, 80 µs", "ONNX Runtime 20 µs", "100,000", "1.80", "30.0"):
        assert number in written
    assert table(results({"epoch": found["epoch"]})).count("\n") < written.count("\n")


def test_the_table_goes_between_the_markers_and_nothing_else_changes(found: dict[str, Any]) -> None:
    text = f"before\n{BEGIN}\nold\n{END}\nafter\n"

    written = with_table(text, table(results(found)))

    assert written == f"before\n{BEGIN}\n{table(results(found))}\n{END}\nafter\n"
    with pytest.raises(ValueError, match="0 times"):
        with_table("no markers", "a table")


def test_the_japanese_table_has_the_same_numbers_and_no_english_sentence(found: dict[str, Any]) -> None:
    ours, theirs = table(results(found), english), table(results(found), japanese)

    assert re.findall(r"\d+\.\d+|\d+ µs", ours) == re.findall(r"\d+\.\d+|\d+ µs", theirs)
    assert ours.count("\n") == theirs.count("\n")
    sentences = [re.split(r"[{:(]", sentence)[0].strip() for sentence in JAPANESE]
    assert [sentence for sentence in sentences if len(sentence) > 12 and sentence in theirs] == []


@pytest.mark.parametrize("name", SUITE)
def test_each_benchmark_of_the_suite_is_a_command_that_knows_its_options(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(f"benchmarks.{name}")
    monkeypatch.setattr("sys.argv", [name, "--help"])

    with pytest.raises(SystemExit, match="0"):
        module.main()

    known = set(re.findall(r"--[a-z]+", capsys.readouterr().out))
    assert {"--json", *(word for word in SUITE[name] if word.startswith("--"))} <= known


def test_make_bench_runs_the_suite_and_then_writes_the_readme() -> None:
    recipe = (ROOT / "Makefile").read_text().split("\nbench:")[1].split("\n\n")[0]

    assert [line.split("python ")[1] for line in recipe.splitlines()[1:]] == ["-m benchmarks", "-m benchmarks.readme"]


@pytest.mark.skipif(not RESULTS.exists(), reason="nothing is recorded yet: make bench")
def test_the_readmes_say_what_is_recorded() -> None:
    recorded = json.loads(RESULTS.read_text("utf-8"))

    for path, say in PAGES.items():
        text = path.read_text("utf-8")
        assert with_table(text, table(recorded, say)) == text
    assert recorded["ratios"] == pytest.approx(ratios(recorded["benchmarks"]))
