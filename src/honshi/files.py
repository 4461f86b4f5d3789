"""Files that are written whole or not at all, and where the user's own data live.

Whatever keeps one from being written is said here, in one place: what, where, and what to do about it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs

from honshi.errors import WriteError
from honshi.messages import Message, word

# A temporary file that is as old as this was left by a process that was killed: writing one takes seconds.
LEFT_BEHIND_SECONDS = 3600


def home() -> Path:
    """The user's data folder of honshi (ledger, downloaded data); ``HONSHI_HOME`` overrides it."""
    override = os.environ.get("HONSHI_HOME")
    return Path(override).expanduser() if override else Path(platformdirs.user_data_dir("honshi", appauthor=False))


def write_whole(path: Path, content: bytes, *, parents: bool = True) -> None:
    """Replace ``path`` by ``content`` so that no reader and no crash ever sees half of it.

    The bytes go to a temporary file in the same folder, reach the disk, and take the name in one step.

    Args:
        path: the file.
        content: all of it.
        parents: make the folders that are missing.

    Raises:
        WriteError: it cannot be written; what was there is there still.
    """
    if parents:
        make_folder(path.parent)
    with writing(path):
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        try:
            with temporary.open("xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    remove_left_behind(path.parent, path.name, LEFT_BEHIND_SECONDS)


def write_json(path: Path, value: Any, *, parents: bool = True) -> None:
    """Write ``value`` as indented JSON, whole or not at all; missing folders are made where ``parents`` says so.

    Raises:
        WriteError: as `write_whole`.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    # Of a path that is not UTF-8 what has no place in it stands as JSON's own escapes.
    write_whole(path, text.encode("utf-8", "backslashreplace") + b"\n", parents=parents)


def append_line(path: Path, line: bytes) -> None:
    """Add a line to the end of a file, by one write: processes that append at once do not mix their lines.

    Where a full disk or a power cut has left half a line, the new one begins on a line of its own. The missing
    folders are made.

    Raises:
        WriteError: it cannot be written, or not the whole of it.
    """
    make_folder(path.parent)
    with writing(path):
        check_file(path)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        try:
            append_to(descriptor, line)
        finally:
            os.close(descriptor)


def append_to(descriptor: int, line: bytes) -> None:
    """As `append_line`, to a file that is open for reading and appending.

    Raises:
        OSError: it cannot be written, or not the whole of it.
    """
    content = line + b"\n"
    size = os.fstat(descriptor).st_size
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        if os.read(descriptor, 1) != b"\n":
            content = b"\n" + content
    if os.write(descriptor, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def make_file(path: Path) -> None:
    """Make an empty file where there is none yet, with the missing folders, and see that it can be written to.

    Raises:
        WriteError: it cannot.
    """
    make_folder(path.parent)
    with writing(path):
        check_file(path)
        with path.open("ab"):
            pass


def is_new_or_empty(path: Path) -> bool:
    """Whether a folder can be made there, or is there and holds nothing, so that nothing is overwritten in it."""
    return not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir()))


def make_folder(path: Path) -> None:
    """Make a folder and those above it, where they are not there yet.

    Raises:
        WriteError: it cannot be made.
    """
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)


def remove_left_behind(folder: Path, name: str = "", seconds: float = 0.0) -> None:
    """Remove the temporary files of processes that were killed as they wrote.

    Args:
        folder: where to look.
        name: of the file that was to be written; of all where it is empty.
        seconds: how old they are at least.
    """
    until = time.time() - seconds
    try:
        with os.scandir(folder) as entries:
            left = [entry for entry in entries if entry.name.startswith(f".{name}") and entry.name.endswith(".part")]
        for entry in left:
            if entry.stat().st_mtime <= until:
                Path(entry).unlink()
    except OSError:
        pass  # they do no harm, and another process may remove them at the same time


def bytes_in(folder: Path) -> int:
    """How many bytes the files in a folder and below take on the disk; those that vanish meanwhile take none."""
    total = 0
    for path in folder.rglob("*"):
        try:
            about = path.lstat()
        except OSError:
            continue
        total += 512 * about.st_blocks if hasattr(about, "st_blocks") else about.st_size
    return total


def is_file(path: Path) -> bool:
    """Whether there is a file of this name; of a name that none can have there is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder of this name; of a name that none can have there is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def check_file(path: Path) -> None:
    """See that what goes by this name, if anything does, is a file.

    Raises:
        OSError: it is not: to open a pipe would wait for whoever is at its other end.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a file", str(path))


def read_bounded(path: Path, most: int | None) -> bytes:
    """The content of a file that has at most so many bytes, if there is a bound.

    Raises:
        OSError: it cannot be read, has more, or is not a file.
    """
    check_file(path)
    with path.open("rb") as stream:
        # Asked before: to read so many bytes at most would take the memory for them all.
        if most is not None and os.fstat(stream.fileno()).st_size > most:
            raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
        return stream.read()


def read_tail(path: Path, most: int) -> bytes:
    """The last bytes of a file, so many at most.

    Raises:
        OSError: it cannot be read, or is not a file.
    """
    check_file(path)
    with path.open("rb") as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - most))
        return stream.read(most)


def not_written(write: Callable[[], object]) -> Message | None:
    """Write something that a result stands without, as a picture beside a score.

    Returns:
        What kept it from being written, for a note beside the result; None where nothing did.
    """
    try:
        write()
    except WriteError as error:
        return error.message
    return None


def explain(error: OSError) -> Message:
    """What the system refused, where, and what to do about it."""
    if isinstance(error.filename, (str, bytes)):
        return Message("{path}: {problem}", path=os.fsdecode(error.filename), problem=_problem(error))
    # Without a name it was what is open already: the screen, or the file or pipe in its place.
    return Message("The output cannot be written: {problem}", problem=_problem(error))


def sha256(content: bytes | memoryview) -> str:
    """The SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say in a sentence what keeps a file from being written.

    Raises:
        WriteError: in place of the OSError that the block raises.
    """
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        sentence = word("{path}: this cannot be written: {problem}")
        if path.absolute().is_relative_to(home().absolute()):
            sentence = word(
                "{path}: this cannot be written: {problem} It is in honshi's data folder; the variable HONSHI_HOME "
                "names another one."
            )
        raise WriteError(sentence, error, path=path, problem=_problem(error)) from error


def _problem(error: OSError) -> Message:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            return Message("there is no space left. Make room there, or choose another place.")
        case errno.EACCES | errno.EPERM:
            return Message("you have no permission for that. Get it, or choose another place.")
        case errno.EROFS:
            return Message("this file system can only be read. Choose another place.")
        case errno.ENAMETOOLONG:
            return Message("the name is too long. Choose a shorter one.")
        case errno.EISDIR | errno.ENOTDIR | errno.EEXIST | errno.EINVAL:
            return Message("there is something else of that name. Move it away, or choose another name.")
        case errno.ENOENT:
            return Message("there is no such file or folder.")
        case errno.EFBIG:
            return Message("it is larger than a file may be there. Choose another place.")
    return Message("{reason}.", reason=error.strerror or str(error) or type(error).__name__)
