"""A training's stay in a run's folder: alone there, and heard of by whoever looks."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from honshi.errors import HonshiError, NonFiniteLossError, RunError, WriteError
from honshi.evaluation.history import Row
from honshi.files import explain, remove_left_behind
from honshi.messages import Message, word
from honshi.runs import events, lock
from honshi.runs.events import Ending
from honshi.runs.process import Process
from honshi.runs.status import status_of

# A file that somebody puts into the folder: the training ends after its step, as if interrupted.
STOP = "stop"

LOST = word(
    "{run}: this run's folder was deleted or renamed while it was trained, so the training has ended. "
    "If it has a new name, go on with it: honshi train --resume NEWNAME."
)
HEARTBEAT_SECONDS = 2.0
LOOK_SECONDS = 0.25


class Session:
    """From begun to ended, for a ``with`` statement; nobody else trains in the folder until then.

    Attributes:
        stop_asked: whether somebody has put a file called ``stop`` into the folder.
        lost: whether the folder was deleted or has another name by now.
    """

    def __init__(self, run: Path) -> None:
        """
        Args:
            run: the folder, which is there.

        Raises:
            RunError: another process trains in it.
            WriteError: nothing can be written there.
        """
        self.run = run
        self.stop_asked = self.lost = False
        self._begun = False
        self._epoch = self._step = 0
        self._over = threading.Event()
        self._appending = threading.Lock()
        self._descriptor, self._locked = _opened(run)

    def begin(self, *, device: str, processes: int, epoch: int, epochs: int, steps: int) -> None:
        """Say that it begins.

        Args:
            device, processes: on what it is trained.
            epoch: the first one.
            epochs, steps: how many there are in all, and of how many steps each.

        Raises:
            WriteError: nothing can be written there.
        """
        # What is left of a training that was killed.
        remove_left_behind(self.run)
        (self.run / STOP).unlink(missing_ok=True)
        self._epoch = epoch
        begun = {"device": device, "processes": processes, "epoch": epoch, "epochs": epochs, "steps": steps}
        try:
            self._append("begun", {**Process.this().to_dict(), **begun, "locked": self._locked})
        except OSError as error:
            raise WriteError("{problem}", error, problem=explain(error)) from error
        self._begun = True
        threading.Thread(target=self._watch, name="honshi-heartbeat", daemon=True).start()

    def at(self, step: int) -> None:
        """Note how far the epoch is.

        Raises:
            RunError: the folder is not there any more.
        """
        self._step = step
        if self.lost:
            self.check()

    def note(self, row: Row) -> None:
        """Add the row of an epoch that is over.

        Raises:
            RunError: the folder is not there any more.
        """
        self.check()
        self._epoch, self._step = row.epoch + 1, 0
        with suppress(OSError):  # the history has it as well
            self._append("epoch", row.to_dict())

    def check(self) -> None:
        """See that what is written now is written into the run's folder.

        Raises:
            RunError: it was deleted or has another name.
        """
        self.lost = self._is_lost()
        if self.lost:
            raise RunError(LOST, run=self.run)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say how it ended, by the error that ended the block, and leave the folder to others."""
        self._over.set()
        self.lost = self._is_lost()
        how: Ending = "finished"
        match error:
            case None:
                pass
            case NonFiniteLossError():
                how = "diverged"
            case Exception():
                how = "failed"
            case _:
                how = "stopped" if self.stop_asked else "interrupted"
        problem = None if not isinstance(error, Exception) else _in_english(error)
        if self.lost:
            how, problem = "failed", Message(LOST, run=self.run).english
        if self._begun:
            with suppress(OSError):
                self._append("ended", {"how": how, "problem": problem})
        if self.stop_asked:
            with suppress(OSError):
                (self.run / STOP).unlink()
        with self._appending:
            os.close(self._descriptor)
        if self.lost and not isinstance(error, KeyboardInterrupt):
            # What else was raised, because nothing could be written there, says less.
            raise RunError(LOST, run=self.run)

    def _watch(self) -> None:
        beat = time.monotonic()
        while not self._over.wait(LOOK_SECONDS):
            self.lost = self._is_lost()
            self.stop_asked |= (self.run / STOP).exists()
            if time.monotonic() - beat >= HEARTBEAT_SECONDS:
                beat = time.monotonic()
                with suppress(OSError):  # a disk that is full now may have room again when the epoch is over
                    self._append("heartbeat", {"epoch": self._epoch, "step": self._step})

    def _append(self, kind: events.Kind, values: Mapping[str, Any]) -> None:
        with self._appending:
            if kind != "heartbeat" or not self._over.is_set():
                events.append(self._descriptor, kind, values)

    def _is_lost(self) -> bool:
        try:
            there, ours = (self.run / events.FILE).stat(), os.fstat(self._descriptor)
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:
            return self.lost
        return (there.st_dev, there.st_ino) != (ours.st_dev, ours.st_ino)


def _opened(run: Path) -> tuple[int, bool]:
    """The file of events, and whether it is locked."""
    status = status_of(run)
    if status.state != "running":
        try:
            descriptor = os.open(
                run / events.FILE, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666
            )
        except OSError as error:
            raise WriteError("{problem}", error, problem=explain(error)) from error
        taken = lock.acquire(descriptor)
        if taken is not False:
            return descriptor, taken is True
        os.close(descriptor)
        status = status_of(run)
    raise RunError(
        "{run}: this run is being trained already, by {trainer}. Wait for its end, or end it: a file called {stop} in "
        "that folder ends a training after its step, saved.",
        run=run,
        trainer=status.trainer,
        stop=STOP,
    )


def _in_english(error: Exception) -> str:
    return error.message.english if isinstance(error, HonshiError) else str(error)
