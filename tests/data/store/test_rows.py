from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from honshi.data.store import rows as module
from honshi.data.store.rows import ASKED_FOR, CAN_ASK, Rows

SHAPE, COUNT = (3, 37, 41), 50  # no row begins where a page does


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "pixels.u8"
    pixels = torch.randint(256, (COUNT, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    path.write_bytes(pixels.numpy().tobytes())
    return path


@given(wanted=st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=80), asked=st.booleans())
@settings(max_examples=60)
def test_rows_in_any_order_are_those_of_the_file(file: Path, wanted: list[int], asked: bool) -> None:
    rows = Rows(file, COUNT, SHAPE)
    rows._to_ask = int(asked)
    everything = torch.frombuffer(bytearray(file.read_bytes()), dtype=torch.uint8).view(COUNT, *SHAPE)

    taken = rows.take(torch.tensor(wanted))

    assert torch.equal(taken, everything[wanted])
    assert taken.is_contiguous()


@pytest.mark.skipif(not CAN_ASK, reason="this system cannot be asked to read ahead")
def test_the_system_is_asked_for_a_batch_at_once_after_one_that_had_to_wait(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = iter([0, 3] + [3] * 4)
    asked: list[int] = []
    monkeypatch.setattr(module, "_waits", lambda: next(waits))
    monkeypatch.setattr(Rows, "_ask_for", lambda _, batch: asked.append(len(batch)))
    rows = Rows(file, COUNT, SHAPE)

    for _ in range(ASKED_FOR + 3):
        rows.take(torch.arange(7))

    assert asked == [7] * ASKED_FOR  # the first one waited; the two after all those do not


def test_a_file_without_rows_has_none(tmp_path: Path) -> None:
    assert Rows(tmp_path / "nothing", 0, SHAPE).take(torch.arange(0)).shape == (0, *SHAPE)
