"""How good a model is: averages over images, never over batches, and how sure they are."""

from honshi.evaluation.evaluate import Evaluation, evaluate, infer
from honshi.evaluation.history import Row

__all__ = ["Evaluation", "Row", "evaluate", "infer"]
