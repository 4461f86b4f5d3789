"""The documentation builds without a warning, loads nothing from another host, and has every option of a recipe."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from scripts.options import SENTENCES, place_of, tables
from scripts.options import page as options_page

from honshi.recipe import Recipe

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    finished = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    # Strict: a link that leads nowhere is an error. (Not with --quiet, which counts no warnings.)
    told = [line for line in finished.stderr.splitlines() if not line.startswith("INFO ")]
    assert (finished.returncode, told) == (0, [])
    return folder


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    loading = re.compile(r"<(?:script|img|iframe|link)[^>]+(?:src|href)=.?(https?://[^ \">]+)")
    found = {address for page in site.glob("*.html") for address in loading.findall(page.read_text("utf-8"))}
    assert found == set()


@pytest.mark.parametrize("page", ["recipes.html", "ja/recipes.html"])
def test_every_option_of_a_recipe_is_there(site: Path, page: str) -> None:
    text = (site / page).read_text("utf-8")
    missing = [
        f"{table}.{key}"
        for table, options in Recipe.read("photos").model_dump().items()
        if isinstance(options, dict)
        for key in options
        if f"<code>{key}</code>" not in text
    ]
    assert missing == []


def test_no_sentence_is_of_a_key_that_there_is_not() -> None:
    sentences = tomllib.loads(SENTENCES.read_text("utf-8"))
    places = {place_of(table, options)[0]: set(options.model_fields) for table, options in tables()}

    del sentences["page"]
    assert set(sentences.pop("sections")) == set(places)
    assert set(sentences.pop("shared")) <= set.union(*places.values())
    assert {place: set(keys) - places[place] for place, keys in sentences.items() if set(keys) - places[place]} == {}


def test_types_are_told_in_words_and_with_their_bounds() -> None:
    rows = {line.split("|")[1].strip(): line for line in options_page("en").splitlines() if line.startswith("| `")}

    assert rows["`batch_size`"].endswith("| whole number ≥ 1 | `64` |")
    assert rows["`test`"].endswith("| number > 0 and < 1 |  |")
    assert rows["`widths`"].endswith("| list of: whole number ≥ 1 | `[16, 32, 64]` |")


def test_what_import_honshi_gives_is_there(site: Path) -> None:
    page = (site / "reference.html").read_text("utf-8")
    for name in ("honshi.fit", "honshi.load", "honshi.test", "honshi.Predictor"):
        assert f">{name}<" in page
