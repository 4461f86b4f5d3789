from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


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
    assert len(finished.err.splitlines()) == 6


def test_its_answers_to_the_validation_images_are_compared(honshi_there: Callable[..., Any], folder: Path) -> None:
    finished = honshi_there("export", "first", "--onnx", "compared.onnx", "--json")

    parity = finished.json["parity"]
    assert (parity["n"], parity["same"]) == (6_000, 6_000)
    assert 0 < parity["difference"] < 1e-4
    assert "On 6,000 validation images ONNX Runtime gives the same answer for 6,000" in finished.err


def test_a_model_card_is_written_beside_it_and_never_over_another(
    honshi_there: Callable[..., Any], folder: Path
) -> None:
    honshi_there("test", "first", "--yes", "--predict", "0.6")
    exam = honshi_there("test", "first", "--json").json
    honshi_there("export", "first", "--onnx", "carded.onnx")
    card = (folder / "carded.md").read_text("utf-8")

    assert card.startswith("# first\n")
    assert f"| exam on mnist, opening 1 | 10,000 | {exam['accuracy']:.2%} |" in card
    assert "expected was 60.00%" in card
    assert hashlib.sha256((folder / "carded.onnx").read_bytes()).hexdigest() in card

    (folder / "carded.md").write_text("filled in")
    again = honshi_there("export", "first", "--onnx", "carded.onnx")
    assert (again.code, (folder / "carded.md").read_text()) == (0, "filled in")
    assert "carded.md is there already and was left as it is" in again.out


def test_where_the_data_are_gone_it_is_said_and_the_file_is_written(honshi: Callable[..., Any], tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    for label, light in (("dark", 40), ("light", 140)):
        (pictures / label).mkdir(parents=True)
        for number in range(12):
            noise = np.random.default_rng([light, number]).integers(0, 100, (16, 16)) + light
            Image.fromarray(noise.astype(np.uint8)).save(pictures / label / f"{number}.png")
    assert honshi("train", "mlp", "--data", pictures, "--epochs", "1", "--out", "runs/own").code == 0
    shutil.rmtree(pictures)

    finished = honshi("export", "own", "--onnx", "own.onnx")

    assert finished.code == 0, finished.err
    assert "It was not compared on validation images" in finished.out
    assert (tmp_path / "own.onnx").exists()
    assert "It has sat no exam" in (tmp_path / "own.md").read_text("utf-8")


def test_the_card_cannot_take_the_place_of_the_file(honshi_there: Callable[..., Any]) -> None:
    refused = honshi_there("export", "first", "--onnx", "digits.md")

    assert refused.code == 2
    assert "that is to be the model card" in refused.err


def test_without_a_file_nothing_is_exported(honshi_there: Callable[..., Any]) -> None:
    finished = honshi_there("export", "first")

    assert finished.code == 2
    assert "--onnx" in finished.err
