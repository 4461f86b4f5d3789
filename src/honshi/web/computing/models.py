"""What the pages' questions share: a run's model with its data, kept for the next one, and pixels as plain values."""

from __future__ import annotations

from base64 import b64encode
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from honshi.data import Splits


def stamp(run: str) -> tuple[int, int] | None:
    """What changes where a run gets another model; None before it has one."""
    sidecar = Path(run) / "model.json"
    if not sidecar.is_file():
        return None
    about = sidecar.stat()
    return about.st_mtime_ns, about.st_size


def opened(run: str) -> tuple[nn.Module, Splits[Any]]:
    """A run's model and its data.

    Raises:
        HonshiError: it has no model, or its data are gone.
    """
    return _opened(run, stamp(run))


@lru_cache(2)
def _opened(run: str, _stamp: tuple[int, int] | None) -> tuple[nn.Module, Splits[Any]]:
    from honshi.experiment import open_finished

    _, model, splits = open_finished(run)
    return model, splits


def picture(pixels: Tensor) -> dict[str, Any]:
    """Pixels, uint8 (c, h, w), as plain values."""
    return {
        "shape": list(pixels.shape),
        "pixels": b64encode(pixels.contiguous().cpu().numpy().tobytes()).decode("ascii"),
    }
