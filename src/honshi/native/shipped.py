"""Libraries that came compiled with the package, one of each C file for each kind of processor.

They lie in a folder beside the sources, with an index that says of which source and with which content: what does not
agree with it is not loaded. `hatch_build.py` makes the folder for a wheel; a checkout has none.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from honshi.messages import Message
from honshi.native.compiler import compile_library, suffix_for
from honshi.native.levels import Level, levels_of, runnable

FOLDER = "compiled"
INDEX = "index.json"
# Both have some ten thousand bytes: what is larger is neither, and is not read.
LARGEST_BYTES = 1 << 24


class NotShippedError(Exception):
    """The package has no library of a source for this machine.

    Attributes:
        problem: why not.
    """

    def __init__(self, problem: Message) -> None:
        super().__init__(problem)
        self.problem = problem


def shipped(source: Path, content: bytes) -> tuple[Level, Path]:
    """The library of a source that is the best for this processor.

    Args:
        source: the C file.
        content: of it.

    Raises:
        NotShippedError: there is none, or it is not what the index says.
    """
    folder = source.parent / FOLDER
    if not folder.is_dir():
        raise NotShippedError(Message("honshi was installed without compiled code."))
    index = _index(folder / INDEX)
    if index["sources"].get(source.name) != _sha256(content):
        raise NotShippedError(Message("{source} is not the file that honshi came with.", source=source.name))
    for level in runnable():
        path = folder / _name(source.name, level, sys.platform)
        if path.name in index["libraries"]:
            if index["libraries"][path.name] != _sha256(_read(path)):
                raise NotShippedError(Message("{path} is damaged: install honshi anew.", path=path))
            return level, path
    raise NotShippedError(Message("honshi came without compiled code for this kind of processor."))


def build(compiler: Sequence[str], sources: Sequence[Path], folder: Path, machine: str, system: str) -> list[Path]:
    """Compile sources for all levels of a kind of machine, and write the index.

    Args:
        compiler: as `find_compiler` gives it.
        sources: C files.
        folder: where the libraries go, which is there.
        machine: one of the names of its kind.
        system: that it has, by Python's name.

    Returns:
        All files that were written; none for a kind of machine of which honshi knows no levels.

    Raises:
        CompilerError: the compiler cannot do it.
        OSError: no file can be written.
    """
    made: list[Path] = []
    for source in sources if (levels := levels_of(machine)) else ():
        for level in levels:
            with tempfile.TemporaryDirectory(prefix="honshi-") as name:
                (Path(name) / source.name).write_bytes(source.read_bytes())
                library = _name(source.name, level, system)
                found = compile_library(compiler, Path(name), source.name, library, level.flags, system)
                made.append(folder / library)
                made[-1].write_bytes(found.read_bytes())
    if made:
        index = {
            "sources": {source.name: _sha256(source.read_bytes()) for source in sources},
            "libraries": {path.name: _sha256(path.read_bytes()) for path in made},
        }
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", "utf-8")
        made.append(folder / INDEX)
    return made


def _name(source: str, level: Level, system: str) -> str:
    return f"{source.removesuffix('.c')}-{level.name}{suffix_for(system)}"


def _sha256(content: bytes) -> str:
    # Not that of honshi.files: a build has none of the libraries that honshi needs.
    return hashlib.sha256(content).hexdigest()


def _index(path: Path) -> dict[str, Any]:
    """
    Raises:
        NotShippedError: it is damaged.
    """
    try:
        index = json.loads(_read(path))
        if isinstance(index["sources"], dict) and isinstance(index["libraries"], dict):
            return index  # type: ignore[no-any-return]
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise NotShippedError(Message("{path} is damaged: install honshi anew.", path=path))


def _read(path: Path) -> bytes:
    """The content of a file; nothing where it is no file, or cannot be one of these."""
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= LARGEST_BYTES else b""
    except OSError:
        return b""
