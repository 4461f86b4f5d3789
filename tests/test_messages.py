"""Sentences with named places."""

from __future__ import annotations

from honshi.messages import Message


def test_a_message_fills_its_places_in() -> None:
    assert str(Message("{count:,} images of {name}", count=1234, name="mnist")) == "1,234 images of mnist"


def test_a_sentence_without_parameters_stays_as_it_is() -> None:
    assert str(Message('{"shift": 0.1} is a table')) == '{"shift": 0.1} is a table'


def test_a_message_within_another_is_filled_in_as_text() -> None:
    inner = Message("it ends at {byte}", byte=7)
    assert str(Message("{path}: {problem}.", path="a.gz", problem=inner)) == "a.gz: it ends at 7."


def test_messages_are_equal_when_sentence_and_parameters_are() -> None:
    assert Message("{n}", n=1) == Message("{n}", n=1)
    assert Message("{n}", n=1) != Message("{n}", n=2)
    assert Message("{n}", n=1) != "1"
    assert len({Message("{n}", n=1), Message("{n}", n=1)}) == 1
