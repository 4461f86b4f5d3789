"""Muon: momentum whose every direction has the same length (Jordan et al., 2024).

The momentum of a weight matrix is dominated by few directions. Muon takes the nearest matrix with
orthonormal rows or columns in its place, so that the rare directions are learnt as fast as the common ones.
On small convolutional networks a training needs about half of the steps.

Shapes: a weight (r, …) counts as a matrix (r, c), a filter a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.adam import adam

from honshi.arguments import check_range
from honshi.errors import ArgumentError

# The quintic whose iteration takes every singular value within (0, 1] close to 1, in five steps to between
# 0.7 and 1.2: fast matters here, not exact (Jordan et al.).
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


class Muon(Optimizer):
    """Muon for matrices and filters, Adam (Kingma and Ba, 2014) for all other parameters."""

    def __init__(
        self,
        matrices: Iterable[Tensor],
        others: Iterable[Tensor],
        *,
        lr: float | Tensor = 0.05,
        adam_lr: float | Tensor = 0.005,
        momentum: float = 0.9,
        betas: tuple[float, float] = (0.9, 0.95),
        weight_decay: float = 0.0,
    ) -> None:
        """
        Args:
            matrices: weights of hidden layers, of at least two dimensions.
            others: what Adam is for: biases, scales of norms, and the last layer, whose rows are classes.
            lr: of Muon, in units of a matrix all of whose singular values are 1.
            adam_lr: of Adam.
            momentum: of Muon; the gradient is looked at from where it leads (Nesterov).
            betas: of Adam.
            weight_decay: by how much of itself times ``lr`` a matrix shrinks at each step; others do not.

        Raises:
            ArgumentError: a matrix has fewer than two dimensions, or a number is out of its range.
        """
        rates = {"lr": lr, "adam_lr": adam_lr}
        for name, number in {**rates, "weight_decay": weight_decay}.items():
            if not isinstance(number, Tensor):
                check_range(name, number)
        for name, fraction in (("momentum", momentum), ("betas[0]", betas[0]), ("betas[1]", betas[1])):
            check_range(name, fraction, below=1)
        first: dict[str, Any] = {"params": list(matrices), "lr": lr}
        second: dict[str, Any] = {"params": list(others), "lr": adam_lr}
        if any(matrix.dim() < 2 for matrix in first["params"]):
            raise ArgumentError("Muon is for parameters of two dimensions and more: give vectors as others.")
        defaults = {"momentum": momentum, "betas": betas, "weight_decay": weight_decay}
        super().__init__([{**first, "muon": True}, {**second, "muon": False}], defaults)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Take one step along the gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if group["muon"]:
                self._muon(parameters, group)
            elif parameters:
                self._adam(parameters, group)
        return loss

    def _muon(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            if not self.state[parameter]:
                self.state[parameter]["momentum"] = torch.zeros_like(parameter)
            _step(parameter, self.state[parameter]["momentum"], group)

    def _adam(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        for parameter in parameters:
            state = self.state[parameter]
            if not state:
                # The count lies where the parameter does, so that a CUDA graph can hold the step.
                state["step"] = torch.zeros((), dtype=torch.float32, device=parameter.device)
                state["exp_avg"] = torch.zeros_like(parameter)
                state["exp_avg_sq"] = torch.zeros_like(parameter)
        states = [self.state[parameter] for parameter in parameters]
        beta1, beta2 = group["betas"]
        adam(
            parameters,
            [parameter.grad for parameter in parameters if parameter.grad is not None],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            [state["step"] for state in states],
            fused=parameters[0].device.type in ("cpu", "cuda"),
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )


def _step(parameter: Tensor, momentum: Tensor, group: dict[str, Any]) -> None:
    """One step of a matrix."""
    gradient = parameter.grad
    assert gradient is not None
    momentum.lerp_(gradient, 1 - group["momentum"])
    order = _memory_order(parameter)
    ahead = gradient.lerp(momentum, group["momentum"]).permute(order)  # (r, …)
    direction = orthogonalized(ahead.flatten(1))  # (r, c)
    # A tall matrix answers with a vector that is longer by this than what a square one gives.
    rows, columns = direction.shape
    direction *= max(1.0, rows / columns) ** 0.5 * group["lr"]
    if group["weight_decay"]:
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
    parameter.permute(order).sub_(direction.view(ahead.shape))


def _memory_order(weight: Tensor) -> tuple[int, ...]:
    """The dimensions of a weight in the order in which they lie in memory: of filters the channels may come last.

    The order of a matrix's columns changes no direction, and to change it in memory takes time.
    """
    if weight.dim() == 4 and weight.is_contiguous(memory_format=torch.channels_last):
        return (0, 2, 3, 1)
    return tuple(range(weight.dim()))


def orthogonalized(matrix: Tensor) -> Tensor:
    """About the nearest matrix with orthonormal rows, or columns where it is tall, (r, c) to (r, c).

    By the iteration of Newton and Schulz, X ← aX + b(XXᵀ)X + c(XXᵀ)²X, of matrix products alone. Its
    singular values end between 0.7 and 1.2; those of a matrix of zeros stay 0.

    Each step is X ← QX with Q = aI + bG + cG² of G = XXᵀ, and Q and G commute, so that G ← QGQ. The steps
    are taken on the small square matrices, and X is multiplied by the product of all Q once. That needs exact
    products: what rounding adds to the directions that X does not have grows with each step. Where TF32 or
    bfloat16 may take the place of float32 (torch.set_float32_matmul_precision), X itself is stepped.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix  # (s, l), its shorter side first
    # By this norm no singular value is above 1.
    x = x / x.norm().clamp(min=1e-7)
    if torch.get_float32_matmul_precision() != "highest":
        for _ in range(STEPS):
            gram = x @ x.T
            x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    else:
        gram = x @ x.T  # (s, s), as are product, change and half
        product = torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
        for step in range(STEPS):
            change = torch.addmm(gram, gram, gram, beta=b, alpha=c)  # Q - aI
            product = torch.addmm(product, change, product, beta=a)
            if step < STEPS - 1:
                half = torch.addmm(gram, gram, change, beta=a)
                gram = torch.addmm(half, change, half, beta=a)
        x = product.mm(x)
    return x.T if tall else x
