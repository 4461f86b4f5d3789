"""Whether a file of a published data set is that file: by the SHA-256 of its uncompressed content, looked at once."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

from honshi.errors import DataError
from honshi.files import home, not_written, read_bounded, sha256, write_json

CHUNK = 1 << 20
# The largest file has 47 MB; what unpacks to more is another one.
LARGEST_CONTENT = 50_000_000
# What is known of a folder's files.
MOST_BYTES = 1 << 20


def verify(folder: Path, contents: Mapping[str, str], title: str, advice: str) -> None:
    """See that files are those that were published; which of them were is remembered by size and time.

    Args:
        folder: where they are, with gzip or without.
        contents: SHA-256 of the uncompressed content, by the file's name.
        title: what the data set is called.
        advice: what to do where one is another file.

    Raises:
        DataError: one is.
    """
    memory = home() / "verified" / f"{sha256(os.fsencode(folder.absolute()))}.json"
    try:
        known = dict(json.loads(read_bounded(memory, MOST_BYTES)))
    except (OSError, ValueError, TypeError, RecursionError):
        known = {}
    found = {}
    for name, expected in contents.items():
        about = (folder / name).stat()
        found[name] = [about.st_size, about.st_mtime_ns, expected]
        if known.get(name) == found[name]:
            continue
        content = _hash(folder / name)
        if content != expected:
            raise DataError(
                "{path}: this is not a file of {title}: its content has SHA-256 {found}… in place of {expected}…. "
                "{advice}",
                path=folder / name,
                title=title,
                found=content[:12] if content is not None else "?",
                expected=expected[:12],
                advice=advice,
            )
    if found != known:
        # Where it cannot be remembered, it is looked at again the next time.
        not_written(lambda: write_json(memory, found))


def _hash(path: Path) -> str | None:
    """None: it cannot be unpacked, or is too large to be the right one."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if compressed else path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                size += len(chunk)
                if size > LARGEST_CONTENT:
                    return None
    except (OSError, EOFError, zlib.error):
        return None
    return digest.hexdigest()
