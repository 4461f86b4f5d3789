"""What the documentation gets when it is built: options of recipes from their types, a reference from the docstrings,
and names in place of links that lead out of docs/.

mkdocs calls it (mkdocs.yml).
"""

from __future__ import annotations

import inspect
import re
import sys
import types
from contextlib import suppress
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

sys.path.insert(0, str(Path(__file__).parent.parent))  # mkdocs loads this file by itself

from scripts import options
from scripts.npm import Package, bring

import honshi

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
    files.append(File.generated(config, "recipes.md", content=options.page("en")))
    files.append(File.generated(config, "ja/recipes.md", content=options.page("ja")))
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
