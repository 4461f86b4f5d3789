"""The lecture's demonstrations."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from honshi.errors import RequestError
from honshi.web.lab import Lab
from honshi.web.responses import as_json, body_of


async def gradients(lab: Lab, _: Request) -> Response:
    """Gradients of single batches around their mean."""
    return as_json(await lab.slow.ask("gradients"))


async def slow_motion(lab: Lab, request: Request) -> Response:
    """The first steps of a training."""
    lr = _number(await body_of(request), "lr", 1e-4, 10)
    return as_json(await lab.slow.ask("slow_motion", lr=lr))


async def peeks(lab: Lab, request: Request) -> Response:
    """A hundred looks at one half of validation."""
    await body_of(request)
    return as_json(await lab.slow.ask("peeks", run=str(lab.run(request).path)))


async def dropout(lab: Lab, request: Request) -> Response:
    """An image seen through dropout."""
    body = await body_of(request)
    place, probability = int(_number(body, "place", 0, 1 << 31)), _number(body, "probability", 0, 0.95)
    run = str(lab.run(request).path)
    return as_json(await lab.slow.ask("dropout", run=run, place=place, probability=probability))


async def batch_norm(lab: Lab, request: Request) -> Response:
    """What batch norm makes of what comes in."""
    await body_of(request)
    return as_json(await lab.slow.ask("batch_norm", run=str(lab.run(request).path)))


def _number(body: Any, name: str, low: float, high: float) -> float:
    """
    Raises:
        RequestError: it is none, or out of bounds.
    """
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise RequestError(
            "{name} is a number from {low:g} to {high:g}, not {value!r}.", name=name, low=low, high=high, value=value
        )
    return float(value)


ANSWERS = {
    ("GET", "/api/gradients"): gradients,
    ("POST", "/api/slow-motion"): slow_motion,
    ("POST", "/api/runs/{run:path}/peeks"): peeks,
    ("POST", "/api/runs/{run:path}/dropout"): dropout,
    ("POST", "/api/runs/{run:path}/batch-norm"): batch_norm,
}
