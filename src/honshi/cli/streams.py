"""What honshi writes to, made ready for all that it has to say.

A file or a pipe has the encoding of the system, which on Windows is none of Unicode's; a stream may be closed; and
whoever reads it may be gone.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
import unicodedata
from contextlib import suppress

# What stands for a character that the encoding of a stream does not have; others lose their accents, or become "?".
_IN_ASCII = {
    "×": "x",
    "·": "-",
    "…": "...",
    "±": "+-",
    "→": "->",
    "←": "<-",
    "↑": "^",
    "↓": "v",
    "−": "-",
    "–": "-",
    "—": "-",
    "≤": "<=",
    "≥": ">=",
    "≈": "~",
    "µ": "u",
    "μ": "u",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
    "•": "*",
    "✓": "ok",
    **dict.fromkeys("─━╸╺╴╶═", "-"),
    **dict.fromkeys("│┃║", "|"),
    **dict.fromkeys("├└┌┐┘┤┬┴┼", "+"),
}
_ERRORS = "honshi-in-ascii"


def make_ready() -> None:
    """Let the streams of this process take any text."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            # Nothing is opened in the place of a closed stream, where others would write into it.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123
    codecs.register_error(_ERRORS, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def encodes(text: str) -> bool:
    """Whether stdout has a place for all characters of a text."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def close_output() -> bool:
    """Write out what waits to be written to stdout, and nothing more after it; whether that went well."""
    try:
        sys.stdout.flush()
    except OSError:
        # Python would try again at exit, and complain.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def _replaced(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_in_ascii, error.object[error.start : error.end])), error.end


def _in_ascii(character: str) -> str:
    if character in _IN_ASCII:
        return _IN_ASCII[character]
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or "?"
