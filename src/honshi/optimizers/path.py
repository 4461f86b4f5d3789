"""The regularisation path: the best weights for a strong weight decay, then for weaker and weaker ones.

Source: J. Friedman, T. Hastie, R. Tibshirani, "Regularization paths for generalized linear models via coordinate
descent", 2010; here by L-BFGS (D. Liu, J. Nocedal, 1989), each strength from the weights of the one before. Validation
says where on the path the model is best, so keeping the best epoch chooses the strength.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.optim import LBFGS, Optimizer

# More steps than the weakest decay needs.
STEPS = 200


class Path(Optimizer):
    """For a linear model and all images at once: `honshi.training.loops` gives each epoch one `solve`."""

    def __init__(
        self, decayed: Sequence[Tensor], others: Sequence[Tensor], *, lr: float, weight_decay: float, fall: float
    ) -> None:
        """
        Args:
            decayed: the parameters that weight decay acts on.
            others: those that it does not.
            lr: the length of the first step that is tried.
            weight_decay: of the first epoch; half of it times the sum of squares is added to the mean loss.
            fall: by which it is multiplied from one epoch to the next.
        """
        groups: list[dict[str, Any]] = [
            {"params": list(decayed), "weight_decay": weight_decay},
            {"params": list(others), "weight_decay": 0.0},
        ]
        super().__init__([group for group in groups if group["params"]], {"lr": lr, "fall": fall})

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """There is no step of a mini-batch.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError("it takes all images at once: train with honshi.fit")

    def solve(self, loss: Callable[[], Tensor], epoch: int) -> Tensor:
        """Find the weights of least loss and decay together.

        Args:
            loss: the mean over all images, a scalar with its gradient.
            epoch: its number, from 1: by it the decay has fallen.

        Returns:
            The loss, without decay, a scalar.
        """
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        solver = LBFGS(
            parameters,
            lr=self.param_groups[0]["lr"],
            max_iter=STEPS,
            history_size=10,
            tolerance_grad=1e-5,
            tolerance_change=1e-9,
            line_search_fn="strong_wolfe",
        )

        def penalised() -> Tensor:
            solver.zero_grad()
            value = loss()
            for group in self.param_groups:
                decay = group["weight_decay"] * group["fall"] ** (epoch - 1)
                if decay:
                    value = value + decay / 2 * sum((parameter**2).sum() for parameter in group["params"])
            value.backward()
            return value

        solver.step(penalised)
        return loss().detach()
