"""What goes on inside a model; asked for by POST where it looks at validation images."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from honshi.errors import RequestError
from honshi.web.lab import Lab
from honshi.web.responses import as_json, body_of

MOST_PLACES = 64


async def answers(lab: Lab, request: Request) -> Response:
    """What a run takes its validation images for."""
    await body_of(request)
    return await _asked(lab, request, "answers")


async def images(lab: Lab, request: Request) -> Response:
    """Some of its validation images."""
    places = (await body_of(request)).get("places")
    if not isinstance(places, list) or len(places) > MOST_PLACES or not all(_is_place(place) for place in places):
        raise RequestError("Up to {most} images are shown, by their numbers.", most=MOST_PLACES)
    return await _asked(lab, request, "images", places=places)


async def layers(lab: Lab, request: Request) -> Response:
    """What its layers make of one of them."""
    place = (await body_of(request)).get("place")
    if not _is_place(place):
        raise RequestError("An image is named by its number.")
    return await _asked(lab, request, "layers", place=place)


async def filters(lab: Lab, request: Request) -> Response:
    """The weights of its first layer, as they are now."""
    return await _asked(lab, request, "filters")


async def augmented(lab: Lab, request: Request) -> Response:
    """Training images as its recipe changes them."""
    return await _asked(lab, request, "augmented")


def _is_place(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31


async def _asked(lab: Lab, request: Request, what: str, **values: Any) -> Response:
    return as_json(await lab.slow.ask(what, run=str(lab.run(request).path), **values))


ANSWERS = {
    ("POST", "/api/runs/{run:path}/answers"): answers,
    ("POST", "/api/runs/{run:path}/images"): images,
    ("POST", "/api/runs/{run:path}/layers"): layers,
    ("GET", "/api/runs/{run:path}/filters"): filters,
    ("GET", "/api/runs/{run:path}/augmented"): augmented,
}
