"""The pages that there are, in the order in which one comes to them."""

from __future__ import annotations

from dataclasses import dataclass

from honshi.messages import Message


@dataclass(frozen=True)
class Page:
    """One of them; its template, script and icon have its name.

    Attributes:
        name: of its files.
        path: where it is.
        title: as the navigation has it.
    """

    name: str
    path: str
    title: Message


PAGES = (
    Page("runs", "/", Message("Runs")),
    Page("train", "/train", Message("Train")),
    Page("draw", "/draw", Message("Draw")),
    Page("inside", "/inside", Message("Inside")),
    Page("lecture", "/lecture", Message("Lecture")),
    Page("exam", "/exam", Message("Exam")),
)
