"""Drawings and pictures: what models take them for, and keeping one as what it really was."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from honshi.errors import RequestError, RunError
from honshi.files import write_whole
from honshi.runs import Run
from honshi.runs.sidecar import read_sidecar
from honshi.web.lab import Lab
from honshi.web.responses import as_json, bytes_of, number_of

MOST_MODELS, MOST_SIDE = 2, 1024
# A folder of class folders beside the runs, that can be trained on: honshi train drawings
DRAWINGS = "drawings"
# No folder of a file system that this page may have to be moved to can have one of these in its name.
FORBIDDEN = frozenset('<>:"/\\|?*') | {chr(code) for code in range(32)}
MOST_NAME = 80


async def look(lab: Lab, request: Request) -> Response:
    """What one or two runs take a picture for, as they see it."""
    names = request.query_params.getlist("run")
    if not 1 <= len(names) <= MOST_MODELS:
        raise RequestError("One model is asked, or two: run=NAME.")
    answers = await lab.quick.ask(
        "look",
        runs=[str(lab.run_called(name).path) for name in names],
        content=await bytes_of(request),
        size=await _size(request),
        invert="invert" in request.query_params,
        as_is="as-is" in request.query_params,
    )
    return as_json(dict(zip(names, answers, strict=True)))


async def learn(lab: Lab, request: Request) -> Response:
    """Get to know the training images of a run, so that a drawing unlike them is noticed."""
    run = lab.run(request)
    return as_json({"known": await lab.slow.ask("learn", run=str(run.path))})


async def classes(lab: Lab, request: Request) -> Response:
    """Which classes a run tells apart."""
    return as_json({"classes": _classes(lab.run(request))})


async def keep(lab: Lab, request: Request) -> Response:
    """Keep a picture as one of a class, in a folder that can be trained on."""
    run, label = lab.run(request), request.query_params.get("label", "")
    if label not in _classes(run):
        raise RequestError("{run} knows no class {label!r}.", run=run.name, label=label)
    content, size = await bytes_of(request), await _size(request)
    if size is None:  # it is kept where it can be read
        await lab.quick.ask("look", runs=[str(run.path)], content=content, size=None, invert=False, as_is=False)
    path = await asyncio.to_thread(_kept, lab.watch.folder.parent / DRAWINGS, label, content, size)
    return as_json({"path": str(path)}, 201)


def _classes(run: Run) -> Sequence[str]:
    """
    Raises:
        RunError, ModelError: it has no model.
    """
    if not run.finished:
        raise RunError("{run} is not finished: it has no model.", run=run.name)
    return read_sidecar(run.path / "model.safetensors").classes or ()


def _kept(folder: Path, label: str, content: bytes, size: tuple[int, int] | None) -> Path:
    """
    Raises:
        RequestError: a class of this name cannot be a folder's.
        WriteError: it cannot be written.
    """
    from io import BytesIO

    from PIL import Image

    from honshi.pictures.formats import HEAD, format_of

    if not label.strip(". ") or len(label) > MOST_NAME or FORBIDDEN & set(label):
        raise RequestError(
            "The class {label!r} cannot be the name of a folder: keep the picture yourself.", label=label
        )
    if size is None:
        found = format_of(content[:HEAD])
        ending = found.suffixes[0] if found is not None else ".picture"
    else:
        drawn = BytesIO()
        Image.frombytes("L", size, content).save(drawn, "PNG")
        content, ending = drawn.getvalue(), ".png"
    path = folder / label / f"{sha256(content).hexdigest()[:16]}{ending}"
    write_whole(path, content)
    return path


async def _size(request: Request) -> tuple[int, int] | None:
    """(w, h) of a drawing, whose grey pixels are sent; None of a picture's file.

    Raises:
        RequestError: it is none, or there are not so many pixels.
    """
    if "width" not in request.query_params:
        return None
    size = number_of(request, "width", MOST_SIDE), number_of(request, "height", MOST_SIDE)
    if len(await request.body()) != size[0] * size[1]:
        raise RequestError(
            "A drawing of {width} x {height} is so many bytes, one for each pixel.", width=size[0], height=size[1]
        )
    return size


ANSWERS = {
    ("POST", "/api/look"): look,
    ("GET", "/api/runs/{run:path}/classes"): classes,
    ("POST", "/api/runs/{run:path}/learn"): learn,
    ("POST", "/api/runs/{run:path}/keep"): keep,
}
