from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_run_is_written_for_other_runtimes(honshi_there: Callable[..., Any], folder: Path) -> None:
    finished = honshi_there("export", "first", "--onnx", "digits.onnx", "--json")

    assert finished.code == 0, finished.err
    answer = finished.json
    assert answer["input"] == {"name": "images", "type": "uint8", "shape": ["n", 1, 28, 28]}
    assert [output["name"] for output in answer["outputs"]] == ["logits", "probabilities"]
    assert answer["classes"] == list("0123456789")
    assert answer["bytes"] == (folder / "digits.onnx").stat().st_size
    # Of all that the exporter could tell its developers, nothing.
    assert finished.err.splitlines()[0].startswith("digits.onnx: ")
    assert len(finished.err.splitlines()) == 5


def test_without_a_file_nothing_is_exported(honshi_there: Callable[..., Any]) -> None:
    finished = honshi_there("export", "first")

    assert finished.code == 2
    assert "--onnx" in finished.err
