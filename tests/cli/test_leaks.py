"""Leaks as a user meets them: in a data set of their own, at the training and at the exam."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.drawn import pixels
from torch import Tensor

import honshi as library
from honshi.data.copies import Leak, find_leaks
from honshi.reports.side_by_side import draw_leaks

QUICK = ("--epochs", "1", "--hidden", "16")


def write_idx(path: Path, values: Tensor) -> None:
    header = bytes([0, 0, 8, values.dim()]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(header + values.to(torch.uint8).numpy().tobytes())


@pytest.fixture
def leaky(tmp_path: Path, mnist: library.Splits) -> str:
    """600 training images, 100 of them twice, and 100 test images, 5 of which are training images."""
    pixels, labels = mnist.train.pixels[:600, 0], mnist.train.labels[:600]
    test_pixels = torch.cat([mnist.val.pixels[:95, 0], pixels[200:205]])
    test_labels = torch.cat([mnist.val.labels[:95], labels[200:205]])
    folder = tmp_path / "data"
    folder.mkdir()
    write_idx(folder / "train-images-idx3-ubyte", torch.cat([pixels, pixels[:100]]))
    write_idx(folder / "train-labels-idx1-ubyte", torch.cat([labels, labels[:100]]))
    write_idx(folder / "t10k-images-idx3-ubyte", test_pixels)
    write_idx(folder / "t10k-labels-idx1-ubyte", test_labels)
    return f"idx:{folder}"


def test_a_training_tells_of_leaks_and_draws_them(honshi: Callable[..., Any], leaky: str, tmp_path: Path) -> None:
    finished = honshi("train", "--data", leaky, *QUICK, "--out", "run")

    assert "validation images are among the training images too" in finished.out
    assert "--drop-leaks" in finished.out
    leaks = [Leak(**one) for one in json.loads((tmp_path / "run" / "leaks.json").read_text())]
    splits = library.load(leaky, normalize=(0.5, 0.5))
    assert leaks == find_leaks(splits.train, splits.val) != []
    draw_leaks(leaks, splits.train, splits.val, tmp_path / "again.png")
    assert np.array_equal(pixels(tmp_path / "run" / "leaks.png"), pixels(tmp_path / "again.png"))


def test_dropping_leaks_trains_without_them(honshi: Callable[..., Any], leaky: str, tmp_path: Path) -> None:
    honshi("train", "--data", leaky, *QUICK, "--out", "with")
    finished = honshi("train", "--data", leaky, *QUICK, "--drop-leaks", "--out", "without")

    assert "no validation image is among the training images" in finished.out
    sizes = [json.loads((tmp_path / name / "split.json").read_text())["train_size"] for name in ("with", "without")]
    leaks = len(json.loads((tmp_path / "with" / "leaks.json").read_text()))
    # Also gone are the training images that are tested, of which the validation part may hold some.
    assert sizes[0] - leaks - 5 <= sizes[1] < sizes[0] - leaks
    assert honshi("validate", "without").code == 0
    assert honshi("test", "without", "--yes", "--json").json["leaks"] == {"exact": 0, "near": 0}


def test_the_exam_tells_the_accuracy_without_leaks(honshi: Callable[..., Any], leaky: str, tmp_path: Path) -> None:
    honshi("train", "--data", leaky, *QUICK, "--out", "run")

    result = honshi("test", "run", "--yes", "--json")

    assert 1 <= result.json["leaks"]["exact"] <= 5
    assert result.json["without_leaks"]["n"] == 100 - sum(result.json["leaks"].values())
    assert "On the others the accuracy is" in result.err
    # A row of up to four pairs under a title.
    assert pixels(tmp_path / "run" / "test-leaks.png").shape[1] == 1560
