"""Files that are written whole or not at all, and where the user's own data live."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

import platformdirs


def home() -> Path:
    """The user's data folder of honshi (ledger, downloaded data); ``HONSHI_HOME`` overrides it."""
    override = os.environ.get("HONSHI_HOME")
    return Path(override) if override else Path(platformdirs.user_data_dir("honshi", appauthor=False))


def write_whole(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` so that no reader and no crash ever sees half of it.

    The bytes go to a temporary file in the same folder, reach the disk, and take the name in one
    step. Missing parent folders are made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
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


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, whole or not at all."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(path, text.encode() + b"\n")


def sha256(content: bytes | memoryview) -> str:
    """The SHA-256 of some bytes in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
