"""What was decided of a picture stays, whatever is done to it and to the others."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import sqlite3
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from honshi.data import Images
from honshi.data.listing import TEST, TRAIN, UNDIVIDED, VAL
from honshi.data.parts.register import Register
from honshi.data.parts.settle import NOWHERE, Pictures, Settled, settle
from honshi.errors import DataError, WriteError


@dataclass(frozen=True)
class Picture:
    """One of someone's own: what it shows, its class, how often it was saved again, and in which group it is."""

    shows: int
    label: int
    saved: int = 0
    group: str = ""
    part: int = UNDIVIDED

    @property
    def key(self) -> bytes:
        return hashlib.sha256(f"{self.shows} {self.saved}".encode()).digest()

    @property
    def pixels(self) -> NDArray[np.uint8]:
        coarse = np.random.default_rng(self.shows).integers(0, 256, (8, 8))
        noise = np.random.default_rng([self.shows, self.saved]).integers(-2, 3, (32, 32))
        pixels: NDArray[np.uint8] = np.clip(np.kron(coarse, np.ones((4, 4), int)) + noise, 0, 255).astype(np.uint8)
        return pixels


def drawn(count: int, first: int = 0, **about: Any) -> list[Picture]:
    return [Picture(shows, shows % 2, **about) for shows in range(first, first + count)]


def divided(pictures: Sequence[Picture], share: float | None = None, *, exam: bool = True, fit: str = "pad") -> Settled:
    labels = np.array([picture.label for picture in pictures])
    classes = int(labels.max()) + 1
    pixels = torch.from_numpy(np.stack([picture.pixels for picture in pictures])).unsqueeze(1)
    groups = [picture.group for picture in pictures]
    return settle(
        Pictures(
            keys=np.frombuffer(b"".join(picture.key for picture in pictures), dtype=np.uint8).reshape(-1, 32),
            labels=labels,
            classes=classes,
            published=np.array([picture.part for picture in pictures], dtype=np.int8),
            groups=groups if any(groups) else None,
            images=Images(pixels=pixels, labels=torch.from_numpy(labels), classes=tuple(map(str, range(classes)))),
            fit=fit,
        ),
        share,
        exam=exam,
    )


def in_part(pictures: Sequence[Picture], settled: Settled, part: int) -> list[Picture]:
    return [picture for picture, found in zip(pictures, settled.parts.tolist(), strict=True) if found == part]


def shown(pictures: Sequence[Picture], settled: Settled, part: int) -> set[int]:
    return {picture.shows for picture in in_part(pictures, settled, part)}


def groups_in(pictures: Sequence[Picture], settled: Settled, part: int) -> set[str]:
    return {picture.group for picture in in_part(pictures, settled, part)}


def test_a_share_of_each_class_is_set_aside() -> None:
    pictures = drawn(100) + [Picture(1000 + shows, 2) for shows in range(40)]
    settled = divided(pictures, 0.2)
    assert np.bincount([picture.label for picture in in_part(pictures, settled, TEST)]).tolist() == [10, 10, 8]
    assert settled.new.all()


def test_without_a_word_it_is_15_percent() -> None:
    assert len(in_part(drawn(200), divided(drawn(200)), TEST)) == 30


def test_it_depends_neither_on_the_order_nor_on_what_is_asked_for_later() -> None:
    pictures = drawn(60)
    sealed = shown(pictures, divided(pictures), TEST)
    assert shown(pictures[::-1], divided(pictures[::-1], 0.5, fit="crop"), TEST) == sealed


def test_the_same_pictures_are_divided_alike_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = drawn(60)
    sealed = shown(pictures, divided(pictures), TEST)
    monkeypatch.setenv("HONSHI_HOME", str(tmp_path / "another"))
    assert shown(pictures[::-1], divided(pictures[::-1]), TEST) == sealed


def test_new_pictures_are_divided_in_the_same_proportion_also_where_they_come_one_by_one() -> None:
    pictures = drawn(40)
    settled = divided(pictures, 0.25)
    for shows in range(40, 80):
        pictures = [*pictures, Picture(shows, shows % 2)]
        settled = divided(pictures, 0.9)
    assert settled.share == 0.25
    assert len(in_part(pictures, settled, TEST)) == 20


def test_where_the_exam_was_removed_not_all_that_is_new_makes_up_for_it() -> None:
    pictures = drawn(200)
    more = in_part(pictures, divided(pictures), TRAIN) + drawn(20, first=1000)
    assert 1 <= len(in_part(more, divided(more), TEST)) <= 6


