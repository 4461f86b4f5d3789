from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from honshi.errors import LedgerError
from honshi.exam import Ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger with four entries."""
    ledger = Ledger(tmp_path)
    with ledger.locked():
        for number in range(1, 5):
            ledger.append("noted", value=number)
    return ledger


def lines(ledger: Ledger) -> list[str]:
    return ledger.path.read_text().splitlines(keepends=True)


def test_entries_come_back_in_order(ledger: Ledger) -> None:
    assert [entry["value"] for entry in ledger.entries()] == [1, 2, 3, 4]
    assert [entry["entry"] for entry in ledger.entries()] == [1, 2, 3, 4]


def test_each_entry_carries_the_hash_of_the_one_before(ledger: Ledger) -> None:
    entries = ledger.entries()

    assert entries[0]["previous"] == "0" * 64
    assert [entry["previous"] for entry in entries[1:]] == [entry["hash"] for entry in entries[:-1]]


@pytest.mark.parametrize("place", [0, 1, 2, 3])
def test_an_edited_entry_is_named(ledger: Ledger, place: int) -> None:
    edited = lines(ledger)
    edited[place] = edited[place].replace(f'"value": {place + 1}', '"value": 99')
    ledger.path.write_text("".join(edited))

    with pytest.raises(LedgerError, match=f"entry {place + 1} .*edited"):
        ledger.entries()


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_removed_entry_shows_at_the_one_that_took_its_place(ledger: Ledger, place: int) -> None:
    kept = lines(ledger)
    del kept[place]
    ledger.path.write_text("".join(kept))

    with pytest.raises(LedgerError, match=f"entry {place + 1} .*removed or reordered"):
        ledger.entries()


def test_a_removed_last_entry_is_missed(ledger: Ledger) -> None:
    ledger.path.write_text("".join(lines(ledger)[:-1]))

    with pytest.raises(LedgerError, match=r"entry 4 is missing"):
        ledger.entries()


def test_a_removed_ledger_is_missed(ledger: Ledger) -> None:
    ledger.path.unlink()

    with pytest.raises(LedgerError, match=r"entry 1 is missing"):
        ledger.entries()


def test_exchanged_entries_are_named(ledger: Ledger) -> None:
    first, second, third, fourth = lines(ledger)
    ledger.path.write_text(first + third + second + fourth)

    with pytest.raises(LedgerError, match=r"entry 2 .*removed or reordered"):
        ledger.entries()


def test_a_rewritten_end_is_named(ledger: Ledger, tmp_path: Path) -> None:
    other = Ledger(tmp_path / "other")
    with other.locked():
        for number in range(1, 5):
            other.append("noted", value=number * 10)
    ledger.path.write_text("".join(lines(other)))

    with pytest.raises(LedgerError, match="replaced"):
        ledger.entries()


def test_nothing_is_added_to_a_ledger_that_does_not_hold(ledger: Ledger) -> None:
    ledger.path.write_text("".join(lines(ledger)[1:]))
    before = ledger.path.read_bytes()

    with ledger.locked(), pytest.raises(LedgerError):
        ledger.append("noted", value=5)

    assert ledger.path.read_bytes() == before


@pytest.mark.parametrize("left", [1, 20, -1])
def test_a_torn_last_line_loses_nothing_before_it(ledger: Ledger, left: int) -> None:
    whole = lines(ledger)
    ledger.head_path.write_text(json.dumps({"entries": 3, "hash": ledger.entries()[2]["hash"]}))
    ledger.path.write_text("".join(whole[:3]) + whole[3][:left])

    assert ledger.torn()
    assert [entry["value"] for entry in ledger.entries()] == [1, 2, 3]
    with ledger.locked():
        ledger.append("noted", value=5)
    assert not ledger.torn()
    assert [entry["value"] for entry in ledger.entries()] == [1, 2, 3, 5]


def test_power_lost_between_entry_and_head_is_no_damage(ledger: Ledger) -> None:
    ledger.head_path.write_text(json.dumps({"entries": 3, "hash": ledger.entries()[2]["hash"]}))

    with ledger.locked():
        ledger.append("noted", value=5)

    assert [entry["value"] for entry in ledger.entries()] == [1, 2, 3, 4, 5]


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(LedgerError, match="HONSHI_HOME"), Ledger(tmp_path / "file" / "home").locked():
        pass


def test_many_processes_append_without_losing_an_entry(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from honshi.exam.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "for _ in range(5):\n"
        "    with ledger.locked(): ledger.append('noted', process=sys.argv[2])"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(number)]) for number in range(4)]

    assert [process.wait(timeout=60) for process in processes] == [0] * 4
    assert len(Ledger(tmp_path).entries()) == 20


class TestWhereWritingStops:
    """A crash, a power cut or a full disk at any place; whatever it leaves is known for what it is."""

    @given(data=st.data())
    def test_after_a_cut_anywhere_in_the_last_entry_it_is_there_or_it_is_not(
        self, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        ledger = Ledger(tmp_path_factory.mktemp("ledger"))
        count = data.draw(st.integers(1, 4))
        with ledger.locked():
            for number in range(1, count + 1):
                before = ledger.path.read_bytes() if number > 1 else b""
                heads = [ledger.head_path.read_bytes() if number > 1 else None]
                entry = ledger.append("noted", value=number)
        announced = {"entries": count - 1, "hash": entry["previous"], "next": entry["hash"]}
        heads += [json.dumps(announced).encode(), ledger.head_path.read_bytes()]
        line = ledger.path.read_bytes()[len(before) :]
        # The head before, then the line, then the head after: what a cut leaves is a beginning of that.
        step = data.draw(st.integers(0, 2))
        cut = len(line) if step == 2 else data.draw(st.integers(0, len(line))) if step == 1 else 0
        ledger.path.write_bytes(before + line[:cut])
        head = heads[step]
        if head is None:
            ledger.head_path.unlink()
        else:
            ledger.head_path.write_bytes(head)

        there = count if cut == len(line) else count - 1
        assert [each["value"] for each in ledger.entries()] == list(range(1, there + 1))
        with ledger.locked():
            ledger.append("noted", value=99)
        assert [each["value"] for each in ledger.entries()] == [*range(1, there + 1), 99]
        assert not ledger.torn()

    @given(cut=st.integers(0, 2000))
    def test_what_no_crash_leaves_is_told(self, cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
        ledger = Ledger(tmp_path_factory.mktemp("ledger"))
        with ledger.locked():
            for number in range(1, 4):
                ledger.append("noted", value=number)
        content = ledger.path.read_bytes()
        ledger.path.write_bytes(content[: min(cut, len(content) - 1)])

        with pytest.raises(LedgerError, match="is missing"):
            ledger.entries()

    @pytest.mark.parametrize("fails", [1, 2, 3, 4])
    def test_on_a_full_disk_an_entry_is_there_or_it_is_not_and_the_ledger_goes_on(
        self, ledger: Ledger, fails: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = 0

        def full(_: int) -> None:
            nonlocal calls
            calls += 1
            if calls >= fails:
                raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr("os.fsync", full)
            recorded = 4
            for value in (5, 6, 7):
                with contextlib.suppress(LedgerError), ledger.locked():
                    calls = 0
                    ledger.append("noted", value=value)
                    recorded += 1
                assert len(ledger.entries()) == recorded
        with ledger.locked():
            ledger.append("noted", value=8)
        assert ledger.entries()[-1]["value"] == 8

    def test_an_entry_that_nobody_announced_was_added_by_hand(self, ledger: Ledger) -> None:
        announcing = {"entries": 3, "hash": ledger.entries()[2]["hash"], "next": "0" * 64}
        ledger.head_path.write_text(json.dumps(announcing))

        with pytest.raises(LedgerError, match=r"entry 4 is not known .* added by hand"):
            ledger.entries()

    def test_a_lost_head_is_told_as_lost(self, ledger: Ledger) -> None:
        ledger.head_path.unlink()

        with pytest.raises(LedgerError, match=r"ledger.head: this file is lost\. The 4 entries .* hold one another"):
            ledger.entries()


def test_who_reads_beside_a_writer_never_sees_damage(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from honshi.exam.ledger import Ledger\n"
        "ledger = Ledger(Path(sys.argv[1]))\n"
        "for number in range(60):\n"
        "    with ledger.locked(): ledger.append('noted', value=number)"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    seen = 0
    while writer.poll() is None:
        entries = Ledger(tmp_path).entries()
        assert len(entries) >= seen
        seen = len(entries)

    assert writer.returncode == 0
    assert len(Ledger(tmp_path).entries()) == 60


def test_it_is_read_without_the_right_to_write(ledger: Ledger) -> None:
    (ledger.folder / "ledger.lock").unlink(missing_ok=True)
    before = sorted(path.name for path in ledger.folder.iterdir())

    assert len(ledger.entries()) == 4
    assert sorted(path.name for path in ledger.folder.iterdir()) == before


class TestWaiting:
    @pytest.fixture
    def held(self, ledger: Ledger) -> Iterator[subprocess.Popen[str]]:
        """A process that has the ledger to itself."""
        code = (
            "import sys; from pathlib import Path; from honshi.exam.ledger import Ledger\n"
            "with Ledger(Path(sys.argv[1])).locked(): print('held', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, str(ledger.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
            process.kill()

    def test_who_holds_it_is_known_while_it_does(self, ledger: Ledger, held: subprocess.Popen[str]) -> None:
        holder = ledger.holder()
        assert holder is not None
        assert holder.pid == held.pid
        held.kill()
        held.wait()
        assert ledger.holder() is None

    def test_who_waits_is_told_for_whom_and_gives_up_after_a_while(
        self, ledger: Ledger, held: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("honshi.exam.ledger.TELL_SECONDS", 0.1)
        monkeypatch.setattr("honshi.exam.ledger.WAIT_SECONDS", 0.2)
        told: list[str] = []

        with (
            pytest.raises(LedgerError, match=rf"process {held.pid} .* Nothing was opened"),
            ledger.locked(lambda message: told.append(str(message))),
        ):
            pass
        assert len(told) == 1
        assert f"process {held.pid} on" in told[0]


def test_room_for_what_is_to_be_recorded_is_taken_before_and_given_back(ledger: Ledger) -> None:
    with ledger.reserve() as give_back:
        assert (ledger.folder / "ledger.reserve").stat().st_size == 65536
        give_back()
        assert not (ledger.folder / "ledger.reserve").exists()


@pytest.mark.parametrize(
    "head",
    ["", "5", "null", "[]", "{}", '{"entries": 1e400, "hash": ""}', '{"entries": -1, "hash": ""}', "[" * 100_000],
    ids=["empty", "number", "null", "list", "object", "infinite", "negative", "deep"],
)
def test_a_head_that_is_none_is_told_as_such(ledger: Ledger, head: str) -> None:
    ledger.head_path.write_text(head)
    with pytest.raises(LedgerError, match="head of the ledger cannot be read"):
        ledger.entries()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no such pipes here")
@pytest.mark.parametrize("name", ["ledger.jsonl", "ledger.head"])
def test_nobody_waits_for_a_pipe_in_the_place_of_the_ledger(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(LedgerError, match="not a file"):
        Ledger(tmp_path).entries()


def test_a_name_that_is_not_utf_8_is_recorded(ledger: Ledger) -> None:
    with ledger.locked():
        ledger.append("noted", run="runs/\udcff")
    assert ledger.entries()[-1]["run"] == "runs/\udcff"
