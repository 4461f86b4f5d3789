"""The exam: what there is to know before, and the sealed test set opened once, as ``honshi test`` opens it."""

from __future__ import annotations

from statistics import median
from typing import Any


def before(run: str) -> dict[str, Any]:
    """What one should know before a run's test set is opened; its result, where it was.

    Raises:
        HonshiError: it cannot sit: it is not finished, its data have changed, another model has sat this test set.
    """
    from honshi.actions.test import prepare

    candidate = prepare(run)
    return {
        "validation": candidate.validation,
        "looks": candidate.wear.looks,
        "optimism": candidate.wear.optimism,
        "sentences": [str(sentence) for sentence in candidate.sentences],
        "result": _shown(candidate.result),
    }


def sit(run: str, expectations: list[float]) -> dict[str, Any]:
    """Open the test set of a run, on the record; what was recorded, where that has been done.

    Args:
        run: its folder.
        expectations: accuracies within [0, 1] that were expected; their median is the one that is recorded as such.

    Raises:
        HonshiError: as ``honshi test``.
    """
    from honshi.actions.test import prepare

    said: list[str] = []
    candidate = prepare(run)
    result = candidate.result or candidate.sit(
        expected=median(expectations) if expectations else None,
        expectations=expectations,
        tell=lambda message: said.append(str(message)),
    )
    return {"validation": candidate.validation, "sentences": said, "result": _shown(result)}


def _shown(result: Any) -> dict[str, Any] | None:
    if result is None:
        return None
    sentences = [*result.sentences, result.record_sentence]
    return {**result.to_dict(), "sentences": [str(sentence) for sentence in sentences]}
