"""What is answered at which address.

A GET changes nothing, and no GET unseals anything. A run is looked up by its name among those that there are; no name
is ever joined to a path.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial, wraps
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from honshi.errors import HonshiError, RunNotFoundError, WriteError
from honshi.language import LANGUAGES, available, speaking
from honshi.web.answers import ANSWERS
from honshi.web.guard import Door, Guard, TooLargeError, too_large
from honshi.web.lab import Lab
from honshi.web.pages import PAGES
from honshi.web.responses import as_json
from honshi.web.words import COOKIE, STATIC, language_of, said, words

TEMPLATES = Jinja2Templates(Path(__file__).parent / "templates")
TEMPLATES.env.globals["_"] = said


def make_app(lab: Lab, door: Door) -> Guard:
    """The whole lab, behind its guard."""

    @asynccontextmanager
    async def looking(_: Starlette) -> AsyncIterator[None]:
        watching = asyncio.create_task(lab.watch.look())
        yield
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching

    routes = [
        *(Route(page.path, partial(_page, page.name), name=page.name) for page in PAGES),
        *(Route(path, _spoken(partial(answer, lab)), methods=[method]) for (method, path), answer in ANSWERS.items()),
        Route("/events", partial(_events, lab)),
        Route("/language/{language}", _choose_language, methods=["POST"]),
        Mount("/static", StaticFiles(directory=STATIC)),
    ]
    handlers: dict[Any, Any] = {404: _nothing_there, 405: _nothing_there, TooLargeError: _too_large}
    app = Starlette(routes=routes, lifespan=looking, exception_handlers=handlers)
    return Guard(app, door)


async def _page(name: str, request: Request) -> Response:
    language = language_of(request)
    with speaking(language):
        values = {
            "page": name,
            "pages": PAGES,
            "language": language,
            "others": [name for name in available() if name != language],
            "words": json.dumps(words(language), ensure_ascii=False).replace("<", "\\u003c"),
            "charts": (STATIC / "vendor" / "uPlot.iife.min.js").is_file(),
        }
        return TEMPLATES.TemplateResponse(request, f"{name}.html", values)


async def _events(lab: Lab, _: Request) -> Response:
    return StreamingResponse(lab.watch.listen(), media_type="text/event-stream")


async def _choose_language(request: Request) -> Response:
    language = request.path_params["language"]
    if language not in LANGUAGES:
        return as_json({"error": said("There is nothing at this address.")}, 404)
    response = Response(status_code=204)
    response.set_cookie(COOKIE, language, samesite="strict", max_age=365 * 86400, path="/")
    return response


async def _nothing_there(request: Request, _: Exception) -> Response:
    with speaking(language_of(request)):
        return as_json({"error": said("There is nothing at this address.")}, 404)


async def _too_large(request: Request, _: Exception) -> Response:
    with speaking(language_of(request)):
        return too_large()


def _spoken(answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """An answer in the language of who asks; what is wrong is said in a sentence."""

    @wraps(answer.func if isinstance(answer, partial) else answer)
    async def spoken(request: Request) -> Response:
        with speaking(language_of(request)):
            try:
                return await answer(request)
            except RunNotFoundError as error:
                return as_json({"error": str(error)}, 404)
            except HonshiError as error:
                return as_json({"error": str(error)}, 500 if isinstance(error, WriteError) else 422)

    return spoken
