from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

if sys.platform != "linux":
    pytest.skip("memory is shared on Linux alone", allow_module_level=True)

from honshi.messages import Message
from honshi.native.library import Library
from honshi.native.shared_sum import ALIVE_SECONDS, PLACE_SIZE, SharedSum
from honshi.training.distributed import World

# The second of two processes: it adds up as many tensors as it is told to, and then waits for its end.
OTHER = """
import sys, torch
from honshi.training.distributed import World
from honshi.native.shared_sum import SharedSum

address, kind, size, rounds = sys.argv[1:]
shared = SharedSum(1, 2, address)
print("there", flush=True)
for number in range(int(rounds)):
    tensor = torch.arange(int(size), dtype=getattr(torch, kind)) + number
    shared.add_up(tensor)
    print(tensor.double().sum().item(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def first() -> Iterator[SharedSum]:
    shared = SharedSum(0, 2)
    yield shared
    shared.close()


@pytest.fixture
def other(first: SharedSum) -> Iterator[Callable[[torch.Tensor, int], subprocess.Popen[str]]]:
    """Starts the second process, which gives tensors like the given one; told how often."""
    started = []

    def start(like: torch.Tensor, rounds: int) -> subprocess.Popen[str]:
        kind = str(like.dtype).removeprefix("torch.")
        command = [sys.executable, "-c", OTHER, first.address, kind, str(len(like)), str(rounds)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1, 33, PLACE_SIZE // 8])
def test_each_process_gets_the_sum_of_all(
    first: SharedSum,
    other: Callable[[torch.Tensor, int], subprocess.Popen[str]],
    dtype: torch.dtype,
    size: int,
) -> None:
    rounds = 100
    process = other(torch.zeros(size, dtype=dtype), rounds)

    for number in range(rounds):
        ours = torch.full((size,), 0.5, dtype=dtype)
        first.add_up(ours)
        assert torch.equal(ours, torch.arange(size, dtype=dtype) + number + 0.5)
        assert process.stdout is not None
        assert float(process.stdout.readline()) == ours.double().sum().item()


def test_it_waits_for_the_other(first: SharedSum, other: Callable[[torch.Tensor, int], subprocess.Popen[str]]) -> None:
    process = other(torch.zeros(3), 1)
    process.send_signal(signal.SIGSTOP)
    awake = threading.Timer(1.5 * ALIVE_SECONDS, process.send_signal, [signal.SIGCONT])
    awake.start()

    ours = torch.zeros(3)
    first.add_up(ours)

    awake.join()
    assert ours.tolist() == [0, 1, 2]


def test_a_process_that_was_killed_is_not_waited_for(
    first: SharedSum, other: Callable[[torch.Tensor, int], subprocess.Popen[str]]
) -> None:
    process = other(torch.zeros(3), 0)
    process.kill()  # and nobody has asked yet how it ended: the system still keeps its number

    with pytest.raises(dist.DistError, match="Process 1 has ended"):
        first.add_up(torch.zeros(3))


def test_tensors_of_different_sizes_are_not_added_up(
    first: SharedSum, other: Callable[[torch.Tensor, int], subprocess.Popen[str]]
) -> None:
    other(torch.zeros(3), 1)

    with pytest.raises(RuntimeError, match="different sizes"):
        first.add_up(torch.zeros(4))


@pytest.mark.parametrize(
    ("tensor", "taken"),
    [
        (torch.zeros(4), True),
        (torch.zeros(PLACE_SIZE // 4), True),
        (torch.zeros(PLACE_SIZE // 4 + 1), False),
        (torch.zeros(4, dtype=torch.bfloat16), False),
        (torch.zeros(4, 4).t(), False),
        (torch.zeros(4, device="meta"), False),
    ],
    ids=["small", "just fits", "too large", "another kind of number", "not in order", "elsewhere"],
)
def test_what_it_takes(first: SharedSum, tensor: torch.Tensor, taken: bool) -> None:
    assert first.supports(tensor) is taken


def test_what_it_does_not_support_it_does_not_add_up(first: SharedSum) -> None:
    with pytest.raises(ValueError, match="in order on the CPU"):
        first.add_up(torch.zeros(4, 4).t())


def test_once_given_back_the_memory_is_not_touched() -> None:
    shared = SharedSum(0, 1)
    shared.close()

    with pytest.raises(ValueError, match="given back"):
        shared.add_up(torch.zeros(3))


def test_another_file_is_not_taken_for_it(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"short")

    with pytest.raises(OSError, match="another file"):
        SharedSum(1, 2, str(tmp_path / "other"))


def test_a_copy_has_no_part_in_it(first: SharedSum) -> None:
    world = World(0, 2, first)

    assert copy.deepcopy(world) == world
    assert copy.deepcopy(world).shared is None


def test_without_files_that_have_no_name_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")

    with pytest.raises(OSError, match="without a name"):
        SharedSum(0, 2)


def test_without_a_compiler_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("honshi.native.shared_sum.library", lambda: Library(None, Message("There is no compiler.")))

    with pytest.raises(OSError, match="compiler"):
        SharedSum(0, 2)
