"""The same pictures are the same exam, whatever size they are brought to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tests.data.folders import class_folders

import honshi
from honshi.errors import AlreadyOpenedError
from honshi.exam.pictures import keep, name_of, shared


def keys(numbers: range) -> NDArray[np.uint8]:
    return np.repeat(np.array(numbers, dtype=np.uint8)[:, None], 32, axis=1)


def test_the_name_of_a_set_of_pictures_does_not_depend_on_their_order() -> None:
    assert name_of(keys(range(5))) == name_of(keys(range(5))[::-1]) != name_of(keys(range(6)))


def test_it_is_told_how_many_of_some_pictures_were_in_another_exam() -> None:
    keep(keys(range(10)))
    name = name_of(keys(range(10)))
    assert shared(keys(range(10)), name) == 1
    assert shared(keys(range(5, 15)), name) == 0.5
    assert shared(keys(range(10, 20)), name) == 0
    assert shared(keys(range(0)), name) == 0


def test_where_it_was_not_kept_only_the_very_same_pictures_are_known() -> None:
    name = name_of(keys(range(10)))
    assert shared(keys(range(10)), name) == 1
    assert shared(keys(range(9)), name) == 0


def sat(folder: Path, size: int, again: str | None = None) -> honshi.ExamResult:
    splits = honshi.load(str(folder), size=size)
    torch.manual_seed(0)
    model = honshi.models.CNN(channels=3, widths=(8,), classes=2)
    return honshi.test(model, splits.test, again=again)


def test_another_size_is_a_second_opening(tmp_path: Path) -> None:
    class_folders(tmp_path / "絵", range(40))
    first = sat(tmp_path / "絵", 16)
    assert first.opening == 1
    assert sat(tmp_path / "絵", 16).recorded == first.recorded
    with pytest.raises(
        AlreadyOpenedError, match="this is the same exam: its pictures, or some of them, at another size"
    ):
        sat(tmp_path / "絵", 20)
    second = sat(tmp_path / "絵", 20, again="larger")
    assert (second.opening, second.openings, second.first) == (2, 2, False)


def test_an_exam_that_has_grown_is_opened_once_more(tmp_path: Path) -> None:
    class_folders(tmp_path / "絵", range(40))
    sat(tmp_path / "絵", 16)
    class_folders(tmp_path / "絵", range(100, 140))
    with pytest.raises(AlreadyOpenedError, match="this is the same exam"):
        sat(tmp_path / "絵", 16)


def test_other_pictures_are_another_exam(tmp_path: Path) -> None:
    for name, first in (("絵", 0), ("others", 100)):
        class_folders(tmp_path / name, range(first, first + 40))
        assert sat(tmp_path / name, 16).opening == 1
