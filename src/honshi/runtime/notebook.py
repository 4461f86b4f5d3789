"""Whether Python runs in a notebook."""

from __future__ import annotations

import sys
from typing import Any


def notebook_shell() -> Any:
    """IPython's shell where it is that of a notebook, else None."""
    if "IPython" not in sys.modules:
        return None
    from IPython import get_ipython

    shell = get_ipython()
    return shell if shell is not None and hasattr(shell, "kernel") else None
