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
    if _kind(request) != "application/json":
        raise RequestError("The lab takes JSON here.")
    try:
        value = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise RequestError("This is not JSON: {problem}.", problem=str(error)) from error
    if not isinstance(value, dict):
        raise RequestError("The lab takes a JSON object here, with named values.")
    return value


async def bytes_of(request: Request) -> bytes:
    """The bytes that were sent as they are.

    Raises:
        RequestError: they were sent as something else, as a form is.
    """
    if _kind(request) != "application/octet-stream":
        raise RequestError("The lab takes plain bytes here: application/octet-stream.")
    return await request.body()


def number_of(request: Request, name: str, most: int) -> int:
    """A whole number in the address, from 1 on.

    Raises:
        RequestError: it is none.
    """
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise RequestError("{name} is a whole number from 1 to {most}, not {text!r}.", name=name, most=most, text=text)
    return int(text)


def _kind(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()
