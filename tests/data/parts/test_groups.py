"""Groups by names."""

from __future__ import annotations

import pytest

from honshi.data.parts.groups import groups_by_name
from honshi.errors import RequestError

NAMES = ["猫/患者07_左.png", "猫/患者07_右.png", "犬/患者12_左.png"]


def test_pictures_whose_names_have_the_same_in_the_group_belong_together() -> None:
    assert groups_by_name(NAMES, r"患者(\d+)_") == ["07", "07", "12"]


def test_it_is_searched_in_the_whole_name() -> None:
    assert groups_by_name(NAMES, r"^(.*?)/") == ["猫", "猫", "犬"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "not a regular expression"),
        (r"\d+", "has 0"),
        (r"(\d)(\d)", "has 2"),
        (r"patient(\d+)", "3 of 3 names do not match it, among them 猫/患者07_左.png"),
        (r"患者(0\d)_", "1 of 3 names"),
        (r"患者(0\d)?", "1 of 3 names"),
    ],
)
def test_a_pattern_that_gives_no_groups_is_refused(pattern: str, said: str) -> None:
    with pytest.raises(RequestError) as caught:
        groups_by_name(NAMES, pattern)
    assert said in str(caught.value)
