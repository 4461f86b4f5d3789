"""What is looked at before a training: the mistakes that cost an evening, found in seconds.

`check` goes through the checks in order. What they look at:

- the parts themselves (`parts`) and the data (`data`), of which `draw` takes a sample;
- the model's shapes (`shapes`; `trace` follows a batch through it, `refusals` says why a layer stopped it), its
  parameters and gradients (`parameters`, `backward`), its outputs and loss (`outputs`), its modes (`modes`);
- how it learns (`learning`), its learning rate (`lr_range`), batch size (`batch_sizes`) and device (`devices`);
- the user's own loops (`functions`; `watch` sees what they do).

`before_training` is what is seen in milliseconds, and looked at before every training.

Everything is tried on copies (`subject`), and `keeping` gives back what was touched all the same. `leaks` looks for
validation images among the training images.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from honshi.checks.before_training import before_training
from honshi.checks.finding import Finding
from honshi.lazy import lazily

if TYPE_CHECKING:
    from honshi.checks.all import check
    from honshi.checks.report import Report

__all__ = ["Finding", "Report", "before_training", "check"]

# A training takes its short look without all that only these need.
__getattr__ = lazily(__name__, {"Report": "honshi.checks.report", "check": "honshi.checks.all"})
