"""Runs: their curves, what tells their recipes apart, what their curves say, and whether one is better than another."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from honshi.errors import RequestError, RunNotFoundError
from honshi.recipe import Recipe
from honshi.runs import Run
from honshi.web.charts import reduced
from honshi.web.lab import Lab
from honshi.web.responses import as_json, body_of, number_of

CURVES = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr")
MOST_COLUMNS, MOST_COMPARED = 4000, 64
# What may be seen of a run's folder.
PICTURES = ("curves.png", "diagnosis.png", "confusion.png", "mistakes.png", "reliability.png", "leaks.png")


async def history(lab: Lab, request: Request) -> Response:
    """The curves of a run, as many points as the picture has columns."""
    run = lab.run(request)
    columns = number_of(request, "columns", MOST_COLUMNS)
    return as_json(await asyncio.to_thread(_curves, run, columns))


def _curves(run: Run, columns: int) -> dict[str, Any]:
    rows = run.history
    curves = {name: [getattr(row, name) for row in rows] for name in CURVES}
    places = sorted({place for values in curves.values() for place in reduced(values, columns)})
    return {
        "name": run.name,
        "epoch": [rows[place].epoch for place in places],
        "best": run.kept.epoch if rows else None,
        **{name: [values[place] for place in places] for name, values in curves.items()},
    }


async def differences(lab: Lab, request: Request) -> Response:
    """What differs between the recipes of some runs, and only that."""
    names = request.query_params.getlist("run")
    if not 1 <= len(names) <= MOST_COMPARED:
        raise RequestError("1 to {most} runs are compared, not {count}.", most=MOST_COMPARED, count=len(names))
    runs = [run for name in names if (run := lab.watch.run_called(name)) is not None]
    tables = [_flat(run.recipe) for run in runs]
    keys = dict.fromkeys(key for table in tables for key in table)
    differ = [key for key in keys if len({repr(table.get(key)) for table in tables}) > 1]
    return as_json({"runs": [run.name for run in runs], "keys": {k: [t.get(k) for t in tables] for k in differ}})


def _flat(recipe: Recipe) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def go(prefix: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, part in value.items():
                go(f"{prefix}.{key}" if prefix else key, part)
        else:
            found[prefix] = value

    go("", recipe.model_dump(exclude_none=True))
    return found


async def picture(lab: Lab, request: Request) -> Response:
    """A picture that was drawn into a run's folder."""
    run, name = lab.run(request), request.path_params["picture"]
    path = run.path / name if name in PICTURES else None
    if path is None or not path.is_file():
        raise RunNotFoundError("There is no picture {name!r} of this run.", name=name)
    return FileResponse(path)


async def diagnosis(lab: Lab, request: Request) -> Response:
    """The verdict on a run's curves, in words."""
    run = lab.run(request)
    return as_json(await lab.slow.ask("diagnose", run=str(run.path)))


async def comparison(lab: Lab, request: Request) -> Response:
    """Better, or only luckier? It looks at the validation set once for each, so it is asked for by POST."""
    body = await body_of(request)
    names = [body.get("first"), body.get("second")]
    runs = [lab.watch.run_called(name) for name in names if isinstance(name, str)]
    if len(runs) != 2 or None in runs:
        raise RequestError("Two runs are compared: first and second, by their names.")
    paths = [str(run.path) for run in runs if run is not None]
    return as_json(await lab.slow.ask("compare", first=paths[0], second=paths[1]))


ANSWERS = {
    ("GET", "/api/runs/{run:path}/history"): history,
    ("GET", "/api/runs/{run:path}/diagnosis"): diagnosis,
    ("GET", "/api/runs/{run:path}/picture/{picture}"): picture,
    ("GET", "/api/differences"): differences,
    ("POST", "/api/comparison"): comparison,
}
