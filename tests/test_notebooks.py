"""The notebooks are those of their sources, run from top to bottom, and show what honshi gives."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from scripts.notebooks import LANGUAGES, NOTEBOOKS, files

NAMES = sorted(path.stem for path in (NOTEBOOKS / "source").glob("*.py"))
# What has to be seen in each, in HTML or as a picture.
SHOWN = {
    "1-data": ("54,000", "data:image/png;base64,", "image/png"),
    "2-loop": ("<svg", "layer", "data:image/png;base64,"),
    "3-improving": ("<svg", "recall", "95 % interval", "expected 97.50%", "background:#0072B2", "image/png"),
    "4-competition": ("recall", "95 % interval", "data:image/png;base64,"),
}


def read(name: str, language: str) -> NotebookNode:
    return nbformat.read(NOTEBOOKS / language / f"{name}.ipynb", as_version=4)


def test_they_are_made_of_todays_sources() -> None:
    stale = [path.name for path, content in files().items() if path.read_text("utf-8") != content]
    assert stale == [], "python -m scripts.notebooks"


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_have_the_same_code_and_no_outputs(name: str) -> None:
    english, japanese = (
        [cell for cell in read(name, language).cells if cell.cell_type == "code"] for language in LANGUAGES
    )

    assert [cell.source for cell in english] == [cell.source for cell in japanese]
    assert not any(cell.outputs for cell in (*english, *japanese))
    # One cell installs, for Colab.
    assert [cell.metadata.get("tags") for cell in english].count(["install"]) == 1
    texts = [[c.source for c in read(name, language).cells if c.cell_type == "markdown"] for language in LANGUAGES]
    assert len(texts[0]) == len(texts[1])


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_from_top_to_bottom_and_shows_what_it_has(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = read(name, "en")
    notebook.cells = [cell for cell in notebook.cells if "install" not in cell.metadata.get("tags", ())]
    # Curves of matplotlib, as a notebook draws them.
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(NOTEBOOKS.parent / "src"), os.environ.get("PYTHONPATH", "")]))

    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(tmp_path)}}).execute()

    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = " ".join(f"{kind} {content}" for output in outputs for kind, content in output.get("data", {}).items())
    for wanted in SHOWN[name]:
        assert wanted in shown, wanted
    assert not any(output.output_type == "error" for output in outputs)
