"""The model card: what is known stands there, and what is not is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from honshi.messages import Message
from honshi.pictures.contract import InputContract, Normalization
from honshi.reports.model_card import CLASSES_SHOWN, ModelCard, Sat

CARD = ModelCard(
    run="pets",
    file="pets.onnx",
    sha256="ab" * 32,
    trained=datetime(2026, 11, 27, tzinfo=UTC),
    version="0.1.0",
    classes=("cat", "dog"),
    contract=InputContract(shape=(3, 48, 64), normalization=Normalization(mean=(0.5,) * 3, std=(0.2,) * 3), fit="crop"),
    temperature=1.5,
    model="cnn",
    parameters=1234,
    data="my-pets",
    train_size=700,
    val_size=100,
    accuracy=0.8,
    interval=(0.711, 0.867),
    wear=Message("This validation set was looked at once."),
    by_folds=False,
    parity=Message("The file agrees."),
    sat=(),
)
SAT = Sat(
    test_set="my-pets",
    time=datetime(2026, 11, 28, tzinfo=UTC),
    opening=2,
    n=150,
    accuracy=0.78,
    interval=(0.707, 0.839),
    expected=0.8,
    leaks=3,
)


def test_it_says_what_the_model_takes_and_gives() -> None:
    text = CARD.to_markdown()

    assert "- Classes, in the order of the outputs: `cat`, `dog`" in text
    assert "colour images of 64 x 48 pixels" in text
    assert "scaled until it covers, and cut to its centre" in text
    assert "temperature 1.5000" in text
    assert "MNIST" not in text


def test_validation_and_exam_stand_in_one_table_and_are_told_apart() -> None:
    text = replace(CARD, sat=(SAT,)).to_markdown()

    assert "| validation (the mock exam) | 100 | 80.00% | 71.10% – 86.70% |" in text
    assert "| exam on my-pets, opening 2 | 150 | 78.00% | 70.70% – 83.90% |" in text
    assert "expected was 80.00%; 3 of its images are among those for training" in text


@pytest.mark.parametrize(
    ("sat", "sentence"), [((), "It has sat no exam"), (None, "the ledger could not be read")], ids=["none", "unknown"]
)
def test_what_is_not_known_of_the_exam_is_said(sat: tuple[Sat, ...] | None, sentence: str) -> None:
    assert sentence in replace(CARD, sat=sat).to_markdown()


def test_names_of_classes_stay_on_their_line_and_many_are_cut() -> None:
    names = ("a|b", "two\nlines", "tick`s", *map(str, range(CLASSES_SHOWN)))
    (line,) = [line for line in replace(CARD, classes=names).to_markdown().splitlines() if "Classes" in line]

    assert "`a|b`, `two lines`, `` tick`s ``" in line
    assert line.endswith(", …")


def test_only_people_can_say_what_it_is_for() -> None:
    assert CARD.to_markdown().count("*(to be filled in)*") == 2
