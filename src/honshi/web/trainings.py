"""Trainings that are begun, ended and gone on with from a page; each is a process of its own.

The process is the command line's ``honshi train --resume RUN``, in a session of its own, so that neither a page that is
closed nor the end of the server ends it. What there is to know of it stands in the run's folder.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from honshi.errors import RequestError, WriteError
from honshi.files import explain, home, make_folder, read_tail, sha256, write_whole
from honshi.recipe import Recipe
from honshi.runs import Run
from honshi.runs.session import STOP

# Of what a training has printed, so much is kept to be shown.
MOST_SAID = 4000


def begin(recipe: Recipe) -> Run:
    """Make the folder of a new run and start its training.

    Raises:
        RequestError, WriteError: nothing can be written there, or no process started.
    """
    run = Run.create(recipe)
    _start(run)
    return run


def resume(run: Run) -> None:
    """Go on with a run that was interrupted.

    Raises:
        RequestError: it is finished, or being trained.
    """
    if run.finished:
        raise RequestError("{run} is finished: to train longer, begin a run with more epochs.", run=run.name)
    if run.status.state == "running":
        raise RequestError("{run} is being trained already, by {trainer}.", run=run.name, trainer=run.status.trainer)
    with suppress(OSError):
        (run.path / STOP).unlink(missing_ok=True)
    _start(run)


def stop(run: Run) -> None:
    """End a training after its step, saved.

    Raises:
        RequestError: nobody trains it.
        WriteError: it cannot be told.
    """
    if run.status.state != "running":
        raise RequestError("{run} is not being trained.", run=run.name)
    write_whole(run.path / STOP, b"", parents=False)


def printed(run: Run) -> str:
    """The end of what a training that was begun here has printed; nothing where it was begun elsewhere."""
    try:
        return read_tail(_log(run), MOST_SAID).decode("utf-8", "replace").strip()
    except OSError:
        return ""


def _start(run: Run) -> None:
    log = _log(run)
    make_folder(log.parent)
    command = [sys.executable, "-m", "honshi", "train", "--resume", str(run.path)]
    try:
        with log.open("wb") as said:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the server's terminal is not meant for it.
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
    except OSError as error:
        raise WriteError("{problem}", error, problem=explain(error)) from error
    # Somebody has to hear of its end: a process that nobody waits for is never quite gone, and looks alive.
    threading.Thread(target=process.wait, daemon=True, name="a training").start()


def _log(run: Run) -> Path:
    return home() / "lab" / "printed" / f"{sha256(str(run.path.resolve()).encode('utf-8', 'surrogateescape'))[:32]}.txt"
