"""What one check says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["pass", "warn", "fail", "skip"]


@dataclass(frozen=True)
class Finding:
    """One line of a report.

    Attributes:
        check: what was looked at, ``"first loss"``.
        level: "warn" can be meant, "fail" cannot; "skip" was not looked at, and the sentence says why.
        sentence: what was found, and what to do about it.
    """

    check: str
    level: Level
    sentence: str