def test_a_group_is_on_one_side() -> None:
    pictures = [Picture(shows, shows % 2, group=f"patient {shows // 5}") for shows in range(100)]
    settled = divided(pictures)
    assert groups_in(pictures, settled, TEST)
    assert not groups_in(pictures, settled, TEST) & groups_in(pictures, settled, TRAIN)


def test_a_new_picture_of_a_group_goes_where_the_group_is() -> None:
    pictures = [Picture(shows, shows % 2, group=f"patient {shows // 5}") for shows in range(100)]
    divided(pictures)
    more = pictures + [Picture(1000 + shows, shows % 2, group=f"patient {shows}") for shows in range(20)]
    settled = divided(more)
    assert not groups_in(more, settled, TEST) & groups_in(more, settled, TRAIN)
    assert (settled.parts != NOWHERE).all()


def test_copies_are_on_one_side() -> None:
    pictures = drawn(60) + drawn(60, saved=1)
    settled = divided(pictures)
    assert shown(pictures, settled, TEST)
    assert not shown(pictures, settled, TEST) & shown(pictures, settled, TRAIN)
    assert settled.copies == 120
    assert settled.compared


def test_a_copy_of_a_sealed_picture_that_is_gone_never_comes_into_training() -> None:
    """As where a whole folder is saved in another format."""
    pictures, saved_again = drawn(60), drawn(60, saved=1)
    sealed = shown(pictures, divided(pictures), TEST)
    assert shown(saved_again, divided(saved_again), TEST) == sealed


def test_a_picture_between_both_sides_is_on_neither() -> None:
    pictures = drawn(60)
    settled = divided(pictures)
    sealed, free = in_part(pictures, settled, TEST)[0], in_part(pictures, settled, TRAIN)[0]
    grouped = [replace(one, group="a" if one == sealed else "") for one in pictures]
    # A copy of the one, in the group of the other.
    more = [*grouped, replace(free, saved=1, group="a")]
    again = divided(more)
    assert again.between.tolist() == [False] * 60 + [True]
    assert again.parts.tolist() == [*settled.parts, NOWHERE]


def test_where_groups_are_named_later_what_is_sealed_stays_and_its_group_is_not_trained_on() -> None:
    pictures = drawn(100)
    sealed = shown(pictures, divided(pictures), TEST)
    grouped = [replace(one, group=f"{one.shows // 2}") for one in pictures]
    settled = divided(grouped)
    assert shown(grouped, settled, TEST) == sealed
    assert settled.torn.any()
    assert not groups_in(grouped, settled, TEST) & groups_in(grouped, settled, TRAIN)
    # Without the groups they are trained on again: they were never in an exam.
    assert not divided(pictures).torn.any()


def test_published_validation_pictures_stay_what_they_are() -> None:
    pictures = drawn(20, part=VAL) + drawn(80, first=20, part=TRAIN)
    settled = divided(pictures)
    assert (settled.parts[:20] == VAL).all()
    assert len(in_part(pictures, settled, TEST)) == 15


def test_where_a_test_part_is_published_nothing_is_set_aside() -> None:
    settled = divided(drawn(40, part=TRAIN), exam=False)
    assert (settled.parts == TRAIN).all()
    assert settled.share is None


def test_what_was_sealed_is_not_trained_on_where_the_folders_say_so_later() -> None:
    pictures, moved = drawn(60), drawn(60, part=TRAIN)
    sealed = shown(pictures, divided(pictures), TEST)
    settled = divided(moved, exam=False)
    assert shown(moved, settled, NOWHERE) == sealed
    assert settled.sealed_elsewhere.sum() == len(sealed)


def test_what_was_published_for_learning_does_not_come_into_an_exam_later() -> None:
    divided(drawn(60, part=TRAIN), exam=False)
    pictures = drawn(90)
    sealed = shown(pictures, divided(pictures), TEST)
    assert len(sealed) == 4
    assert min(sealed) >= 60


def test_two_publishers_may_divide_the_same_pictures_in_two_ways() -> None:
    first = drawn(30, part=TRAIN) + drawn(30, first=30, part=VAL)
    second = drawn(30, part=VAL) + drawn(30, first=30, part=TRAIN)
    assert divided(first, exam=False).parts.tolist() == [TRAIN] * 30 + [VAL] * 30
    assert divided(second, exam=False).parts.tolist() == [VAL] * 30 + [TRAIN] * 30


