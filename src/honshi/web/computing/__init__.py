"""What a child process can be asked: from plain values to plain values, by the actions of the command line.

A file for each page. Torch is loaded in that process alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from honshi.web.computing import drawing, exam, inside, lecture, runs


def get_ready(threads: int | None) -> None:
    """Load torch, before the first question."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


ASKED: dict[str, Callable[..., Any]] = {
    "answers": inside.answers,
    "augmented": inside.augmented,
    "batch_norm": lecture.batch_norm,
    "before_the_exam": exam.before,
    "compare": runs.compare,
    "diagnose": runs.diagnose,
    "dropout": lecture.dropout,
    "filters": inside.filters,
    "gradients": lecture.gradients,
    "images": inside.images,
    "layers": inside.layers,
    "learn": drawing.learn,
    "look": drawing.look,
    "peeks": lecture.peeks,
    "sit_the_exam": exam.sit,
    "slow_motion": lecture.slow_motion,
}
