"""The real exam: the sealed test set is opened once, on the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from honshi.lazy import lazily

if TYPE_CHECKING:
    from honshi.exam.ledger import Ledger
    from honshi.exam.opening import Sitting, prepare, recorded, test
    from honshi.exam.result import ExamResult

__all__ = ["ExamResult", "Ledger", "Sitting", "prepare", "recorded", "test"]

__getattr__ = lazily(
    __name__,
    {
        "ExamResult": "honshi.exam.result",
        "Ledger": "honshi.exam.ledger",
        "Sitting": "honshi.exam.opening",
        "prepare": "honshi.exam.opening",
        "recorded": "honshi.exam.opening",
        "test": "honshi.exam.opening",
    },
)
