"""What the machine offers and how a run is pinned to it: device, seed and memory."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.modules.module import _has_any_global_hook

from honshi.errors import RequestError

# mallopt(3) of glibc.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT_BYTES, LARGEST_KEPT_BYTES = 1 << 30, 1 << 28


def pick_device(name: str = "auto") -> torch.device:
    """The device called ``name``; ``auto`` is the first of cuda, mps, cpu that works here.

    Raises:
        RequestError: this machine, or this build of PyTorch, has no such device.
    """
    if name == "auto":
        return torch.device(available_devices()[0])
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise RequestError(
            "There is no device called {name!r}; choose auto, {available_devices}.",
            name=name,
            available_devices=", ".join(available_devices()),
        ) from error
    present = device.type in available_devices()
    if present and device.type == "cuda" and device.index is not None:
        present = device.index < torch.cuda.device_count()
    if not present:
        raise RequestError(
            "Device {name!r} was asked for and this machine offers {available_devices}. Use --device auto, "
            "or see `honshi doctor`.",
            name=name,
            available_devices=", ".join(available_devices()),
        )
    return device


def memory() -> int | None:
    """Bytes of memory that this machine has; None where it does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # Windows has no such question
        return None


def available_memory() -> int | None:
    """Bytes of memory that this process can still take without anything being moved out; None where nobody says.

    It is what the system calls available, or what a container has left where that is less.
    """
    found = []
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                found.append(1024 * int(line.split()[1]))
    except (OSError, ValueError):
        whole = memory()  # a system without that file: what is used of it is not known
        found += [whole // 2] if whole is not None else []
    found += [room for folder, names in _control_groups() if (room := _room(folder, *names)) is not None]
    return min(found, default=None)


def _control_groups() -> Iterator[tuple[Path, tuple[str, str, str]]]:
    """The groups whose limits hold for this process, and in each the files of the limit, the use and, in
    ``memory.stat``, the line of what of it are copies of files: version 2 and version 1 of Linux' control groups."""
    try:
        lines = Path("/proc/self/cgroup").read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers == "":
            roots = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
            names = ("memory.max", "memory.current", "file")
        elif "memory" in controllers.split(","):
            roots = ["/sys/fs/cgroup/memory"]
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache")
        else:
            continue
        for root in map(Path, roots):
            own = root / path.strip("/")
            for folder in (own, *own.parents):
                if folder.is_relative_to(root):
                    yield folder, names


def _room(folder: Path, limit: str, used: str, cached: str) -> int | None:
    """What a group's limit leaves; None where it has none. Copies of files make room for whoever asks."""
    try:
        most, now = int((folder / limit).read_text("ascii")), int((folder / used).read_text("ascii"))
        of_files = [
            int(line.split()[1])
            for line in (folder / "memory.stat").read_text("ascii").splitlines()
            if line.startswith(f"{cached} ")
        ]
    except (OSError, ValueError):  # "max" is no number
        return None
    return max(0, most - now + sum(of_files))


def device_of(model: nn.Module) -> torch.device:
    """Where a model's parameters are; the CPU where it has none."""
    parameter = _first_parameter(model)
    return parameter.device if parameter is not None else torch.device("cpu")


def _first_parameter(module: nn.Module) -> nn.Parameter | None:
    """As ``next(module.parameters())``, in a fifth of the time, which counts where one image is answered."""
    for parameter in module._parameters.values():
        if parameter is not None:
            return parameter
    for child in module._modules.values():
        if child is not None and (found := _first_parameter(child)) is not None:
            return found
    return None


def is_as_made(module: nn.Module) -> bool:
    """Whether a call of this module is what its class says: nobody has given it a forward of its own, and no hook, its
    own or one of all modules, wants to see what passes through it, forward or backward."""
    return not (
        "forward" in vars(module)
        or module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or _has_any_global_hook()
    )


def available_devices() -> list[str]:
    """The kinds of device that PyTorch can use here, the fastest first."""
    devices = ["cpu"]
    if torch.backends.mps.is_available():
        devices.insert(0, "mps")
    if torch.cuda.is_available():
        devices.insert(0, "cuda")
    return devices


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Run a block from a known random state and give the caller's own state back afterwards.

    It is that of torch, of Python and of NumPy's global generator, from which a Dataset may draw. With the same seed,
    machine and number of threads (`honshi.runtime.threads`), a training on the CPU is repeated bit by bit.
    """
    cuda = [device] if device is not None and device.type == "cuda" else []
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def random_state(device: torch.device) -> dict[str, Any]:
    """What torch, Python and NumPy draw from next, in tensors, numbers and lists."""
    version, words, next_gauss = random.getstate()
    numpy = np.random.get_state(legacy=False)
    state: dict[str, Any] = {
        "cpu": torch.get_rng_state(),
        "python": [version, torch.tensor(words), next_gauss],
        "numpy": {
            "key": torch.from_numpy(numpy["state"]["key"].astype(np.int64)),
            "pos": int(numpy["state"]["pos"]),
            "has_gauss": int(numpy["has_gauss"]),
            "gauss": float(numpy["gauss"]),
        },
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Go on drawing from what `random_state` gave; what is not in it stays as it is."""
    if "cpu" in state:
        torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"], device)
    if "python" in state:
        version, words, next_gauss = state["python"]
        random.setstate((version, tuple(words.tolist()), next_gauss))
    if "numpy" in state:
        numpy = state["numpy"]
        keys = numpy["key"].numpy().astype(np.uint32)
        np.random.set_state(("MT19937", keys, numpy["pos"], numpy["has_gauss"], numpy["gauss"]))


@cache
def keep_freed_memory() -> None:
    """Have this process keep up to 1 GiB that tensors have left, for the next ones; where its malloc is glibc's.

    Each step frees what the next one needs again. Of tensors of 25 MB and more glibc hands the memory back to the
    system, which clears each page anew when it is touched: about a third of a step's time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or another system
        return
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
    mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)
