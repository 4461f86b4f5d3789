"""Which process it is that trains: on which machine, since which of its starts, by which number."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Process:
    """A process, told apart from all others on all machines.

    Attributes:
        host: the machine's name.
        boot: what the system calls the time since it was started; empty where it does not say.
        pid: the number of the process; a later one may have it again.
        started: when it began, in the system's own measure; empty where that is not known.
    """

    host: str
    boot: str
    pid: int
    started: str

    @classmethod
    def this(cls) -> Process:
        """The process that asks."""
        return cls(platform.node(), _boot(), os.getpid(), _started(os.getpid()))

    @classmethod
    def read(cls, values: dict[str, Any]) -> Process:
        """From an event.

        Raises:
            KeyError, TypeError, ValueError: it is not there.
        """
        return cls(str(values["host"]), str(values["boot"]), int(values["pid"]), str(values["process_started"]))

    def to_dict(self) -> dict[str, Any]:
        return {"host": self.host, "boot": self.boot, "pid": self.pid, "process_started": self.started}

    @property
    def ran_here(self) -> bool:
        """Whether it was on this machine; in a container, or before a restart, too."""
        return self.host == platform.node() or (self.boot != "" and self.boot == _boot())

    @property
    def lives(self) -> bool | None:
        """Whether it still runs, as far as this machine can tell."""
        if not self.ran_here:
            return None
        if self.boot != _boot():
            return False  # the machine was started again
        if not self.started or self.host != platform.node():
            return None  # no way to ask, or in a container, where numbers are others
        return _started(self.pid) == self.started


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""  # not Linux


def _started(pid: int) -> str:
    try:
        # The name comes second, in brackets, and may hold anything; the time is the 20th value behind it.
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[19].decode("ascii")
    except (OSError, IndexError):
        return ""
