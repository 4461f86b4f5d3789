"""Plain values out and in: JSON and nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from honshi.errors import RequestError


def as_json(value: Any, status: int = 200) -> JSONResponse:
    """Plain values; what is not a number is null, for browsers know no NaN."""
    return JSONResponse(json.loads(json.dumps(value, default=str), parse_constant=lambda _: None), status)


async def body_of(request: Request) -> Mapping[str, Any]:
    """The object that was sent as JSON.

    Raises:
        RequestError: it is none.
    """
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise RequestError("The lab takes JSON here.")
    try:
        value = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise RequestError("This is not JSON: {problem}.", problem=str(error)) from error
    if not isinstance(value, dict):
        raise RequestError("The lab takes a JSON object here, with named values.")
    return value
