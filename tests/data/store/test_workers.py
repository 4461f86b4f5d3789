"""Pictures decoded by several processes: the same ones, whatever becomes of a process."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.data.store.pictures import draw, listed

from honshi.data.store import Form, workers
from honshi.data.store.decoding import Decoded

CONTRACT = Form(shape=(3, 8, 9)).contract


def by_place(folder: Path, processes: int) -> dict[int, Decoded]:
    listing = listed(folder)
    results = workers.decoded(listing, range(len(listing)), CONTRACT, processes=processes)
    return {each.place: each for chunk in results for each in chunk}


def test_processes_give_what_one_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = draw(tmp_path / "pets", 100)
    (folder / "cat/bad.png").write_bytes(b"no picture")
    alone = by_place(folder, 1)
    monkeypatch.setattr(workers, "WORTH_SECONDS", 0.0)
    monkeypatch.setattr(workers, "CHUNK", 4)
    helpers: list[object] = []
    monkeypatch.setattr(workers._Helper, "__init__", _noted(helpers, workers._Helper.__init__))

    together = by_place(folder, 3)

    assert len(alone) == 101
    assert together == alone
    assert len(helpers) == 2


def test_a_decoder_that_breaks_down_is_told_of_its_picture_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = draw(tmp_path / "pets", 8)
    helper = workers._Helper(CONTRACT)
    work: workers.Work = [(place, name, folder / name) for place, name in enumerate(listed(folder).names)]
    good = helper.decode(work)
    # What ends the process that unpickles it is as good as a decoder that does.
    broken = [*work[:3], (3, work[3][1], _Exits()), *work[4:]]

    found = helper.decode(broken)  # type: ignore[arg-type]

    assert [each.place for each in found] == list(range(8))
    assert str(found[3].problem) == f"{work[3][1]}: the image cannot be read: its decoder broke down."
    assert found[:3] + found[4:] == good[:3] + good[4:]
    helper.stop()


class _Exits:
    """Ends the process that unpickles it."""

    def __reduce__(self) -> tuple[object, ...]:
        import os

        return os._exit, (11,)


@pytest.mark.parametrize(("asked", "expected"), [("1", 1), ("1,2", 1), ("", None), ("many", None), ("9999", None)])
def test_no_more_processes_than_threads_are_asked_for(
    asked: str, expected: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    limited = workers.cores()
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert limited == (expected or workers.cores())


def _noted(calls: list[object], function: object) -> object:
    def wrapped(self: object, *arguments: object) -> object:
        calls.append(arguments)
        return function(self, *arguments)  # type: ignore[operator]

    return wrapped
