"""What a child process can be asked: from plain values to plain values, by the actions of the command line.

A file for each page. Torch is loaded in that process alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from honshi.web.computing import drawing, exam, inside, runs


def get_ready(threads: int | None) -> None:
    """Load torch, before the first question."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


ASKED: dict[str, Callable[..., Any]] = {
    "answers": inside.answers,
    "augmented": inside.augmented,
    "before_the_exam": exam.before,
    "compare": runs.compare,
    "diagnose": runs.diagnose,
    "filters": inside.filters,
    "images": inside.images,
    "layers": inside.layers,
    "learn": drawing.learn,
    "look": drawing.look,
    "sit_the_exam": exam.sit,
}
