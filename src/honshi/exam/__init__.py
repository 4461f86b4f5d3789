"""The real exam: the sealed test set is opened once, on the record."""

from honshi.exam.ledger import Ledger
from honshi.exam.opening import Sitting, prepare, recorded, test
from honshi.exam.result import ExamResult

__all__ = ["ExamResult", "Ledger", "Sitting", "prepare", "recorded", "test"]
