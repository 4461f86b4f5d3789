"""Where a run happens: machine, versions, device."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def describe(device: torch.device) -> dict[str, Any]:
    """What ``environment.json`` records and ``honshi doctor`` shows."""
    return {
        "started": datetime.now(UTC).isoformat(),
        "device": str(device),
        "device_name": device_name(device),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "versions": {
            "honshi": version("honshi"),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "numpy": version("numpy"),
        },
    }


def device_name(device: torch.device) -> str:
    """What the device is called by who made it, as far as the system tells."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type == "cpu":
        try:
            with Path("/proc/cpuinfo").open(encoding="utf-8") as stream:
                for line in stream:
                    if line.startswith("model name"):
                        return line.split(":", 1)[1].strip()
        except OSError:
            pass  # not Linux
    return platform.processor() or platform.machine()
