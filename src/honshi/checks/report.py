"""What all checks say together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from honshi.checks.batch_sizes import BatchSize
from honshi.checks.finding import Finding
from honshi.checks.lr_range import LRRange
from honshi.models import Layer


@dataclass(frozen=True)
class Report:
    """The outcome of `honshi.check`; printed, it is a line for each finding.

    Attributes:
        findings: in the order in which things were looked at.
        layers: each layer with its output shape, as far as the images came.
        lr_range: the learning-rate range test; None where it could not be made.
        batch_sizes: what each batch size costs and gives; empty where that could not be measured.
    """

    findings: tuple[Finding, ...]
    layers: tuple[Layer, ...] = ()
    lr_range: LRRange | None = None
    batch_sizes: tuple[BatchSize, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing failed; there may be warnings."""
        return all(finding.level != "fail" for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(f"{finding.level}  {finding.check}: {finding.sentence}" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        findings = [finding.to_dict() for finding in self.findings]
        return {"passed": self.passed, **asdict(self), "findings": findings}
