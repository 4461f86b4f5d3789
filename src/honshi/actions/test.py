"""The real exam of a run: what there is to know before, and the sealed test set opened once, on the record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from honshi import exam
from honshi.data import Examples, Splits
from honshi.errors import RequestError
from honshi.evaluation.intervals import wilson
from honshi.exam import ExamResult, Sitting
from honshi.experiment import open_finished
from honshi.files import sha256
from honshi.messages import Message
from honshi.runs import Run, looks
from honshi.runs.looks import Wear


@dataclass(frozen=True)
class Candidate:
    """A run before its exam.

    Attributes:
        run: which.
        splits: its data, of which the test set is still sealed.
        sitting: of this model and this test set.
        wear: of the validation set.
        result: what this model has been given already; None where it has not sat.
        reason: why a test set that another model has sat is opened again.
    """

    run: Run
    splits: Splits[Examples]
    sitting: Sitting
    wear: Wear
    result: ExamResult | None
    reason: str | None

    @property
    def validation(self) -> dict[str, Any]:
        """The score of the mock exam, as the ledger records it."""
        n, accuracy = self.splits.manifest.val_size, self.run.kept.val_accuracy
        return {"n": n, "accuracy": accuracy, "interval": list(wilson(round(accuracy * n), n))}

    @property
    def sentences(self) -> list[Message]:
        """What one should know before it is opened; or that it was."""
        if self.result is not None:
            return [Message("This model has sat this exam: this is the recorded result, and no new opening.")]
        score = self.validation
        return [
            Message(
                "Validation accuracy of {run}: {accuracy:.2%} (95 % interval {lower:.2%} to {upper:.2%}, n = {n:,}). "
                "{wear}",
                run=self.run.name,
                accuracy=score["accuracy"],
                lower=score["interval"][0],
                upper=score["interval"][1],
                n=score["n"],
                wear=self.wear.sentence,
            ),
            Message(
                "This opens the sealed test set of {test_set} and writes it down. It is the real exam: afterwards "
                "nothing more should be changed because of its score.",
                test_set=self.splits.test.name,
            ),
            *([] if self.run.changes_said is None else [self.run.changes_said]),
        ]

    def sit(
        self, *, expected: float | None = None, expectations: Sequence[float] = (), tell: Callable[[Message], None]
    ) -> ExamResult:
        """Open the test set, on the record.

        Args:
            expected: the accuracy within [0, 1] that is expected, recorded before the opening.
            expectations: what each of a class expected, recorded too.
            tell: called with what there is to say while others sit.

        Raises:
            AlreadyOpenedError, LedgerError, ModelError: as `honshi.exam.test`.
        """
        manifest = self.splits.manifest
        return self.sitting.sit(
            expected=expected,
            again=self.reason,
            train=self.splits.train,
            pictures=self.run.path,
            tell=tell,
            record={
                "run": str(self.run.path.resolve()),
                "recipe_sha256": sha256(self.run.recipe.to_toml().encode()),
                "validation": self.validation,
                "looks": self.wear.looks,
                "trials": looks.count(manifest.val_sha256, "trial"),
                "optimism": self.wear.optimism,
                **({"expectations": list(expectations)} if expectations else {}),
            },
        )


def prepare(name: str, *, data: str | None = None, again: bool = False, reason: str | None = None) -> Candidate:
    """A run ready to sit its exam; nothing is shown to the model yet.

    Args:
        name: of the run.
        data: where its data are now, as ``--data`` takes it; where they were, if left out.
        again, reason: that a test set which another model has sat is opened again, and why.

    Raises:
        RequestError: of again and reason one is missing.
        AlreadyOpenedError: another model has sat this test set, and no reason was given.
        RunNotFoundError, RunError: there is no such run, it is not finished, or the data have changed since.
    """
    if again != (reason is not None and bool(reason.strip())):
        raise RequestError('To open a test set again takes both --again and --reason "why".')
    run, model, splits = open_finished(name, data)
    # Read once, to know which exam it is; the model is asked about it only when it sits.
    sitting = exam.prepare(model, splits.test)
    manifest = splits.manifest
    return Candidate(
        run=run,
        splits=splits,
        sitting=sitting,
        wear=looks.describe(manifest.val_sha256, manifest.val_size, run.kept.val_accuracy),
        result=sitting.recorded(again=reason),
        reason=reason,
    )
