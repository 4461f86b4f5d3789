"""The processes that train together, and how they begin, agree and end."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from honshi.errors import HonshiError, RequestError, RunError

if TYPE_CHECKING:
    from honshi.native.shared_sum import SharedSum

T = TypeVar("T")

# torchrun ends all processes as soon as one has ended: who has nothing to say gives way to who has.
GIVE_WAY_SECONDS = 1.0

LINUX = sys.platform == "linux"


@dataclass(frozen=True)
class World:
    """The processes that train together, seen from one of them.

    Attributes:
        rank: which one this is, from 0; the first alone writes files and speaks.
        size: how many there are.
        shared: through which small sums go, where all are on one machine with a core each.
    """

    rank: int = 0
    size: int = 1
    shared: SharedSum | None = field(default=None, compare=False, repr=False)

    @property
    def first(self) -> bool:
        return self.rank == 0

    def check(self, batch_size: int, device: torch.device) -> None:
        """Whether so many processes can train like that.

        Raises:
            RequestError: there are fewer images in a mini-batch than processes, or fewer GPUs; or the device is
                of a kind between which gradients do not travel.
        """
        if self.size == 1:
            return
        if batch_size < self.size:
            raise RequestError(
                "A mini-batch of {batch_size} cannot be divided among {size} processes: choose --batch-size "
                "{size} or more; it is the size over all processes.",
                batch_size=batch_size,
                size=self.size,
            )
        if device.type not in ("cpu", "cuda"):
            raise RequestError(
                "Several processes train together on cpu or cuda, not on {device}: choose --device cpu.", device=device
            )
        if str(device) not in ("cpu", "cuda", f"cuda:{_local_rank()}"):
            raise RequestError(
                "Each process takes a GPU of its own: choose --device cuda rather than {device}.", device=device
            )
        if device.type == "cuda" and _local_rank() >= torch.cuda.device_count():
            raise RequestError(
                "There are more processes than the {device_count} GPUs of this machine: choose a smaller "
                "--nproc-per-node, or --device cpu.",
                device_count=torch.cuda.device_count(),
            )

    def share(self, count: int) -> slice:
        """Which of ``count`` images are this process's. Shares differ by one image at most, the first are larger."""
        shares = self.shares(count)
        start = sum(shares[: self.rank])
        return slice(start, start + shares[self.rank])

    def shares(self, count: int) -> list[int]:
        """How many of ``count`` images are each process's."""
        each, more = divmod(count, self.size)
        return [each + (rank < more) for rank in range(self.size)]

    def total(self, *numbers: float) -> list[float]:
        """Each number summed over all processes, in float64."""
        return self._reduced(numbers, dist.ReduceOp.SUM)

    def least(self, number: float) -> float:
        """The smallest over all processes."""
        return self._reduced((number,), dist.ReduceOp.MIN)[0]

    def _reduced(self, numbers: tuple[float, ...], how: Any) -> list[float]:
        values = torch.tensor(numbers, dtype=torch.float64)
        if self.size > 1:
            dist.all_reduce(values, how)
        return [float(value) for value in values]

    def add_up(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes, in the midst of a step.

        Raises:
            RuntimeError: another process has ended.
        """
        if self.shared is not None and self.shared.supports(tensor):
            self.shared.add_up(tensor)
        elif self.size > 1:
            dist.all_reduce(tensor)

    def any(self, yes: bool) -> bool:
        """Whether one of them says yes."""
        if self.size == 1:
            return yes
        votes = torch.tensor([float(yes)], dtype=torch.float64)
        self.add_up(votes)
        return bool(votes.item())

    def gathered(self, value: T) -> list[T]:
        """What each process has, by rank."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def from_first(self, value: T) -> T:
        """What the first process has, on all of them."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0)
        return box[0]

    @contextmanager
    def agreed(self) -> Iterator[None]:
        """A block that all processes get through, or none: the first that failed says why, the others leave.

        Raises:
            HonshiError: of this process, where it is the first that failed.
            SystemExit: another failed; with its exit code.
        """
        if self.size == 1:
            yield
            return
        failure: Exception | None = None
        try:
            yield
        except Exception as error:
            failure = error
        codes: list[int] = [0] * self.size
        code = 0 if failure is None else failure.exit_code if isinstance(failure, HonshiError) else 1
        dist.all_gather_object(codes, code)
        failed = [rank for rank, code in enumerate(codes) if code]
        if failed and failed[0] == self.rank and failure is not None:
            raise failure
        if failed:
            leave(codes[failed[0]])


ALONE = World()


def leave(code: int) -> NoReturn:
    """End this process without a word: another one speaks for all."""
    time.sleep(GIVE_WAY_SECONDS)
    raise SystemExit(code)


def launched() -> bool:
    """Whether torchrun, or another launcher that sets the same variables, has started this process."""
    return {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys()


@contextmanager
def joined() -> Iterator[World]:
    """The processes of this launch, until the block ends; just this process where nothing launched it.

    Gradients on GPUs travel by NCCL, all else by gloo.

    Raises:
        RunError: another process has ended, so nothing more can be done together.
    """
    if not launched():
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(_local_rank() % torch.cuda.device_count())
    store, rank, size = next(dist.rendezvous("env://"))  # type: ignore[attr-defined]
    if os.environ.get("GROUP_WORLD_SIZE") == "1":
        # A torchrun of one machine keeps its store when it starts the processes again, and with it the addresses
        # of those that are gone. On several machines the counts need not agree: see docs/distributed.md.
        start = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = dist.PrefixStore(f"start {start}", store)  # type: ignore[attr-defined]
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    own_core = _keep_to_own_cores()
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)
    _let_computation_go_first()
    world = World(dist.get_rank(), dist.get_world_size())
    try:
        world = _share_memory(world, own_core)
        yield world
        dist.barrier()  # nobody leaves while another still talks
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error):
            raise RunError("Another process of this training has ended, and this one cannot go on alone.") from error
        raise
    finally:
        if world.shared is not None:
            world.shared.close()
        # What holds on to the group, as DDP does, goes first, so that its threads end here and not at exit.
        gc.collect()
        dist.destroy_process_group()


def _share_memory(world: World, own_core: bool) -> World:
    """Let the processes add up small tensors in memory, where all of them can.

    They stay awake while they wait for one another, so each needs a core of its own.
    """
    if not LINUX or world.size == 1 or os.environ.get("LOCAL_WORLD_SIZE") != str(world.size):
        return world
    from honshi.native.shared_sum import SharedSum  # needs what only Unix has

    shared = None
    if world.first:
        with suppress(OSError):
            shared = SharedSum(world.rank, world.size)
    address = world.from_first(shared.address if shared else None)
    if address is not None and not world.first:
        with suppress(OSError):
            shared = SharedSum(world.rank, world.size, address)
    if world.least(own_core and shared is not None):
        return replace(world, shared=shared)
    if shared is not None:
        shared.close()
    return world


def _keep_to_own_cores() -> bool:
    """Give each process of this machine cores of its own, so that none computes where another one does.

    Where a sandbox forbids it, all goes on as without it. Tells whether there are cores enough.
    """
    if not LINUX:
        return False
    cores = sorted(os.sched_getaffinity(0))
    neighbours = World(_local_rank(), int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    own = cores[neighbours.share(len(cores))]
    if own:
        with suppress(OSError):
            os.sched_setaffinity(0, own)
    return len(cores) >= neighbours.size


def _let_computation_go_first() -> None:
    """Keep gloo's thread that looks for messages from taking the core away from a computation.

    It does not sleep while a message lies there that this process has not asked for yet. As a thread like others it
    took half of the core then, in slices of 4 ms, from the very computation that the message waits for. Where a sandbox
    forbids it, all goes on as without it.
    """
    if not LINUX:
        return
    for thread in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # another thread may end while its name is read
            if (thread / "comm").read_text().strip() == "gloo_tcp_loop":
                os.sched_setscheduler(int(thread.name), os.SCHED_BATCH, os.sched_param(0))


def _local_rank() -> int:
    return int(os.environ.get("LOCAL_RANK", "0"))
