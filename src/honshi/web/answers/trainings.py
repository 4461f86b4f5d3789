"""Trainings: which recipes there are, and to begin, stop and go on with one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from honshi.errors import RequestError
from honshi.recipe import Recipe
from honshi.recipe.recipe import built_in
from honshi.web import trainings
from honshi.web.lab import Lab
from honshi.web.responses import as_json, body_of


async def recipes(_: Lab, __: Request) -> Response:
    """Every built-in recipe with all that it says."""
    return as_json({name: Recipe.read(name).model_dump(exclude_none=True) for name in built_in()})


async def begin(lab: Lab, request: Request) -> Response:
    """Train a recipe, or that of a run, with some changes."""
    body = await body_of(request)
    recipe = _recipe(lab, body)
    run = await asyncio.to_thread(trainings.begin, recipe)
    return as_json({"run": run.name}, 201)


def _recipe(lab: Lab, body: Mapping[str, Any]) -> Recipe:
    name, changes = body.get("recipe"), body.get("changes", {})
    if not isinstance(name, str) or not isinstance(changes, dict):
        raise RequestError("A training has a recipe, by its name, and changes of it, by their keys.")
    run = lab.watch.run_called(name)
    # A page names what is built in, or a run; it opens no file of the user's.
    if run is None and name not in built_in():
        raise RequestError("There is neither a recipe nor a run called {name!r}.", name=name)
    recipe = Recipe.read(name) if run is None else run.recipe
    return recipe.changed(changes)


async def resume(lab: Lab, request: Request) -> Response:
    """Go on with a run that was interrupted."""
    run = lab.run(request)
    await asyncio.to_thread(trainings.resume, run)
    return as_json({"run": run.name})


async def stop(lab: Lab, request: Request) -> Response:
    """End a training after its step, saved."""
    run = lab.run(request)
    await asyncio.to_thread(trainings.stop, run)
    return as_json({"run": run.name})


async def printed(lab: Lab, request: Request) -> Response:
    """The end of what a training that was begun here has printed."""
    return as_json({"printed": await asyncio.to_thread(trainings.printed, lab.run(request))})


ANSWERS = {
    ("GET", "/api/recipes"): recipes,
    ("POST", "/api/trainings"): begin,
    ("POST", "/api/runs/{run:path}/resume"): resume,
    ("POST", "/api/runs/{run:path}/stop"): stop,
    ("GET", "/api/runs/{run:path}/printed"): printed,
}
