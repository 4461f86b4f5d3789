"""What is looked at before a training: the mistakes that cost an evening, found in seconds.

The data (`data`), the model's shapes (`shapes`), its parameters and gradients (`parameters`), its outputs and
loss (`outputs`), its modes (`modes`), whether it learns (`learning`), its learning rate
(`lr_range`), batch size (`batch_sizes`) and device (`devices`), and the user's own loops (`functions`); `check` goes
through them in order. `leaks` looks for validation images among the training images.
"""

from honshi.checks.check import check
from honshi.checks.finding import Finding
from honshi.checks.report import Report

__all__ = ["Finding", "Report", "check"]
