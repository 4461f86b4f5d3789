from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import honshi
from honshi.errors import WriteError
from honshi.evaluation.optimism import best_of
from honshi.runs import looks


def test_a_set_that_nobody_looked_at_has_no_looks() -> None:
    assert looks.count("a") == 0


def test_looks_are_counted_by_the_content_of_the_set() -> None:
    looks.note("a", "epoch", "first")
    looks.note("a", "validate", "second")
    looks.note("b", "epoch", "first")

    assert (looks.count("a"), looks.count("b")) == (2, 1)
    assert (looks.count("a", "epoch"), looks.count("a", "trial")) == (1, 0)


def test_processes_that_look_at_once_are_all_counted() -> None:
    code = "from honshi.runs import looks\nfor _ in range(50): looks.note('a', 'trial', 'x')"
    processes = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]

    assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
    assert looks.count("a") == 150


def test_the_wear_says_what_chance_explains() -> None:
    for _ in range(20):
        looks.note("a", "epoch", "first")

    wear = looks.describe("a", 6000, 0.97)

    assert wear.looks == 20
    assert wear.optimism == best_of(20, 6000, 0.97)
    assert "20 times" in str(wear.sentence)


def test_one_look_is_said_in_the_singular() -> None:
    looks.note("a", "epoch", "first")

    assert str(looks.describe("a", 6000, 0.97).sentence) == "This validation set was looked at once."


def test_half_a_line_of_a_full_disk_is_a_look_and_the_next_one_is_whole(honshi_home: Path) -> None:
    looks.note("a", "trial", "first")
    path = honshi_home / "looks" / "a.jsonl"
    path.write_bytes(path.read_bytes() + b'{"time": "2030-01-02T03:04:05+00:00", "ki')

    looks.note("a", "trial", "second")

    assert looks.count("a") == 3
    assert looks.count("a", "trial") == 2
    assert json.loads(path.read_bytes().splitlines()[-1])["run"] == "second"


def test_a_look_behind_half_a_line_counts_as_well(honshi_home: Path) -> None:
    looks.note("a", "trial", "first")
    path = honshi_home / "looks" / "a.jsonl"
    path.write_bytes(b'{"time": "2030' + path.read_bytes())

    assert looks.count("a", "trial") == 1


@given(damage=st.binary(max_size=200))
def test_damage_hides_no_look_that_is_whole(damage: bytes) -> None:
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HONSHI_HOME", home)
        looks.note("a", "trial", "first")
        path = Path(home, "looks", "a.jsonl")
        path.write_bytes(path.read_bytes() + damage)
        looks.note("a", "trial", "second")

        assert looks.count("a", "trial") == 2
        assert looks.count("a") >= 2


def test_zeros_that_a_power_cut_left_are_no_look(honshi_home: Path) -> None:
    looks.note("a", "trial", "first")
    path = honshi_home / "looks" / "a.jsonl"
    path.write_bytes(path.read_bytes() + b"\0" * 4096)

    assert looks.count("a") == 1


def test_a_run_may_be_called_as_a_kind() -> None:
    looks.note("a", "epoch", '"kind": "trial"')

    assert looks.count("a", "trial") == 0


def test_where_looks_cannot_be_written_down_it_is_said(honshi_home: Path) -> None:
    honshi_home.mkdir()
    (honshi_home / "looks").write_text("a file")

    with pytest.raises(WriteError, match=r"looks: this cannot be written"):
        looks.note("a", "epoch", "first")
    with pytest.raises(WriteError, match=r"looks: this cannot be written"):
        looks.make_room("a")


class TestEarlierNames:
    """The first version named the file of a validation set by a hash over its images in their order."""

    @pytest.fixture
    def val(self) -> honshi.Images:
        return honshi.Images(
            pixels=torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1),
            labels=torch.zeros(4, dtype=torch.int64),
            classes=("a",),
        )

    def test_its_looks_count_under_both_names(self, val: honshi.Images) -> None:
        looks.note(val.sha256(), "epoch", "first")
        looks.note(val.identity, "epoch", "second")
        looks.adopt(val)
        assert looks.count(val.identity) == looks.count(val.sha256()) == 2
        assert looks.known_as(val.sha256()) == looks.known_as(val.identity) == val.identity

    def test_to_say_it_twice_counts_nothing_twice(self, val: honshi.Images) -> None:
        looks.note(val.sha256(), "epoch", "first")
        looks.adopt(val)
        looks.adopt(val)
        assert looks.count(val.identity) == 1

    def test_two_orders_of_one_set_are_one_set(self, val: honshi.Images) -> None:
        turned = val.subset([3, 2, 1, 0])
        for each in (val, turned):
            looks.note(each.sha256(), "epoch", "first")
            looks.adopt(each)
        assert looks.count(val.identity) == looks.count(turned.sha256()) == 2

    def test_what_an_earlier_version_adds_later_counts_too(self, val: honshi.Images) -> None:
        looks.note(val.sha256(), "epoch", "first")
        looks.adopt(val)
        looks.note(val.sha256(), "validate", "first")
        assert looks.count(val.identity, "validate") == 1

    def test_a_set_that_nobody_looked_at_then_leaves_nothing_behind(
        self, val: honshi.Images, honshi_home: Path
    ) -> None:
        looks.adopt(val)
        looks.note(val.identity, "epoch", "first")
        looks.adopt(val)
        assert [path.suffix for path in (honshi_home / "looks").iterdir()] == [".jsonl"]
