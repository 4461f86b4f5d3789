from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

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
