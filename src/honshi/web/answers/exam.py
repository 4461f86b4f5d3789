"""The exam. Both are asked for by POST: no address that is merely visited reads a test set, or opens it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from honshi.errors import RequestError
from honshi.web.lab import Lab
from honshi.web.responses import as_json, body_of

MOST_EXPECTATIONS = 1000


async def before(lab: Lab, request: Request) -> Response:
    """What one should know before the exam of a run; its result, where it has been sat."""
    await body_of(request)
    return as_json(await lab.slow.ask("before_the_exam", run=str(lab.run(request).path)))


async def sit(lab: Lab, request: Request) -> Response:
    """Open the sealed test set for a run, once."""
    run, body = lab.run(request), await body_of(request)
    if body.get("name") != run.name:
        raise RequestError("Type the name of the run, {run}, to open its exam.", run=run.name)
    expectations = body.get("expectations", [])
    if not isinstance(expectations, list) or len(expectations) > MOST_EXPECTATIONS:
        raise RequestError("What was expected is a list of at most {most} accuracies.", most=MOST_EXPECTATIONS)
    for one in expectations:
        if not _is_accuracy(one):
            raise RequestError("An expected accuracy lies between 0 and 1, as 0.975, and {one!r} does not.", one=one)
    return as_json(await lab.slow.ask("sit_the_exam", run=str(run.path), expectations=expectations))


def _is_accuracy(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


ANSWERS = {
    ("POST", "/api/runs/{run:path}/before-exam"): before,
    ("POST", "/api/runs/{run:path}/exam"): sit,
}
