"""A process that loads torch and computes, so that the server answers at once whatever is computed.

It is asked by name for one of the functions of `computing`, with plain values, and answers with plain values. It is
started before it is needed, works on one thing at a time, and is started anew where it died.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from honshi.errors import HonshiError, RunError
from honshi.language import language, speaking


class Child:
    """One such process; what is asked is answered in the order in which it was asked."""

    def __init__(self, *, threads: int | None = None) -> None:
        """
        Args:
            threads: that compute in it; as many as torch takes, if left out.
        """
        self._threads = threads
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._turn = asyncio.Lock()

    def start(self) -> None:
        """Begin to load torch."""
        ours, theirs = self._context.Pipe()
        # A daemon: it ends with the server, however that ends by itself; kill -9 it notices by its pipe.
        self._process = self._context.Process(
            target=_work, args=(theirs, self._threads), daemon=True, name="honshi lab"
        )
        self._process.start()
        theirs.close()
        self._pipe = ours

    async def ask(self, what: str, **values: Any) -> Any:
        """The answer of a function of `computing`, in the language that is spoken here.

        Raises:
            HonshiError: what it raised; `RunError` where the process died.
        """
        async with self._turn:
            return await asyncio.to_thread(self._ask, what, language(), values)

    def _ask(self, what: str, spoken: str, values: Mapping[str, Any]) -> Any:
        for again in (True, False):
            if self._process is None or not self._process.is_alive() or self._pipe is None:
                self.start()
            assert self._pipe is not None
            try:
                self._pipe.send((what, spoken, values))
                answer = self._pipe.recv()
            except (EOFError, OSError) as error:
                self.stop()
                if again:
                    continue
                raise RunError(
                    "The process that computes for the lab ended before it had an answer: is there memory enough?"
                ) from error
            if isinstance(answer, HonshiError):
                raise answer
            return answer
        raise AssertionError("it is asked twice at most")

    def stop(self) -> None:
        """End it now, whatever it works on."""
        if self._process is not None:
            self._process.kill()
            self._process.join(1)
        if self._pipe is not None:
            with suppress(OSError):
                self._pipe.close()
        self._process = self._pipe = None


def _work(pipe: Connection, threads: int | None) -> None:
    """What the process does until nobody asks any more."""
    # Ctrl-C in the terminal is for the server, which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from honshi.web import computing

    computing.get_ready(threads)
    while True:
        try:
            what, spoken, values = pipe.recv()
        except (EOFError, OSError):
            return
        try:
            with speaking(spoken):
                answer: Any = computing.ASKED[what](**values)
        except HonshiError as error:
            answer = error
        except Exception as error:  # one request that fails is no reason for the others to
            answer = RunError("{kind}: {problem}", kind=type(error).__name__, problem=str(error))
        with suppress(OSError):
            pipe.send(answer)
