"""The mock exam by folds: what each training image is taken for by models that did not see it.

Measured on photographs, the interval over the distinct images keeps its promise of 95 %, and the usual mean and
deviation over folds, which take scores on overlapping training sets for independent ones, keep less than half of it.
Source: Y. Bengio, Y. Grandvalet, "No unbiased estimator of the variance of k-fold cross-validation", 2004.

Shapes: n images; r repeats; k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from honshi.errors import ModelError
from honshi.evaluation.answers import Criterion
from honshi.evaluation.calibration import Reliability, reliability
from honshi.evaluation.evaluate import Evaluation, score
from honshi.evaluation.history import Row
from honshi.evaluation.intervals import wilson
from honshi.files import write_whole

# In a run's folder.
FILE = "folds.safetensors"
_NAMES = ("folds", "labels", "logits", "temperatures", "curves")


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Answers for n images, each r times by models that were trained on the other folds.

    Attributes:
        folds: int64 (r, n), in which each image is.
        labels: int64 (n,).
        logits: float32 (r, n, k); NaN where no model has answered yet.
        temperatures: float32 (r, n), by which logits are divided for a calibrated confidence; each was fitted without
            the images of its fold.
        curves: float32 (r, f, e, 2), validation loss and accuracy of the model of each of f folds after each of e
            epochs; NaN where there were fewer.
    """

    folds: Tensor
    labels: Tensor
    logits: Tensor
    temperatures: Tensor
    curves: Tensor

    @classmethod
    def unanswered(cls, folds: Tensor, labels: Tensor, classes: int, epochs: int) -> OutOfFold:
        """Nothing is answered yet.

        Args:
            folds: int64 (r, n).
            labels: int64 (n,).
            classes: k.
            epochs: that a model is trained for at most.
        """
        repeats, count = folds.shape
        logits = torch.full((repeats, count, classes), torch.nan)
        curves = torch.full((repeats, int(folds.max()) + 1, epochs, 2), torch.nan)
        return cls(folds, labels, logits, torch.ones(repeats, count), curves)

    @classmethod
    def of_one_model(cls, logits: Tensor, labels: Tensor, temperature: float) -> OutOfFold:
        """The answers (n, k) of one model for validation images of which it has learnt none."""
        count = len(labels)
        folds, curves = torch.zeros(1, count, dtype=torch.int64), torch.full((1, 1, 1, 2), torch.nan)
        return cls(folds, labels.cpu(), logits.cpu().unsqueeze(0), torch.full((1, count), temperature), curves)

    def empty(self, repeats: int) -> OutOfFold:
        """The same folds of the first repeats, with nothing answered."""
        return self.unanswered(self.folds[:repeats], self.labels, self.logits.shape[2], self.curves.shape[2])

    def subset(self, places: Tensor) -> OutOfFold:
        """The answers for some of the images."""
        dealt, given, by = (part[:, places] for part in (self.folds, self.logits, self.temperatures))
        return replace(self, folds=dealt, labels=self.labels[places], logits=given, temperatures=by)

    @property
    def n(self) -> int:
        return len(self.labels)

    @property
    def repeats(self) -> int:
        return len(self.folds)

    @property
    def count(self) -> int:
        """Folds of one repeat."""
        return self.curves.shape[1]

    @property
    def turns(self) -> list[tuple[int, int]]:
        """Repeat and fold of every model."""
        return [(repeat, fold) for repeat in range(self.repeats) for fold in range(self.count)]

    def held_out(self, repeat: int, fold: int) -> Tensor:
        """The places of the images of a fold, ascending int64."""
        return (self.folds[repeat] == fold).nonzero().flatten()

    def answered(self, repeat: int, fold: int) -> bool:
        """Whether the model of a fold has answered."""
        return not bool(self.logits[repeat, self.held_out(repeat, fold)].isnan().any())

    def note(self, repeat: int, fold: int, logits: Tensor, temperature: float) -> None:
        """Take what the model of a fold answers for its images (of the fold, k)."""
        places = self.held_out(repeat, fold)
        self.logits[repeat, places] = logits.float().cpu()
        self.temperatures[repeat, places] = temperature

    def accuracy_of(self, repeat: int, fold: int) -> float:
        """Of the model of a fold, on its images."""
        places = self.held_out(repeat, fold)
        return float((self.logits[repeat, places].argmax(1) == self.labels[places]).double().mean())

    def note_curve(self, repeat: int, fold: int, rows: Sequence[Row]) -> None:
        """Take the history of the model of a fold."""
        for row in rows:
            self.curves[repeat, fold, row.epoch - 1] = torch.tensor([row.val_loss, row.val_accuracy])

    @property
    def mean_curve(self) -> Tensor:
        """Validation loss and accuracy after each epoch, the mean over the models that were trained as long (e, 2)."""
        return self.curves.flatten(0, 1).nanmean(0)

    @property
    def best_epoch(self) -> int:
        """The median of the epochs after which the models of the folds had their lowest validation loss."""
        best = self.curves[..., 0].nan_to_num(torch.inf).argmin(2) + 1
        return int(best.float().median())

    @property
    def right(self) -> Tensor:
        """How often each image was taken for what it is, of r times; float64 (n,) within [0, 1]."""
        return (self.logits.argmax(2) == self.labels).double().mean(0)

    @property
    def accuracy(self) -> float:
        """Of one model, on images that it did not see."""
        return float(self.right.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval over the distinct images: that each is asked several times adds no image."""
        return wilson(self.accuracy * self.n, self.n)

    @property
    def probabilities(self) -> Tensor:
        """The mean over the repeats of what each image is taken for, calibrated; float32 (n, k)."""
        return (self.logits / self.temperatures.unsqueeze(2)).softmax(2).mean(0)

    @property
    def always_wrong(self) -> Tensor:
        """The places of the images that no model has taken for what they are, the surest mistake first."""
        wrong = (self.right == 0).nonzero().flatten()
        sure = self.probabilities.max(1).values[wrong]
        return wrong[sure.argsort(descending=True)]

    def evaluation(self, names: Sequence[str], criterion: Criterion | None = None) -> Evaluation:
        """The score, in which each image counts once: counts of the confusion matrix are means over the repeats.

        Args:
            names: of the classes.
            criterion: as for `honshi.evaluate`.
        """
        pooled = score(self.logits.flatten(0, 1), self.labels.repeat(self.repeats), names, criterion)
        if self.repeats == 1:
            return pooled
        matrix = [[count / self.repeats for count in row] for row in pooled.confusion]
        classes = {name: replace(one, n=round(one.n / self.repeats)) for name, one in pooled.per_class.items()}
        return replace(pooled, n=self.n, interval=self.interval, confusion=matrix, per_class=classes)

    def reliability(self, *, calibrated: bool) -> Reliability:
        """Confidence against accuracy of all answers."""
        logits = self.logits / self.temperatures.unsqueeze(2) if calibrated else self.logits
        return reliability(logits.flatten(0, 1), self.labels.repeat(self.repeats))

    def to_dict(self) -> dict[str, Any]:
        """What ``--json`` says of it."""
        return {"folds": self.count, "repeats": self.repeats, "n": self.n, "accuracy": self.accuracy}

    def write(self, folder: Path) -> None:
        """Keep it in a run's folder.

        Raises:
            WriteError: it cannot be written.
        """
        tensors = {name: getattr(self, name).contiguous() for name in _NAMES}
        write_whole(folder / FILE, save(tensors), parents=False)

    @classmethod
    def read(cls, folder: Path) -> OutOfFold:
        """
        Raises:
            ModelError: it is not there, or damaged.
        """
        path = folder / FILE
        try:
            with safe_open(path, "pt") as file:
                found = cls(*(file.get_tensor(name) for name in _NAMES))
            repeats, count, _ = found.logits.shape
            dealt = found.folds.shape == found.temperatures.shape == (repeats, count)
            if not dealt or found.labels.shape != (count,) or found.curves.shape[:2] != (repeats, found.count):
                raise ValueError("its parts do not belong together")
        except (OSError, SafetensorError, ValueError) as error:
            raise ModelError(
                "{path}: it does not say what the models of the folds have answered: {problem}.",
                path=path,
                problem=error,
            ) from error
        return found
