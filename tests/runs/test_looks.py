from __future__ import annotations

import subprocess
import sys

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
    assert "20 times" in wear.sentence


def test_one_look_is_said_in_the_singular() -> None:
    looks.note("a", "epoch", "first")

    assert looks.describe("a", 6000, 0.97).sentence == "This validation set was looked at once."
