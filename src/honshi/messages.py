"""A sentence for people, kept apart from what is filled into it.

A message is its English sentence with named places, ``"{path}: there is no such file."``, and what belongs there. The
sentence is its key, as gettext has it: each stands once in the source, in the place that says it, and can be
looked up in another language as long as nothing has been filled in.
"""

from __future__ import annotations

from typing import Any

from honshi.language import speaking, translated


class Message:
    """A sentence with named places and their values; ``str`` fills them in.

    Attributes:
        sentence: with places as `str.format` knows them, ``{count:,}`` among them; braces that are meant as such are
            doubled where there are parameters.
        parameters: by name; a message among them is filled in as its own text.
    """

    __slots__ = ("parameters", "sentence")

    def __init__(self, sentence: str, /, **parameters: Any) -> None:
        self.sentence = sentence
        self.parameters = parameters

    def __str__(self) -> str:
        sentence = translated(self.sentence)
        return sentence.format(**self.parameters) if self.parameters else sentence

    @property
    def english(self) -> str:
        """The same in English, whatever is spoken: for files and for programs."""
        with speaking("en"):
            return str(self)

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __repr__(self) -> str:
        return f"Message({self.sentence!r}, **{self.parameters!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return (self.sentence, self.parameters) == (other.sentence, other.parameters)

    def __hash__(self) -> int:
        return hash((self.sentence, tuple(self.parameters)))


def word(sentence: str) -> str:
    """Marks what is translated where it is shown: `said` of it."""
    return sentence


def said(sentence: str, /, **parameters: Any) -> str:
    """A sentence in the language that is spoken, filled in."""
    return str(Message(sentence, **parameters))


def first_line(error: BaseException) -> str:
    """``ValueError: the first line of what it says``, without a full stop at its end."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.')}" if lines else type(error).__name__


def printable(name: object) -> str:
    r"""A name in a sentence, on one line: what no screen can show, as a line break or a byte that is no text, is
    written as Python would (``\n``, ``\udcff``)."""
    text = str(name)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
