"""What the documentation gets when it is built: options of recipes from their types, a reference from the docstrings,
and names in place of links that lead out of docs/.

mkdocs calls it (mkdocs.yml).
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from pydantic import BaseModel

sys.path.insert(0, str(Path(__file__).parent.parent))  # mkdocs loads this file by itself

from scripts.npm import Package, bring

import honshi
from honshi.recipe import Recipe
from honshi.recipe.recipe import built_in

SHIM = Package(
    name="iframe-worker",
    version="1.0.4",
    integrity="sha512-roeaaI+Lg1LJNfgpCjoRe/+WzEjy9+Z08LoEvu85MCPbBjwm+qXz8Ag5U05lHa6V1CysZyGzE0SOkAtSUA5q7Q==",
    files={"package/shim/index.js": "shim.js", "package/LICENSE": "shim.LICENSE"},
)
FOLDER = Path(__file__).parent.parent / "build" / "vendor"
# A link that leads up: as many folders as its page lies below docs/, and one more where it leads out.
_UP = re.compile(r"\]\(((?:\.\./)+)([^)]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fetch what the search needs where a page is opened as a file; without it the search works where it is served."""
    with suppress(OSError, ValueError):
        bring(SHIM, FOLDER)
    # The plugin would have it loaded from another host.
    config.extra["polyfills"] = ["assets/iframe-worker.js"] if _shim().is_file() else []
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    files.append(File.generated(config, "recipes.md", content=_recipes()))
    files.append(File.generated(config, "reference.md", content=_reference()))
    if _shim().is_file():
        files.append(File.generated(config, "assets/iframe-worker.js", content=_shim().read_text("utf-8")))
    return files


def _shim() -> Path:
    return FOLDER / "shim.js"


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """What lies beside docs/ is named, because the site does not hold it: it is looked at where the repository is."""
    depth = page.file.src_uri.count("/")

    def named(found: re.Match[str]) -> str:
        return f"] (`{found[2]}`)" if len(found[1]) // 3 > depth else found[0]

    return _UP.sub(named, markdown)


def _recipes() -> str:
    lines = [
        "# Recipes and every option",
        "",
        "A recipe is one experiment as a TOML file: `honshi train mine.toml`. Begin with `recipe.toml` of any run. An "
        "option of the command line, or `--set KEY=VALUE`, changes one key. This page is made of the recipe's types.",
        "",
        f"Built in: {', '.join(f'`{name}`' for name in built_in())}.",
        "",
    ]
    for key, field in Recipe.model_fields.items():
        for options in _options(field.annotation):
            kind = options.model_fields.get("kind")
            title = f"[{key}]" + (f" kind = {' or '.join(map(repr, get_args(kind.annotation)))}" if kind else "")
            lines += [f"## {title}", "", inspect.cleandoc(options.__doc__ or ""), ""]
            lines += ["| key | type | default |", "|---|---|---|"]
            for name, one in options.model_fields.items():
                default = "" if one.is_required() else f"`{one.default!r}`"
                lines.append(f"| `{name}` | `{_type(one.annotation)}` | {default} |")
            lines.append("")
    return "\n".join(lines)


def _options(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        kinds = [one for one in annotation.__subclasses__() if one.__module__.startswith("honshi.")]
        for kind in kinds:
            yield from _options(kind)
        if not kinds:
            yield annotation
    for inner in get_args(annotation):
        yield from _options(inner)


def _type(annotation: Any) -> str:
    text = annotation.__name__ if inspect.isclass(annotation) else str(annotation)
    return text.replace("typing.", "").replace("|", "\\|")


def _reference() -> str:
    lines = ["# Reference", "", "What `import honshi` gives, from the docstrings.", ""]
    for name in honshi.__all__:
        value = getattr(honshi, name)
        if isinstance(value, types.ModuleType):
            continue
        try:
            signature = str(inspect.signature(value))
        except (TypeError, ValueError):
            signature = ""
        signature = re.sub(r"'|<factory>|honshi\.[\w.]+\.(?=[A-Z])", "", signature)
        lines += [f"## honshi.{name}", "", "```python", f"honshi.{name}{signature}", "```", ""]
        lines += ["```text", inspect.cleandoc(value.__doc__ or ""), "```", ""]
    return "\n".join(lines)
