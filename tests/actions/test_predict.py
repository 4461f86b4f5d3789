"""Answers as the table that a competition wants."""

from __future__ import annotations

import csv
import io
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from honshi.actions.predict import Answers, Submission, matching
from honshi.errors import ImageError, RequestError
from honshi.pictures.contract import InputContract, Normalization
from honshi.prediction import Answer, Prediction

CLASSES = ("犬", 'a "quoted", one')


def answers(*names: str) -> Answers:
    found = Prediction(CLASSES[1], 0.75, {CLASSES[0]: 0.25, CLASSES[1]: 0.75})
    each = [Answer(Path(name), found) for name in names]
    contract = InputContract(shape=(1, 28, 28), normalization=Normalization(mean=(0.5,), std=(0.5,)), background=0.0)
    return Answers([*each, Answer(Path("test/bad.png"), None, ImageError("damaged"))], [], CLASSES, contract, False)


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode())))


def test_ids_and_labels_are_as_a_competition_calls_them() -> None:
    found = answers("test/10.png", "test/007.png")

    assert rows(found.to_csv(Submission(("id", "label")))) == [
        ["id", "label"],
        ["10", CLASSES[1]],
        ["007", CLASSES[1]],
        ["bad", ""],
    ]
    assert rows(found.to_csv(Submission(("image", "target"))))[1] == ["10.png", CLASSES[1]]
    assert rows(found.to_csv())[1] == ["test/10.png", CLASSES[1], "0.75"]


def test_probabilities_have_a_column_each() -> None:
    found = rows(answers("1.png").to_csv(Submission(("id", "label"), probabilities=True)))

    assert found == [["id", "label", *CLASSES], ["1", CLASSES[1], "0.25", "0.75"], ["bad", "", "", ""]]


@given(numbers=st.lists(st.integers(0, 10**12), unique=True, max_size=30), seed=st.integers(0, 99))
def test_sorted_2_stands_before_10(numbers: list[int], seed: int) -> None:
    names = [f"test/cell{number}.png" for number in sorted(numbers)]
    mixed = random.Random(seed).sample(names, len(names))

    found = rows(answers(*mixed).to_csv(Submission(sort=True)))

    assert [name for name, *_ in found[1:] if name != "test/bad.png"] == names


@pytest.mark.parametrize("columns", [(), ("id",), ("id", "id"), ("id", ""), ("a", "b", "c", "d")])
def test_what_are_no_columns_is_a_sentence(columns: tuple[str, ...]) -> None:
    with pytest.raises(RequestError, match="two or three different names"):
        Submission(columns)


def test_a_pattern_that_the_shell_has_left_is_resolved_and_a_file_of_that_name_goes_before(tmp_path: Path) -> None:
    for name in ("2.png", "10.png", "a.txt"):
        (tmp_path / name).touch()

    assert matching(tmp_path / "*.png") == [tmp_path / "2.png", tmp_path / "10.png"]
    assert matching(tmp_path / "*.jpg") == [tmp_path / "*.jpg"]
    (tmp_path / "[1].png").touch()
    assert matching(tmp_path / "[1].png") == [tmp_path / "[1].png"]
