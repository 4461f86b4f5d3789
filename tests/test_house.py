"""The trees are made from what the files say of themselves, and docs/house.md names what is there."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from scripts.house import BEGIN, CLOSED, END, README, ROOT, SOURCES, first_line, pages, tree, with_tree

FILES = sorted(path for path in SOURCES.rglob("*") if path.suffix in (".py", ".c"))


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.name)
def test_the_pages_have_the_trees_of_today(path: Path) -> None:
    text = path.read_text("utf-8")
    assert with_tree(text, pages()[path]) == text, "make it anew: python -m scripts.house"


def test_the_readme_has_the_rooms_and_nothing_in_them() -> None:
    rooms = {line.split()[0] for line in pages()[README].splitlines()[1:] if line.startswith("  ")}
    assert rooms == {
        f"{path.name}/" if path.is_dir() else path.name
        for path in SOURCES.iterdir()
        if (path.is_dir() and (path / "__init__.py").exists()) or (path.suffix == ".py" and path.name != "__init__.py")
    }


def test_every_file_is_in_the_tree_under_its_room() -> None:
    listed, path = [], [SOURCES]
    for line in tree().splitlines()[1:]:
        depth = (len(line) - len(line.lstrip())) // 2
        if not depth:
            break  # the folders beside it
        name = line.split()[0]
        path = [*path[:depth], path[depth - 1] / name]
        listed += [] if name.endswith("/") else [path[-1]]
    open_files = [
        file for file in FILES if file.name != "__init__.py" and file.relative_to(SOURCES).parts[0] not in CLOSED
    ]
    assert sorted(listed) == open_files


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(SOURCES).as_posix() for path in FILES])
def test_every_file_says_what_it_is_in_its_first_line(path: Path) -> None:
    said = first_line(path)

    assert len(said) <= 130
    assert said[0].isupper() or said.startswith(("honshi", "python", "2 x 2"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.py", '"""One thing. And more.\n\nAt length."""\n', "One thing"),
        ("a.py", '"""Is it so?\n"""\n', "Is it so?"),
        ("a.c", "/* A sum that\n   goes on.\n\n   More. */\nint x;\n", "A sum that goes on"),
        ("a.c", "/* Short. */\n", "Short"),
    ],
)
def test_the_first_sentence_is_taken(tmp_path: Path, name: str, content: str, said: str) -> None:
    (tmp_path / name).write_text(content)

    assert first_line(tmp_path / name) == said


def test_a_file_that_says_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "silent.py").write_text("x = 1\n")

    with pytest.raises(ValueError, match=r"silent\.py"):
        first_line(tmp_path / "silent.py")


def test_what_stands_around_the_tree_is_left_as_it_is() -> None:
    assert re.fullmatch(
        f"before\n{re.escape(BEGIN)}\n```\na tree\n```\n{re.escape(END)}\nbehind",
        with_tree(f"before\n{BEGIN}\nold\n{END}\nbehind", "a tree"),
    )


@pytest.mark.parametrize("text", ["", f"{BEGIN}\n{END}\n" * 2])
def test_one_pair_of_markers_is_needed(text: str) -> None:
    with pytest.raises(ValueError, match="once is needed"):
        with_tree(text, "a tree")


def test_the_check_leaves_with_0_as_long_as_it_holds() -> None:
    checked = subprocess.run([sys.executable, "-m", "scripts.house", "--check"], cwd=ROOT, check=False, timeout=60)

    assert checked.returncode == 0


STOPS = re.findall(r"`([\w/]+\.py):([\w.]+)`", (ROOT / "docs" / "house.md").read_text("utf-8"))
PATHS = re.findall(r"`((?:tests/)?\w+(?:/\w+)*(?:/|\.py))`", (ROOT / "docs" / "house.md").read_text("utf-8"))


@pytest.mark.parametrize(("path", "name"), STOPS)
def test_each_stop_of_the_two_routes_is_there(path: str, name: str) -> None:
    body = ast.parse((SOURCES / path).read_text("utf-8")).body
    for part in name.split("."):
        (found,) = [node for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and node.name == part]
        body = found.body


@pytest.mark.parametrize("path", sorted(set(PATHS)))
def test_each_path_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path if path.startswith("tests/") else SOURCES / path).exists()
