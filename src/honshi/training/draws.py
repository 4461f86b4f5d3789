"""All that a training draws from: the random state of torch, Python and NumPy, and generators of the caller's own."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.data import DataLoader

from honshi.runtime import random_state, set_random_state


class Draws:
    """What has been drawn, so that a training that goes on later draws what it would have drawn."""

    def __init__(self, device: torch.device, *data: object) -> None:
        """
        Args:
            device: where the model draws, for dropout.
            data: what may be DataLoaders with generators of their own.
        """
        self.device = device
        self.generators: list[torch.Generator] = []
        for loader in data:
            if isinstance(loader, DataLoader):
                for owner in (loader, loader.sampler, getattr(loader.batch_sampler, "sampler", None)):
                    generator = getattr(owner, "generator", None)
                    if isinstance(generator, torch.Generator) and generator not in self.generators:
                        self.generators.append(generator)

    def state(self) -> dict[str, Any]:
        """In tensors, numbers, strings and lists."""
        return {**random_state(self.device), "generators": [generator.get_state() for generator in self.generators]}

    def go_on_from(self, state: dict[str, Any]) -> None:
        """Put a `state` back; what is not in it stays as it is."""
        set_random_state(state, self.device)
        for generator, saved in zip(self.generators, state.get("generators", ()), strict=False):
            generator.set_state(saved)
