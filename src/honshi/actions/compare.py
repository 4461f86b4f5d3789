"""Two runs on the same validation images: is one better, or only luckier?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from honshi.data import Examples, Splits
from honshi.errors import RequestError
from honshi.evaluation import comparison
from honshi.evaluation.comparison import Comparison
from honshi.evaluation.evaluate import right_answers
from honshi.evaluation.intervals import wilson
from honshi.evaluation.out_of_fold import OutOfFold
from honshi.experiment import answered_images, open_finished
from honshi.files import not_written
from honshi.messages import Message
from honshi.runs import Run, looks


@dataclass(frozen=True)
class Scored:
    """One of the two.

    Attributes:
        run: which it is.
        right: images that it got right.
        n: images.
    """

    run: Run
    right: int
    n: int

    @property
    def sentence(self) -> Message:
        lower, upper = wilson(self.right, self.n)
        return Message(
            "{accuracy:.2%} (95 % interval {lower:.2%} to {upper:.2%}, n = {n:,})  {run}",
            accuracy=self.right / self.n,
            lower=lower,
            upper=upper,
            n=self.n,
            run=self.run.name,
        )


@dataclass(frozen=True)
class RunComparison:
    """What a comparison of two runs found.

    Attributes:
        first, second: the two.
        result: image by image.
        notes: what has changed in the data since, and what could not be written beside it.
    """

    first: Scored
    second: Scored
    result: Comparison
    notes: list[Message]

    @property
    def sentences(self) -> list[Message]:
        if self.result.within_noise:
            verdict = Message("the difference is within noise")
        elif self.result.difference > 0:
            verdict = Message("the second is better by more than noise")
        else:
            verdict = Message("the first is better by more than noise")
        return [
            self.first.sentence,
            self.second.sentence,
            Message(
                "Difference {points:+.2f} points on the same {n:,} validation images; only the first is right on "
                "{only_first}, only the second on {only_second}. McNemar's exact test: p = {p:.3g}, {verdict}.",
                points=self.result.difference * 100,
                n=self.result.n,
                only_first=self.result.only_first,
                only_second=self.result.only_second,
                p=self.result.p_value,
                verdict=verdict,
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        both = (self.first, self.second)
        return {
            "runs": [str(one.run.path) for one in both],
            "accuracies": [one.right / one.n for one in both],
            **self.result.to_dict(),
        }


def compare(first: str, second: str, data: str | None = None) -> RunComparison:
    """Whether the second run is better than the first on the same validation images; each is looked at once.

    Args:
        first, second: names of runs.
        data: where their data are now, as ``--data`` takes it; where they were, if left out.

    Raises:
        RunNotFoundError, RunError: as `honshi.actions.validate.validate`.
        RequestError: they were validated on different images.
    """
    opened = [open_finished(name, data) for name in (first, second)]
    runs, identities = [run for run, _, _ in opened], {splits.manifest.val_sha256 for _, _, splits in opened}
    if len(identities) > 1:
        raise _different_images(runs)
    answers: list[Tensor] = []
    noted: list[Message | None] = []
    by_folds = [run.manifest.by_folds for run in runs]
    if any(by_folds):
        if not all(by_folds):
            raise _different_images(runs)
        answers = _right_by_folds(opened)
    # Image by image, and the two may have been divided when the data lay in different orders.
    images = opened[0][2].val
    for run, model, splits in opened:
        if not any(by_folds):
            answers.append(right_answers(model, images.normalized_by(splits.val.normalization)))
        noted.append(not_written(partial(looks.note, splits.manifest.val_sha256, "compare", run.name)))
    scored = [Scored(run, int(right.sum()), len(right)) for run, right in zip(runs, answers, strict=True)]
    since = dict.fromkeys(run.changes_said for run in runs)
    notes = [note for note in (*since, *noted) if note is not None]
    return RunComparison(scored[0], scored[1], comparison.compare(answers[0], answers[1]), notes)


def _right_by_folds(opened: Sequence[tuple[Run, nn.Module, Splits[Examples]]]) -> list[Tensor]:
    """Whether the models of the folds together take each image for what it is, of the images that both runs have."""
    found = []
    for run, _, splits in opened:
        images, places = answered_images(run, splits)
        answers = OutOfFold.read(run.path).subset(places)
        right = answers.probabilities.argmax(1) == answers.labels
        found.append(dict(zip((digest.tobytes() for digest in images.digests), right.tolist(), strict=True)))
    both = [digest for digest in found[0] if digest in found[1]]
    return [torch.tensor([right[digest] for digest in both]) for right in found]


def _different_images(runs: Sequence[Run]) -> RequestError:
    return RequestError(
        "{first} and {second} were validated on different images, so they cannot be compared. "
        "Train both on the same data with the same --val and data.seed.",
        first=runs[0].name,
        second=runs[1].name,
    )
