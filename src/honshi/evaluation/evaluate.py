"""Measuring a model on labelled images.

Shapes: n images, b of them in a batch; k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from honshi.data.batches import Data, make_batches
from honshi.data.examples import Examples
from honshi.errors import ModelError
from honshi.evaluation.answers import Criterion, ask, check_labels, classes_of, loss_of
from honshi.evaluation.intervals import wilson
from honshi.evaluation.metrics import ClassScore, confusion_matrix, per_class
from honshi.features import at_the_head
from honshi.losses import CrossEntropy
from honshi.models.modes import evaluating
from honshi.models.outputs import is_binary
from honshi.native.layers import compiled_layers
from honshi.runtime import device_of, threads

# Large enough that the cost of calling operations vanishes, small enough that a convnet's features stay in cache.
BATCH_SIZE = 250


@dataclass(frozen=True)
class Evaluation:
    """A model's score on some images.

    Attributes:
        n: how many images.
        loss: mean over them.
        accuracy: within [0, 1].
        interval: 95 % Wilson interval of the accuracy.
        per_class: by name of the class.
        confusion: counts, ``confusion[true][predicted]``; means of counts where each image was asked several times.
    """

    n: int
    loss: float
    accuracy: float
    interval: tuple[float, float]
    per_class: dict[str, ClassScore]
    confusion: list[list[int]] | list[list[float]]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def infer(model: nn.Module, data: Data, batch_size: int = BATCH_SIZE) -> tuple[Tensor, Tensor]:
    """Logits (n, k) and labels of all images, in eval mode and without gradients.

    The model computes on the device where its parameters are, and is left in the mode it was in.

    Returns:
        Logits and labels as `honshi.evaluation.answers` pairs them: class numbers (n,) as a rule.

    Raises:
        SealedError: the data are the sealed test set.
        ModelError: there are no images, or the model does not give logits.
    """
    model, data = at_the_head(model, data)
    device = device_of(model)
    with evaluating(model) as scored, compiled_layers(scored), threads.giving_way():
        answers, truths = [], []
        for inputs, labels in make_batches(data, batch_size, device=device):
            threads.look()
            answers.append(ask(scored, inputs, len(labels)))
            truths.append(labels)
    if not answers:
        raise ModelError("There are no images to evaluate.")
    return torch.cat(answers), torch.cat(truths)


def right_answers(model: nn.Module, data: Data) -> Tensor:
    """Whether each answer is right, bool (n,) on the CPU.

    Raises:
        SealedError, ModelError: as `infer`.
    """
    logits, labels = infer(model, data)
    answered, true = _scored(logits, labels)  # (n,) both
    return (answered == true).cpu()


def loss_and_accuracy(model: nn.Module, data: Data, criterion: Criterion) -> tuple[float, float]:
    """Mean loss and accuracy over all images, each image weighing the same."""
    logits, labels = infer(model, data)
    answered, true = _scored(logits, labels)
    return loss_of(criterion, logits, labels).item(), (answered == true).double().mean().item()


def _scored(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The class that each answer names and the one that is right, (n,) both."""
    check_labels(logits, labels)
    return classes_of(logits, labels)


def evaluate(model: nn.Module, data: Data, criterion: Criterion | None = None) -> Evaluation:
    """Score a model: loss, accuracy with its interval, and each class.

    Args:
        model: images (b, c, h, w) to logits (b, k).
        data: `Examples` such as `Images`, a torch Dataset or a DataLoader; never the sealed test set.
        criterion: logits and labels to a mean; cross-entropy where left out.

    Raises:
        SealedError: the data are the sealed test set.
        ModelError: there are no images, an answer is NaN, or labels and outputs do not go together.
    """
    logits, labels = infer(model, data)
    return score(logits, labels, data.classes if isinstance(data, Examples) else None, criterion)


def score(
    logits: Tensor, labels: Tensor, names: Sequence[str] | None = None, criterion: Criterion | None = None
) -> Evaluation:
    """Score answers that a model has given, as `infer` returns them.

    Args:
        logits: (n, k), or (n, 1) of two classes.
        labels: as `honshi.evaluation.answers` pairs them with such logits.
        names: of the classes; their numbers where left out.
        criterion: as for `evaluate`.

    Raises:
        ModelError: an answer is NaN, or labels and outputs do not go together.
    """
    no_answer = int(logits.reshape(len(logits), -1).isnan().any(1).sum())
    if no_answer:
        raise ModelError(
            "Of {count:,} images the model answers {no_answer:,} with NaN, so there is no score. Look for weights that "
            "are NaN (a training that diverged), and for pixels that are.",
            count=len(logits),
            no_answer=no_answer,
        )
    answered, true = _scored(logits, labels)
    count, classes = len(logits), 2 if is_binary(logits) else logits.shape[1]
    loss = _cross_entropy(logits, labels, true) if criterion is None else loss_of(criterion, logits, labels).item()
    matrix = confusion_matrix(true.long(), answered, classes).cpu()  # (k, k)
    right = int(matrix.trace())
    return Evaluation(
        n=count,
        loss=loss,
        accuracy=right / count,
        interval=wilson(right, count),
        per_class=per_class(matrix, names or tuple(map(str, range(classes)))),
        confusion=matrix.tolist(),
    )


def _cross_entropy(logits: Tensor, labels: Tensor, true: Tensor) -> float:
    """The mean cross-entropy, of class numbers or of probabilities."""
    if is_binary(logits):
        probabilities = labels.flatten().to(logits.dtype)
        return float(binary_cross_entropy_with_logits(logits.flatten(), probabilities))
    soft = labels.shape == logits.shape and labels.dim() == 2
    return float(CrossEntropy()(logits, labels.to(logits.dtype) if soft else true.long()))
