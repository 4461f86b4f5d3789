"""How many threads compute: all that may be, and fewer while other processes take cores away from them.

torch divides an operation evenly among its threads, and each of them waits for the others at the operation's end, as a
rule without sleeping. Where another process computes on one of their cores, all wait for the thread that has lost it,
several thousand times a second, and a training takes many times as long as one thread alone would.

So it is measured while it runs, at `look`, which whatever computes for long calls between its steps:

- how long threads of this process were ready to run and had no core (the system's scheduler counts it): with cores of
  their own next to nothing, beside another process half of the time and more. Then fewer threads go on.
- how long cores were idle: where they were for a while, more threads are tried again.

The system says this on Linux; elsewhere the number of threads stays what it is. A sum that is divided among another
number of threads is rounded differently, so nothing is changed on cores that are free, nor where somebody has set the
number: a training is repeated bit by bit then.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import torch

# Who sets one of these has decided how many threads compute.
SET_BY = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
TASKS, CORES = Path("/proc/self/task"), Path("/proc/stat")
# The scheduler's counts are exact; idle time is counted in hundredths of a second.
WINDOW_SECONDS, IDLE_WINDOW_SECONDS = 0.04, 0.12
# Cores' worth of time that threads had to wait for one. On free cores it is below 0.1, beside a process that computes
# on one of two cores 0.45 and more.
CONTESTED = 0.25
# What part of a core must have been idle before one more thread is tried on it.
IDLE = 0.8
# For how long fewer threads go on at least: twice as long each time that more threads had no cores of their own.
LEAST_HOLD_SECONDS, MOST_HOLD_SECONDS = 0.2, 6.4
# Every so many blocks `TimedThreads` tries the other number again.
PROBE = 16
# So long without another process, and the next one is a new one.
FREE_SECONDS = 2.0

_here = threading.local()


@contextmanager
def giving_way() -> Iterator[None]:
    """Inside, in this thread, `look` may have torch compute with fewer threads; afterwards there are as many as before.

    A number of threads that somebody has set is left alone. What was learnt of other processes holds for the next
    calculation too, where that follows at once: each trial of a search, a score after a training.
    """
    if getattr(_here, "threads", None) is not None or not may_be_changed():
        yield
        return
    most = torch.get_num_threads()
    before: Threads | None = getattr(_here, "before", None)
    if before is None or before.most != most or not before.resume():
        before = Threads(most)
    _here.threads = _here.before = before
    try:
        yield
    finally:
        _here.threads = None
        before.ended = time.perf_counter()
        if torch.get_num_threads() != most:
            torch.set_num_threads(most)


def look(waited: float = 0.0) -> None:
    """Between two steps: see how many threads have cores of their own, if that is some time ago.

    Args:
        waited: for how many seconds threads that have ended since the last look were without a core, added up.
    """
    threads: Threads | None = getattr(_here, "threads", None)
    if threads is not None:
        threads.look(waited)


def now() -> int | None:
    """How many threads have cores of their own; None where that is not measured here."""
    threads: Threads | None = getattr(_here, "threads", None)
    return None if threads is None else threads.now


def most() -> int:
    """How many threads may compute, of which fewer do at the moment where another process takes cores."""
    threads: Threads | None = getattr(_here, "threads", None)
    return torch.get_num_threads() if threads is None else threads.most


def set_by() -> str | None:
    """The environment's variable that says how many threads compute, if one does."""
    return next((name for name in SET_BY if os.environ.get(name)), None)


def usable_cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


@cache
def can_be_measured() -> bool:
    """Whether the system says how long threads wait for a core, and how long cores are idle."""
    return sys.platform == "linux" and bool(waited_seconds()) and idle_seconds() > 0


