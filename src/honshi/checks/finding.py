"""What one check says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from honshi.messages import Message

Level = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Attributes:
        check: what was looked at, ``"first loss"``.
        level: "warn" can be meant, "fail" cannot; "skip" was not looked at, and the sentence says why.
        message: what was found, and what to do about it.
    """

    check: str
    level: Level
    message: Message

    @property
    def sentence(self) -> str:
        """The message in words."""
        return str(self.message)

    def to_dict(self) -> dict[str, str]:
        return {"check": self.check, "level": self.level, "sentence": self.sentence}


def passed(check: str, sentence: str, /, **parameters: Any) -> Finding:
    """Nothing to do; the sentence is a `Message`'s, with its parameters."""
    return Finding(check, "pass", Message(sentence, **parameters))


def warned(check: str, sentence: str, /, **parameters: Any) -> Finding:
    """Something that can be meant."""
    return Finding(check, "warn", Message(sentence, **parameters))


def failed(check: str, sentence: str, /, **parameters: Any) -> Finding:
    """Something that cannot be meant."""
    return Finding(check, "fail", Message(sentence, **parameters))


def skipped(check: str, sentence: str, /, **parameters: Any) -> Finding:
    """Not looked at."""
    return Finding(check, "skip", Message(sentence, **parameters))
