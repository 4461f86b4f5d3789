"""What templates and scripts say, in the language of who looks."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from starlette.requests import Request

from honshi.language import available, preferred, speaking, translated
from honshi.messages import Message

STATIC = Path(__file__).parent / "static"
COOKIE = "honshi-language"
# A sentence in a script: _("There are {count} runs.", {count}).
_SAID = re.compile(r"""\b_\(\s*("(?:[^"\\]|\\.)*")""")


def language_of(request: Request) -> str:
    """The one that was chosen on the page, or the first that the browser asks for, or the environment's."""
    known = available()
    chosen = request.cookies.get(COOKIE)
    if chosen in known:
        return chosen
    for wanted in request.headers.get("accept-language", "").split(","):
        name = wanted.split(";")[0].strip().split("-")[0].lower()
        if name in known:
            return name
    return preferred() if preferred() in known else known[0]


def said(sentence: str, **parameters: object) -> str:
    """A sentence of a template, filled in; ``_`` there."""
    return str(Message(sentence, **parameters))


@cache
def sentences_of_scripts() -> frozenset[str]:
    """Every sentence that a script says."""
    scripts = (path.read_text("utf-8") for path in sorted(STATIC.glob("*.js")))
    return frozenset(json.loads(literal) for script in scripts for literal in _SAID.findall(script))


@cache
def words(language: str) -> Mapping[str, str]:
    """What the scripts need of a language: a translation for each of their sentences."""
    with speaking(language):
        pairs = {sentence: translated(sentence) for sentence in sentences_of_scripts()}
    return {sentence: translation for sentence, translation in pairs.items() if sentence != translation}