def may_be_changed() -> bool:
    """Whether `giving_way` may change the number of threads here.

    There are several, as many as torch takes by itself (one for each core, or for each two that share one's parts), and
    the system says what has to be known.
    """
    threads, cores = torch.get_num_threads(), usable_cores()
    return threads > 1 and threads in (cores, cores // 2) and set_by() is None and can_be_measured()


class Threads:
    """The number of threads that compute, of one calculation or of several that follow one another.

    Attributes:
        most: how many there may be.
        now: how many there are.
        ended: when its calculation was over.
    """

    def __init__(self, most: int) -> None:
        self.most = self.now = most
        self.ended = -math.inf
        self.hold = LEAST_HOLD_SECONDS
        # When there were last more of them, and fewer.
        self.more_since = self.fewer_since = -math.inf
        self._begin_window()

    def resume(self) -> bool:
        """Go on in another calculation; False where too much time has passed since the last one."""
        if time.perf_counter() - self.ended >= FREE_SECONDS:
            return False
        self._go_on_with(self.now)
        return True

    def look(self, waited: float = 0.0) -> None:
        """Go on with fewer threads or more, where a whole window says so."""
        now = time.perf_counter()
        self.waited_elsewhere += waited
        seconds = now - self.begun
        if seconds < WINDOW_SECONDS:
            return
        contested = (self._waited() + self.waited_elsewhere) / seconds
        if contested >= CONTESTED and self.now > 1:
            again = now - self.more_since < FREE_SECONDS
            self.hold = min(2 * self.hold, MOST_HOLD_SECONDS) if again else LEAST_HOLD_SECONDS
            self.fewer_since = now
            self._go_on_with(max(1, self.now - max(1, round(contested))))
        elif self.now == self.most:
            self._begin_window()
        elif seconds >= IDLE_WINDOW_SECONDS:
            more = min(self.most - self.now, int((idle_seconds() - self.idle) / seconds + 1 - IDLE))
            if more > 0 and now - self.fewer_since >= self.hold:
                self.more_since = now
                self._go_on_with(self.now + more)
            else:
                self._begin_window()

    def _go_on_with(self, count: int) -> None:
        if torch.get_num_threads() != count:
            torch.set_num_threads(count)
        self.now = count
        self._begin_window()

    def _begin_window(self) -> None:
        self.begun, self.waited, self.idle = time.perf_counter(), waited_seconds(), idle_seconds()
        self.waited_elsewhere = 0.0

    def _waited(self) -> float:
        """For how long threads of this process have waited for a core in this window, added up; of one that has ended
        nobody knows any more."""
        return sum(seconds - self.waited.get(task, 0.0) for task, seconds in waited_seconds().items())


class TimedThreads:
    """All threads or one, of a calculation whose numbers are the same with both: whichever is quicker.

    For where the system does not say what other processes do, or somebody has set how many there are at most. Both are
    timed again now and then.
    """

    def __init__(self, most: int) -> None:
        self.seconds = {most: 0.0, 1: 0.0}
        self.blocks = 0

    def next(self) -> int:
        """With how many the next block is computed."""
        fastest = min(self.seconds, key=self.seconds.__getitem__)
        slowest = max(self.seconds, key=self.seconds.__getitem__)
        self.blocks += 1
        return slowest if self.blocks % PROBE == 0 else fastest

    def note(self, count: int, seconds: float) -> None:
        """How long a block took with so many, or a part of it that is the same of each."""
        self.seconds[count] = seconds


def waited_seconds() -> dict[str, float]:
    """For how long each thread of this process was ready to run and had no core; nothing where the system does not say.

    proc(5): the second number of schedstat, in nanoseconds.
    """
    waited = {}
    with suppress(OSError):
        for task in TASKS.iterdir():
            with suppress(OSError):  # it has ended
                waited[task.name] = int((task / "schedstat").read_bytes().split()[1]) / 1e9
    return waited


def idle_seconds() -> float:
    """For how long the cores that this process may use were idle, added up; 0 where the system does not say.

    proc(5): the fourth and fifth number of a core's line in stat, in clock ticks.
    """
    ticks = 0
    with suppress(OSError):
        usable = {b"cpu%d" % core for core in os.sched_getaffinity(0)}
        for line in CORES.read_bytes().splitlines():
            name, *numbers = line.split()
            if name in usable:
                ticks += int(numbers[3]) + int(numbers[4])
    return ticks / os.sysconf("SC_CLK_TCK")
