"""Everything a training needs to go on where it was: the content of ``state.pt``.

Only tensors, numbers, strings, lists and dicts are in it, so it loads with ``weights_only=True``
and cannot carry code.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from honshi.errors import RunError
from honshi.evaluation.history import Row
from honshi.files import write_whole
from honshi.training.averaging import Averaging
from honshi.training.early_stopping import EarlyStopping


def save(
    path: Path,
    model: nn.Module,
    optimizer: Optimizer,
    schedule: LRScheduler | None,
    averaging: Averaging | None,
    stopping: EarlyStopping,
    rows: list[Row],
    kept_weights: dict[str, Tensor],
) -> None:
    """Write the state after an epoch, whole or not at all."""
    state: dict[str, Any] = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": None if schedule is None else schedule.state_dict(),
        "averaging": None if averaging is None else averaging.state_dict(),
        "stopping": asdict(stopping),
        "rows": [row.to_dict() for row in rows],
        "kept_weights": kept_weights,
        # What dropout draws from; the order of the images is drawn from the seed and the epoch.
        "random": {"cpu": torch.get_rng_state()},
    }
    device = next(model.parameters()).device
    if device.type == "cuda":
        state["random"]["cuda"] = torch.cuda.get_rng_state(device)
    content = io.BytesIO()
    torch.save(state, content)
    write_whole(path, content.getvalue())


def read(path: Path | None) -> bytes | None:
    """The state that was saved there, not yet looked into; None where there is none.

    Raises:
        RunError: the file cannot be read.
    """
    if path is None or not path.exists():
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"{path}: this state cannot be read: {error.strerror}. Remove it to begin again.") from error


def restore(
    saved: bytes,
    path: Path | None,
    model: nn.Module,
    optimizer: Optimizer,
    schedule: LRScheduler | None,
    averaging: Averaging | None,
    stopping: EarlyStopping,
) -> tuple[list[Row], dict[str, Tensor]]:
    """Put everything back as it was; the rows so far and the weights that are kept.

    Args:
        saved: what `read` gave.
        path: the file, for the error message.
        model, optimizer, schedule, averaging, stopping: what is put back, of the same training.

    Raises:
        RunError: the file is damaged or belongs to another training.
    """
    try:
        state: dict[str, Any] = torch.load(io.BytesIO(saved), weights_only=True, map_location="cpu")
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}.")
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        if (schedule is None) != (state["schedule"] is None):
            raise ValueError("it was trained with a schedule and this training has none, or the reverse.")
        if schedule is not None:
            schedule.load_state_dict(state["schedule"])
        if (averaging is None) != (state["averaging"] is None):
            raise ValueError("it was trained with averaging and this training has none, or the reverse.")
        if averaging is not None:
            averaging.load_state_dict(state["averaging"])
        stopping.reference, stopping.waited = state["stopping"]["reference"], state["stopping"]["waited"]
        torch.set_rng_state(state["random"]["cpu"])
        if "cuda" in state["random"] and torch.cuda.is_available():
            torch.cuda.set_rng_state(state["random"]["cuda"], next(model.parameters()).device)
        return [Row(**row) for row in state["rows"]], state["kept_weights"]
    except (EOFError, pickle.UnpicklingError) as error:
        # Without torch's own words: they advise to load the file in the way that runs its code.
        raise RunError(f"{path}: this is not the state of a training. Remove it to begin again.") from error
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise RunError(f"{path}: this state cannot be resumed from: {first_line} Remove it to begin again.") from error
