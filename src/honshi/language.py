"""In which language people are spoken to: a sentence in English is the key of the same one in another language.

The catalogues are gettext's, one for each language, in ``locale/``. Which language it is holds for the thread or the
task that chose it, so that a server can speak another one to everyone who asks.
"""

from __future__ import annotations

import gettext
import locale
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

LANGUAGES = ("en", "ja")
_FOLDER = Path(__file__).parent / "locale"
_CHOSEN: ContextVar[str] = ContextVar("language", default="en")


def language() -> str:
    """The one that is spoken here and now."""
    return _CHOSEN.get()


@contextmanager
def speaking(chosen: str) -> Iterator[None]:
    """A block in which another language is spoken; English, where there is no catalogue of it."""
    before = _CHOSEN.set(chosen if chosen in LANGUAGES else "en")
    try:
        yield
    finally:
        _CHOSEN.reset(before)


def preferred() -> str:
    """What the environment asks for: ``HONSHI_LANG``, or the locale."""
    for wanted in (
        os.environ.get("HONSHI_LANG"),
        *(os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG")),
    ):
        if wanted:
            return _known(wanted)
    return _known(locale.getlocale()[0] or "en")


def have_gettext_speak(chosen: str) -> None:
    """Have libraries that ask gettext for their sentences, as click does, look into honshi's catalogue.

    For a whole process: the command line's.
    """
    if chosen != "en":
        os.environ["LANGUAGE"] = chosen
        gettext.bindtextdomain("honshi", str(_FOLDER))
        gettext.textdomain("honshi")


def translated(sentence: str) -> str:
    """A sentence, whose places are not filled in yet, in the language that is spoken."""
    chosen = _CHOSEN.get()
    return sentence if chosen == "en" or not sentence else _catalogue(chosen).gettext(sentence)


def available() -> list[str]:
    """The languages that there is a catalogue of, and English."""
    return [name for name in LANGUAGES if name == "en" or type(_catalogue(name)) is not gettext.NullTranslations]


def _known(wanted: str) -> str:
    name = wanted.replace("-", "_").split("_")[0].split(".")[0].lower()
    # What Windows calls it.
    name = {"japanese": "ja", "english": "en"}.get(name, name)
    return name if name in LANGUAGES else "en"


@cache
def _catalogue(name: str) -> gettext.NullTranslations:
    return gettext.translation("honshi", _FOLDER, [name], fallback=True)
