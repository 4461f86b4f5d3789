"""What all checks say together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from honshi.checks.finding import Finding
from honshi.models import Layer


@dataclass(frozen=True)
class Report:
    """The outcome of `honshi.check`; printed, it is a line for each finding.

    Attributes:
        findings: in the order in which things were looked at.
        layers: each layer with its output shape, as far as the images came.
    """

    findings: tuple[Finding, ...]
    layers: tuple[Layer, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing failed; there may be warnings."""
        return all(finding.level != "fail" for finding in self.findings)

    def __str__(self) -> str:
        return "\n".join(f"{finding.level}  {finding.check}: {finding.sentence}" for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        return {"passed": self.passed, **asdict(self)}
