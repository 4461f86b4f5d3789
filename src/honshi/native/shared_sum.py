"""Small sums between the processes of one machine: through memory that they share, in C.

A message of gloo's passes through the kernel and through a thread that has to be woken, which takes longer than what
a layer's batch norm computes. Here the processes look into the same memory until the others' numbers are there.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import time
from functools import cache
from importlib import resources

import torch
import torch.distributed as dist
from torch import Tensor

from honshi.native.library import Library, Signature, int32, int64, load, pointer
from honshi.native.tensors import is_plain

# Bytes of the largest tensor. What is larger takes long enough for gloo's way not to matter.
PLACE_SIZE = 1 << 20
# How often to look in one call: some milliseconds, so that Ctrl-C is heard.
LOOKS = 100_000
# How long to wait before asking whether the others are still alive, and again after that.
ALIVE_SECONDS = 1.0


class SharedSum:
    """Memory of the processes of one machine, through which they add up tensors; on Linux.

    Each process keeps a lock on the byte of its rank in the file behind the memory. The kernel takes it back from a
    process that has ended, however it ended.

    Attributes:
        address: under which the other processes find the file, as long as this one lives.
    """

    def __init__(self, rank: int, size: int, address: str | None = None) -> None:
        """
        Args:
            rank, size: this process among all.
            address: of the first process's; left out by the first itself, which makes the file. It has no name, so
                nothing stays behind when all processes are killed.

        Raises:
            OSError: the C code cannot be compiled here, or the system does not let processes share the file.
        """
        found = library()
        if found.code is None:
            raise OSError(str(found.why))
        code = found.code
        if not hasattr(os, "memfd_create"):  # Python was built for a system older than Linux 3.17
            raise OSError("This system has no files without a name.")
        self.code = code
        self.rank = rank
        self.size = size
        self.round = 0
        file_size = code.shared_sum_size(size, PLACE_SIZE)
        self.file = os.open(address, os.O_RDWR | os.O_CLOEXEC) if address else os.memfd_create("honshi-sums")
        self.address = address or f"/proc/{os.getpid()}/fd/{self.file}"
        try:
            if address is None:
                os.truncate(self.file, file_size)
            elif os.fstat(self.file).st_size != file_size:
                raise OSError(f"{address} is another file.")
            fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, rank)
            self.memory = mmap.mmap(self.file, file_size)
        except OSError:
            os.close(self.file)
            raise
        self.start: int | None = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """A copy, as of a model whose layers add up here, has no part in it: None."""
        return type(None), ()

    def close(self) -> None:
        """Give the memory back; nothing is added up any more."""
        self.start = None
        self.memory.close()
        os.close(self.file)

    def supports(self, tensor: Tensor) -> bool:
        """Whether a tensor is one that `add_up` can add up; all processes agree on it."""
        return (
            is_plain(tensor)
            and tensor.dtype in (torch.float32, torch.float64)
            and tensor.is_contiguous()
            and tensor.nbytes <= PLACE_SIZE
        )

    def add_up(self, tensor: Tensor) -> None:
        """Replace a tensor by its sum over all processes: the same bits in each.

        Raises:
            DistError: another process has ended, a RuntimeError of torch.distributed.
            RuntimeError: another has given a tensor of another size.
            ValueError: it is not such as it `supports`, or the memory was given back.
        """
        if self.start is None:
            raise ValueError("the memory was given back")
        if not self.supports(tensor):
            raise ValueError(f"needs float32 or float64 in order on the CPU, of at most {PLACE_SIZE} bytes")
        self.round += 1
        collect = (
            self.code.shared_sum_collect_float if tensor.dtype == torch.float32 else self.code.shared_sum_collect_double
        )
        where = self.start, self.size
        self.code.shared_sum_publish(*where, self.rank, self.round, PLACE_SIZE, tensor.data_ptr(), tensor.nbytes)
        asked = time.monotonic()
        while not (state := collect(*where, self.round, PLACE_SIZE, LOOKS, tensor.data_ptr(), tensor.numel())):
            os.sched_yield()
            if time.monotonic() - asked > ALIVE_SECONDS:
                self._check_that_all_live()
                asked = time.monotonic()
        if state < 0:
            raise RuntimeError("The processes add up tensors of different sizes: their steps are not the same.")

    def _check_that_all_live(self) -> None:
        for rank in range(self.size):
            if rank == self.rank:
                continue
            try:
                fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, rank)
            except OSError:
                continue  # its own process holds it
            raise dist.DistError(f"Process {rank} has ended, so there is nobody to add numbers up with.")


@cache
def library() -> Library:
    """The C file, compiled."""
    collect = int32, [pointer, int32, int64, int64, int64, pointer, int64]
    signatures: dict[str, Signature] = {
        "shared_sum_size": (int64, [int32, int64]),
        "shared_sum_publish": (None, [pointer, int32, int32, int64, int64, pointer, int64]),
        "shared_sum_collect_float": collect,
        "shared_sum_collect_double": collect,
    }
    return load(resources.files(__package__) / "shared_sum.c", signatures)
