from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.data.folders import class_folders

from honshi.actions.suggest import suggest
from honshi.recipe import DataOptions
from honshi.recipe.suggestion import WEIGHTS


def asked(source: Path, **options: Any) -> DataOptions:
    return DataOptions(source=str(source), **options)


def photographs(folder: Path) -> Path:
    for number in range(12):
        path = folder / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (100, 120, 3), dtype=np.uint8)).save(path)
    return folder


@pytest.mark.skipif(find_spec(WEIGHTS) is None, reason="the extra photos is not installed")
def test_photographs_are_seen_by_a_pretrained_backbone(tmp_path: Path) -> None:
    found = suggest(asked(photographs(tmp_path / "photographs")))

    assert found is not None
    assert found.recipe == "photos"
    assert "12 of them are too few" in str(found.why)


def test_small_pictures_are_taken_as_they_are(tmp_path: Path) -> None:
    class_folders(tmp_path / "small", range(20))

    for options, recipe in (
        (asked(tmp_path / "small"), "cnn"),
        (asked(photographs(tmp_path / "photographs"), size=32), "colour"),
    ):
        found = suggest(options)
        assert found is not None
        assert found.recipe == recipe


def test_data_with_a_shape_of_their_own_need_none(idx_folder: Path) -> None:
    assert suggest(asked(idx_folder)) is None
