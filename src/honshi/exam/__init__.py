"""The real exam: the sealed test set is opened once, on the record."""

from honshi.exam.ledger import Ledger
from honshi.exam.opening import ExamResult, recorded, test

__all__ = ["ExamResult", "Ledger", "recorded", "test"]
