"""Everything a training needs to go on where it was: the content of ``state.pt``.

Only tensors, numbers, strings, lists and dicts are in it, so it loads with ``weights_only=True``
and cannot carry code.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from honshi.errors import RunError
from honshi.evaluation.history import Row
from honshi.files import read_bounded, write_whole
from honshi.runtime import memory
from honshi.training.distributed import World
from honshi.training.draws import Draws
from honshi.training.progress import Progress
from honshi.training.record import Record
from honshi.training.step import Step

# Of a `Progress`: what is saved where a training was ended within an epoch.
_WITHIN = ("steps", "images", "loss_sum", "right", "lr", "seconds", "drawn_before", "drawn_after")


@dataclass(frozen=True)
class Checkpoint:
    """A file for the state of a training, and all that has a state in it.

    Attributes:
        path: the file; without one nothing is saved, and nothing restored.
        world: the processes that train together, of which the first alone writes.
    """

    path: Path | None
    model: nn.Module
    optimizer: Optimizer
    step: Step
    record: Record
    draws: Draws
    world: World

    def save(self, within: Progress | None = None) -> None:
        """Write the state after an epoch, or within one; whole or not at all.

        Args:
            within: how far the epoch has come that is not finished.
        """
        if self.path is None:
            return
        progress = None
        if within is not None and within.steps:
            within.settle()
            within.drawn_after = self.draws.state()
            progress = self.world.gathered({name: getattr(within, name) for name in _WITHIN})
        if not self.world.first:
            return
        schedule, averaging = self.step.schedule, self.step.averaging
        state: dict[str, Any] = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": None if schedule is None else schedule.state_dict(),
            "averaging": None if averaging is None else averaging.state_dict(),
            "stopping": asdict(self.record.stopping),
            "rows": [row.to_dict() for row in self.record.rows],
            "kept_weights": self.record.kept_weights,
            # What dropout and a Dataset draw from; the order of images in memory is drawn from the seed and the epoch.
            "random": self.draws.state(),
            # Of each process.
            "progress": progress,
        }
        content = io.BytesIO()
        torch.save(state, content)
        # A run's folder that was deleted meanwhile is not made again.
        write_whole(self.path, content.getvalue(), parents=False)

    def restore(self) -> Progress:
        """Put everything back as it was, if anything was saved.

        Returns:
            How far the epoch has come that is to be trained next.

        Raises:
            RunError: the file is damaged or belongs to another training.
        """
        saved = self.world.from_first(self._read())
        if saved is None:
            return Progress(draws=self.draws)
        try:
            state = torch.load(io.BytesIO(saved), weights_only=True, map_location="cpu")
        except (EOFError, pickle.UnpicklingError, RuntimeError, KeyError, ValueError) as error:
            # Without torch's own words: they advise to load the file in the way that runs its code.
            raise RunError(
                "{path}: this is not the state of a training. Remove it to begin again.", path=self.path
            ) from error
        try:
            return self._put_back(state)
        except KeyError as error:
            raise self._unfit(f"there is no {error} in it.") from error
        except (RuntimeError, TypeError, ValueError, AttributeError) as error:
            raise self._unfit(str(error).split("\n")[0].rstrip(".:") + ".") from error

    def _unfit(self, problem: str) -> RunError:
        return RunError(
            "{path}: this state cannot be resumed from: {problem} Remove it to begin again.",
            path=self.path,
            problem=problem,
        )

    def _read(self) -> bytes | None:
        """The file, not yet looked into; None where there is none."""
        try:
            if self.path is None or not self.path.exists():
                return None
            return read_bounded(self.path, memory())
        except OSError as error:
            raise RunError(
                "{path}: this state cannot be read: {problem}. Remove it to begin again.",
                path=self.path,
                problem=error.strerror,
            ) from error

    def _put_back(self, state: Any) -> Progress:
        """Raises: KeyError, TypeError, ValueError, RuntimeError, where it is that of another training."""
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}.")
        try:
            self.model.load_state_dict(state["model"])
        except RuntimeError as error:
            raise ValueError("it is that of another model.") from error
        _load(self.optimizer, state["optimizer"])
        for name in ("schedule", "averaging"):
            part = getattr(self.step, name)
            if (part is None) != (state[name] is None):
                raise ValueError(f"it was trained with {_ARTICLE[name]} and this training has none, or the reverse.")
            if part is not None:
                part.load_state_dict(state[name])
        record, stopping = self.record, self.record.stopping
        stopping.reference, stopping.waited = state["stopping"]["reference"], state["stopping"]["waited"]
        record.rows, record.kept_weights = [Row(**row) for row in state["rows"]], state["kept_weights"]
        self.draws.go_on_from(state["random"])
        within = state.get("progress")
        if within is None:
            return Progress(draws=self.draws)
        if len(within) != self.world.size:
            raise ValueError(
                f"it was ended within an epoch of {len(within)} processes and goes on with as many, "
                f"not with {self.world.size}."
            )
        return Progress(draws=self.draws, **within[self.world.rank])


def rows_in(path: Path) -> list[Row]:
    """The epochs that are finished in the state in a file; none where there is no file.

    Raises:
        RunError: it is damaged.
    """
    if not path.exists():
        return []
    try:
        return [Row(**row) for row in torch.load(path, weights_only=True, map_location="cpu")["rows"]]
    except (OSError, EOFError, pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise RunError("{path}: this is not the state of a training. Remove it to begin again.", path=path) from error


_ARTICLE = {"schedule": "a schedule", "averaging": "averaging"}


def _load(optimizer: Optimizer, state: dict[str, Any]) -> None:
    """As ``load_state_dict``; learning rates that are tensors stay the same tensors, as a captured step reads there."""
    held = [
        {name: value for name, value in group.items() if isinstance(value, Tensor)} for group in optimizer.param_groups
    ]
    kind = type(optimizer).__name__
    if len(state["param_groups"]) != len(optimizer.param_groups):
        raise ValueError(f"it is that of another optimizer than this {kind}, in other groups.")
    optimizer.load_state_dict(state)
    if any(optimizer.defaults.keys() - group.keys() for group in optimizer.param_groups):
        raise ValueError(f"it is that of another optimizer than this {kind}.")
    for group, tensors in zip(optimizer.param_groups, held, strict=True):
        for name, tensor in tensors.items():
            tensor.copy_(torch.as_tensor(group[name]))
            group[name] = tensor
