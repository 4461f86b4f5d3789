"""The checks one after the other, and what they have found so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from honshi.checks.batch_sizes import BatchSize
from honshi.checks.finding import Finding, failed, skipped
from honshi.checks.lr_range import LRRange
from honshi.checks.raised import place_of
from honshi.checks.report import Report
from honshi.errors import HonshiError
from honshi.messages import first_line
from honshi.models import Layer

Found = TypeVar("Found")


class Inspection:
    """What is found by one check after the other; an error in the user's own code is a finding, too.

    Attributes:
        findings, layers, lr_range, batch_sizes: as in `Report`, so far.
    """

    def __init__(self, last: Sequence[str]) -> None:
        """
        Args:
            last: the checks that come after all others.
        """
        self.findings: list[Finding] = []
        self.layers: list[Layer] = []
        self.lr_range: LRRange | None = None
        self.batch_sizes: tuple[BatchSize, ...] = ()
        self._last = last

    def report(self) -> Report:
        return Report(tuple(self.findings), tuple(self.layers), self.lr_range, self.batch_sizes)

    def look(self, check: str, find: Callable[[], Found]) -> Found | None:
        """Carry out a check; its findings are kept.

        Returns:
            What it found; None where the user's code raised an error, which is a finding under the check's name then.
        """
        try:
            found = find()
        except HonshiError as error:
            self.findings.append(Finding(check, "fail", error.message))
            return None
        except Exception as error:
            self.findings.append(
                failed(
                    check,
                    "The check ended with an error{place}: {error}.",
                    place=place_of(error),
                    error=first_line(error),
                )
            )
            return None
        if isinstance(found, Finding):
            self.findings.append(found)
        elif isinstance(found, list):
            self.findings += [part for part in found if isinstance(part, Finding)]
        return found

    def failed(self, *checks: str) -> bool:
        """Whether one of these checks failed."""
        return any(finding.level == "fail" and finding.check in checks for finding in self.findings)

    def stop(self, left_out: Sequence[str], reason: str) -> None:
        """Note why the rest is left out."""
        *names, last = [*left_out, *self._last]
        self.findings.append(skipped(f"{', '.join(names)} and {last}" if names else last, reason))
