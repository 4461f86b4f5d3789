"""The notebooks, made of their sources: one in English and one in Japanese, with the same code and without outputs.

    python -m scripts.notebooks           write notebooks/en and notebooks/ja
    python -m scripts.notebooks --check   see that they are those of today's sources

A source is a script with cells (jupytext's percent format). A cell of text says in which language it is; all others
belong to both.
"""

from __future__ import annotations

import argparse
import sys
from copy import deepcopy
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
LANGUAGES = ("en", "ja")


def made(source: Path, language: str) -> NotebookNode:
    """The notebook of a source in one language."""
    whole = jupytext.read(source)
    notebook = deepcopy(whole)
    notebook.cells = [cell for cell in whole.cells if cell.metadata.get("lang", language) == language]
    for number, cell in enumerate(notebook.cells):
        cell.metadata.pop("lang", None)
        # So that the same source gives the same file.
        cell["id"] = f"cell-{number}"
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def files() -> dict[Path, str]:
    """What each file of the two folders holds."""
    return {
        NOTEBOOKS / language / f"{source.stem}.ipynb": nbformat.writes(made(source, language)) + "\n"
        for source in sorted((NOTEBOOKS / "source").glob("*.py"))
        for language in LANGUAGES
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    for path, content in files().items():
        if not arguments.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != content:
            sys.exit(f"{path} is not that of its source: python -m scripts.notebooks")


if __name__ == "__main__":
    main()
