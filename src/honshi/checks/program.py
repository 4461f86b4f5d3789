"""Something out of the user's own file, ``file.py:NAME``."""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from honshi.checks.raised import in_words, place_of
from honshi.errors import HonshiError, ModelError, RequestError
from honshi.messages import Message, first_line


def load_object(reference: str) -> Any:
    """What ``file.py:NAME`` names; the file is run as an import, and what it prints goes to stderr.

    Raises:
        RequestError: there is no such file or no such name in it.
        HonshiError: the file raises an error of its own.
    """
    file, separator, name = reference.rpartition(":")
    if not separator or not file or not name:
        raise RequestError(
            "{reference!r} does not say which file and what in it: write file.py:NAME.", reference=reference
        )
    path = Path(file)
    if not path.is_file():
        raise RequestError("There is no file {file}.", file=file)
    # Under a name of its own, so that a file called torch.py is not taken for torch.
    spec = importlib.util.spec_from_file_location(f"honshi_checked_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise RequestError("{file} is not a Python file.", file=file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    with talking_to_stderr(), _importing_beside(path):
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            raise HonshiError(
                "{file} cannot be imported{place}: {error}. What is to run only as a script belongs under if __name__ "
                "== '__main__':.",
                file=file,
                place=place_of(error),
                error=first_line(error),
            ) from error
    if not hasattr(module, name):
        known = [known for known in vars(module) if not known.startswith("_")]
        close = difflib.get_close_matches(name, known, n=1)
        raise RequestError(
            "{file} has nothing called {name!r}.{meant}",
            file=file,
            name=name,
            meant=Message(" Did you mean {close!r}?", close=close[0]) if close else "",
        )
    return getattr(module, name)


def make(thing: Any, reference: str) -> Any:
    """The thing itself, or what it makes where it is a class or a function.

    Raises:
        RequestError: it needs arguments.
        ModelError: it raises an error.
    """
    if not callable(thing) or isinstance(thing, nn.Module):
        return thing
    needed = _needed(thing)
    if needed:
        raise RequestError(
            "{reference} needs arguments ({needed}), which cannot be filled in: give them defaults, or add a function "
            "without arguments that returns it: def make(): return {name}(…).",
            reference=reference,
            needed=", ".join(needed),
            name=reference.rpartition(":")[2],
        )
    with talking_to_stderr():
        try:
            return thing()
        except Exception as error:
            raise ModelError("{reference}() raised{error}", reference=reference, error=in_words(error)) from error


def _needed(thing: Any) -> list[str]:
    """The parameters without a default of a class or function."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return []
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is inspect.Parameter.empty and p.kind not in variadic]


@contextlib.contextmanager
def talking_to_stderr() -> Iterator[None]:
    """What the user's own code prints is for people, and stdout may be for a program."""
    with contextlib.redirect_stdout(sys.stderr):
        yield


@contextlib.contextmanager
def _importing_beside(path: Path) -> Iterator[None]:
    """A script may import what lies in its folder."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)
