"""Pictures decoded on all cores that this process may use.

Where a picture is large most of the time goes into a library's own loops, and where it is small into Python; so it
takes processes and not threads. They are other Pythons that know nothing of the caller's program: no part of it runs
again in them, as it would in those of multiprocessing, and nothing of its threads is copied. They take longer to start
than a few hundred pictures take to read, so this process reads by itself first, and has help where there is much to
do.

Nobody but the caller writes anything: a process that is killed, or lives on for a moment after its caller was, has
nothing in its hands that others use.
"""

from __future__ import annotations

import os
import pickle
import queue
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO, Any

from honshi.data.listing import Listing, Raw
from honshi.data.store.decoding import Decoded, decode
from honshi.errors import HonshiError
from honshi.messages import Message
from honshi.pictures.contract import InputContract

# Pictures that are handed over at once, and bytes of those that are held already.
CHUNK, CHUNK_BYTES = 32, 1 << 22
# Help comes where so many seconds of work are left: a process is ready after about a third of one.
WORTH_SECONDS = 0.7

Work = list[tuple[int, str, "Raw | Message"]]


def cores() -> int:
    """How many cores this process may use, by its affinity and OMP_NUM_THREADS."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return min(allowed, int(asked)) if asked.isdigit() and int(asked) > 0 else allowed


def decoded(
    listing: Listing, places: Sequence[int], contract: InputContract, *, processes: int | None = None
) -> Iterator[list[Decoded]]:
    """Read pictures of a listing, a few at a time, in whatever order they are done.

    Args:
        listing: what holds them.
        places: which.
        contract: what each is brought to.
        processes: how many, this one included; as many as there are cores, if left out.
    """
    chunks = _Chunks(listing, places)
    results: queue.Queue[list[Decoded] | BaseException] = queue.Queue(maxsize=64)
    crew = _Crew(chunks, contract, results)
    most = processes or cores()
    done, started = 0, time.perf_counter()
    try:
        crew.start(helped=False)
        while done < len(places):
            result = results.get()
            if isinstance(result, BaseException):
                raise result
            done += len(result)
            yield result
            left = (time.perf_counter() - started) / done * (len(places) - done)
            if crew.members < most and left > WORTH_SECONDS:
                crew.start(helped=True)
    finally:
        crew.stop()


class _Chunks:
    """What is still to be done, a few pictures at a time, for several threads."""

    def __init__(self, listing: Listing, places: Sequence[int]) -> None:
        self.listing = listing
        self.remaining = iter(places)
        self.lock = threading.Lock()
        self.ended = False

    def next(self) -> Work:
        """Nothing where nothing is left."""
        work: Work = []
        size = 0
        with self.lock:
            while len(work) < CHUNK and size < CHUNK_BYTES and not self.ended:
                place = next(self.remaining, None)
                if place is None:
                    break
                raw: Raw | Message
                try:
                    raw = self.listing.open(place)
                except HonshiError as error:
                    raw = error.message
                size += len(raw) if isinstance(raw, bytes) else getattr(raw, "nbytes", 0)
                work.append((place, self.listing.names[place], raw))
        return work


class _Crew:
    """Threads that take work and give results: one decodes by itself, each other one has a process do it."""

    def __init__(
        self, chunks: _Chunks, contract: InputContract, results: queue.Queue[list[Decoded] | BaseException]
    ) -> None:
        self.chunks = chunks
        self.contract = contract
        self.results = results
        self.members = 0
        self.threads: list[threading.Thread] = []
        self.helpers: list[_Helper] = []

    def start(self, *, helped: bool) -> None:
        """One more."""
        self.members += 1
        thread = threading.Thread(target=self._work, args=(helped,), daemon=True)
        self.threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """None goes on with work that is not begun."""
        self.chunks.ended = True
        self._stop_helpers()
        while any(thread.is_alive() for thread in self.threads):
            with suppress(queue.Empty):
                self.results.get(timeout=0.01)
        self._stop_helpers()  # one may have been starting

    def _stop_helpers(self) -> None:
        for helper in self.helpers:
            helper.stop()

    def _work(self, helped: bool) -> None:
        try:
            helper = None
            if helped:
                try:
                    helper = _Helper(self.contract)
                except OSError:  # no other process may be started here: it takes longer, and that is all
                    return
                self.helpers.append(helper)
            while work := self.chunks.next():
                self.results.put(decode(work, self.contract) if helper is None else helper.decode(work))
        except BaseException as error:
            if not self.chunks.ended:
                self.results.put(error)


class _Helper:
    """A process that decodes. Where it ends by a picture, that picture is told, and another process goes on."""

    def __init__(self, contract: InputContract) -> None:
        self.contract = contract
        self.stopped = False
        self.process = self._started()

    def decode(self, work: Work) -> list[Decoded]:
        found = self._tried(work)
        if found is not None:
            return found
        found = []
        for one in work:  # it ended at one of these
            alone = self._tried([one])
            problem = Message("{name}: the image cannot be read: its decoder broke down.", name=one[1])
            found += [Decoded(one[0], problem=problem)] if alone is None else alone
        return found

    def stop(self) -> None:
        self.stopped = True
        self._end()

    def _tried(self, work: Work) -> list[Decoded] | None:
        """None where the process ended by it, and another one is there."""
        try:
            return self._asked(work)
        except (OSError, EOFError, ValueError, pickle.UnpicklingError):
            if self.stopped:
                return []
        self._end()
        self.process = self._started()
        return None

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _asked(self, work: Work) -> list[Decoded]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        _send(self.process.stdin, work)
        answer: list[Decoded] = _receive(self.process.stdout)
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        program = f"import sys; sys.path[:] = {sys.path!r}; from honshi.data.store.workers import serve; serve()"
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        assert process.stdin is not None
        _send(process.stdin, self.contract)
        return process


def serve() -> None:
    """What a process does: a contract first, then work after work, until nothing more comes."""
    # Ctrl-C ends its caller, and it with that.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, answers = sys.stdin.buffer, sys.stdout.buffer
    try:
        contract = _receive(source)
        while True:
            _send(answers, decode(_receive(source), contract))
    except (EOFError, OSError):
        pass


def _send(stream: IO[bytes], value: Any) -> None:
    content = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(struct.pack("<Q", len(content)))
    stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes]) -> Any:
    head = stream.read(8)
    if len(head) < 8:
        raise EOFError
    content = stream.read(struct.unpack("<Q", head)[0])
    return pickle.loads(content)  # noqa: S301  # of a process that we have started, through a pipe of its own