@pytest.mark.parametrize("count", [1, 2])
def test_of_two_pictures_none_is_set_aside(count: int) -> None:
    assert not shown(drawn(count), divided(drawn(count)), TEST)


def test_of_three_groups_one_is_the_exam() -> None:
    pictures = [Picture(shows, shows % 2, group=f"{shows % 3}") for shows in range(60)]
    assert len(in_part(pictures, divided(pictures), TEST)) == 20


CHANGES = (
    ("add", 1, 12),
    ("remove", 0, 100),
    ("relabel", 0, 100),
    ("save again", 0, 100),
    ("rename", 0, 100),
    ("another fit", 0, 1),
    ("group", 1, 6),
    ("another share", 1, 9),
)
changes = st.lists(
    st.one_of([st.tuples(st.just(kind), st.integers(least, most)) for kind, least, most in CHANGES]), max_size=12
)


@given(st.integers(3, 30), changes)
@settings(max_examples=60)
def test_no_picture_ever_crosses_the_seal(count: int, changes: list[tuple[str, int]]) -> None:
    """Whatever is done, in whatever order: a picture that was for learning is never in the exam, nor a copy of it."""
    pictures, fit, share, following = drawn(count), "pad", 0.15, 1000
    learnt, sealed = set[int](), set[int]()
    with tempfile.TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HONSHI_HOME", home)
        for change, number in [("begin", 0), *changes]:
            at = number % len(pictures)
            one = pictures[at]
            match change:
                case "add":
                    pictures = pictures + drawn(number, first=following)
                    following += number
                case "remove" if len(pictures) > 1:
                    pictures = pictures[:at] + pictures[at + 1 :]
                case "relabel":
                    pictures = [*pictures[:at], replace(one, label=1 - one.label), *pictures[at + 1 :]]
                case "save again":
                    # Beside the old one: how alike two pictures get is not known of one that is alone.
                    pictures = [*pictures, replace(one, saved=one.saved + 1)]
                case "rename":
                    pictures = pictures[at:] + pictures[:at]
                case "another fit":
                    fit = "crop" if number else "pad"
                case "group":
                    pictures = [replace(one, group=f"{one.shows % number}") for one in pictures]
                case "another share":
                    share = number / 10
            settled = divided(pictures, share, fit=fit)
            learnt |= shown(pictures, settled, TRAIN)
            sealed |= shown(pictures, settled, TEST)
            assert not learnt & sealed


def _divide(barrier: Any, results: Any, step: int) -> None:
    barrier.wait()
    pictures = drawn(40)[::step]
    results.put(shown(pictures, divided(pictures), TEST))


def test_two_processes_at_once_decide_the_same() -> None:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(2), context.Queue()
    both = [context.Process(target=_divide, args=(barrier, results, step)) for step in (1, -1)]
    for process in both:
        process.start()
    found = [results.get(timeout=60) for _ in both]
    for process in both:
        process.join()
    assert found[0] == found[1] == shown(drawn(40), divided(drawn(40)), TEST)


def _killed_while_deciding() -> None:
    keep = Register.keep_small

    def die(*arguments: Any) -> None:
        keep(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(Register, "keep_small", die)  # noqa: B010
    divided(drawn(40))


def test_whoever_is_killed_while_deciding_has_decided_nothing() -> None:
    process = multiprocessing.get_context("fork").Process(target=_killed_while_deciding)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    settled = divided(drawn(40))
    assert settled.new.all()
    assert len(shown(drawn(40), settled, TEST)) == 6


def test_a_damaged_register_is_not_begun_anew(honshi_home: Path) -> None:
    divided(drawn(40))
    (honshi_home / "parts.sqlite3").write_bytes(b"SQLite format 3\0" + b"garbage" * 1000)
    with pytest.raises(DataError, match=r"parts\.sqlite3.*damaged"):
        divided(drawn(40))


def test_where_it_cannot_be_remembered_nothing_is_set_aside(honshi_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    divided(drawn(40))
    connection = sqlite3.connect(honshi_home / "parts.sqlite3", isolation_level=None)
    connection.execute("BEGIN EXCLUSIVE")
    monkeypatch.setattr("honshi.data.parts.register.WAIT_SECONDS", 0.1)
    with pytest.raises(WriteError, match="another process"):
        divided(drawn(60))
    connection.close()
