"""What the curves of runs say."""

from __future__ import annotations

from typing import Any


def diagnose(run: str) -> dict[str, Any]:
    """What a run's curves say; see `honshi.actions.diagnose`."""
    from honshi.actions.diagnose import diagnose as action

    found = action(run)
    evidence = found.diagnosis.evidence
    return {**found.to_dict(), "evidence": [str(one) for one in evidence.sentences] if evidence is not None else []}


def compare(first: str, second: str) -> dict[str, Any]:
    """Whether one run is better than the other; see `honshi.actions.compare`."""
    from honshi.actions.compare import compare as action

    found = action(first, second)
    return {**found.to_dict(), "sentences": [str(sentence) for sentence in found.sentences]}
