"""A suggested learning rate, written into a recipe."""

from __future__ import annotations

import re
from pathlib import Path

from honshi.errors import RecipeError, RequestError
from honshi.files import write_whole
from honshi.recipe import Recipe, built_in


def recipe_file(name_or_path: str) -> Path:
    """The file that a suggestion for this recipe goes to: its own, or for a built-in one a new file beside you.

    Raises:
        RequestError: a recipe of the built-in one's name lies here already.
    """
    if name_or_path not in built_in():
        return Path(name_or_path)
    path = Path(f"{name_or_path}.toml")
    if path.exists():
        raise RequestError(
            "{recipe} is built in and stays as it is, and {path} is here already: to change that one, honshi check "
            "{path} --apply.",
            recipe=name_or_path,
            path=path,
        )
    return path


def apply_lr(path: Path, recipe: Recipe, lr: float) -> None:
    """Write a learning rate to a recipe's file; the rest of the file, comments too, stays as it is.

    Args:
        path: as `recipe_file` gives it. Where there is no file yet, the whole recipe is written.
        recipe: what is written then.
        lr: the learning rate.

    Raises:
        RecipeError: the file says its learning rate in a way that cannot be edited.
    """
    if not path.exists():
        write_whole(path, recipe.changed({"optimizer.lr": lr}).to_toml().encode())
        return
    text = path.read_text("utf-8")
    edited = _with_lr(text, lr)
    try:
        right = Recipe.from_toml(edited) == Recipe.from_toml(text).changed({"optimizer.lr": lr})
    except RecipeError:
        right = False
    if not right:
        raise RecipeError(
            "{path}: it does not say lr in a table [optimizer]; set optimizer.lr to {lr:g} by hand.", path=path, lr=lr
        )
    write_whole(path, edited.encode())


def _with_lr(text: str, lr: float) -> str:
    header = re.search(r"^[ \t]*\[[ \t]*optimizer[ \t]*\][^\n]*$", text, re.MULTILINE)
    if header is None:
        return f"{text.rstrip()}\n\n[optimizer]\nlr = {lr!r}\n"
    following = re.compile(r"^[ \t]*\[", re.MULTILINE).search(text, header.end())
    end = following.start() if following else len(text)
    table = text[header.end() : end]
    written, count = re.subn(r"^([ \t]*lr[ \t]*=[ \t]*)[^\s#]+", rf"\g<1>{lr!r}", table, count=1, flags=re.MULTILINE)
    if not count:
        written = f"\nlr = {lr!r}{table}"
    return text[: header.end()] + written + text[end:]
