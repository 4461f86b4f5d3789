"""Where things are, made from the first line of each file's own description: the rooms in the README, every file in
docs/house.md.

    python -m scripts.house            write both
    python -m scripts.house --check    only say whether they are up to date; exit code 1 where they are not

A new file appears by itself, in the words that stand at its top.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from honshi.files import write_whole

ROOT = Path(__file__).parents[1]
README, HOUSE = ROOT / "README.md", ROOT / "docs" / "house.md"
SOURCES = ROOT / "src" / "honshi"
BEGIN, END = "<!-- house: begin, by python -m scripts.house -->", "<!-- house: end -->"
# The lecture's parts first, in its order, then what is built on them, then what all of them stand on.
ORDER = (
    "recipe",
    "recipes",
    "pictures",
    "data",
    "models",
    "losses.py",
    "optimizers",
    "training",
    "evaluation",
    "checks",
    "exam",
    "tuning",
    "runs",
    "reports",
    "experiment",
    "actions",
    "cli",
    "native",
)
# One file a command, and one a recipe: their names say all.
CLOSED = ("cli",)
BESIDE = {
    "benchmarks": "What the pages claim, each as one command",
    "tests": "Mirrors src/honshi",
    "docs": "How each part is used, how the house is built, what was measured",
    "notebooks": "The lecture in four notebooks, in English and Japanese",
    "examples": "The same training on a Slurm and on a Kubernetes cluster",
    "scripts": "What makes and checks files of this repository: the catalogue of sentences, notebooks, this tree",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    old = False
    for path, made in pages().items():
        text = path.read_text("utf-8")
        new = with_tree(text, made)
        old |= new != text
        if new != text and arguments.check:
            print(
                f"{path.relative_to(ROOT)}: its tree is not that of src/honshi. Make it anew: python -m scripts.house"
            )
        elif new != text:
            write_whole(path, new.encode())
    return int(arguments.check and old)


def pages() -> dict[Path, str]:
    """What stands between the markers of each page."""
    return {README: tree(0), HOUSE: tree()}


def with_tree(text: str, made: str) -> str:
    """A text with a tree between its markers.

    Raises:
        ValueError: it has no markers, or more than one pair.
    """
    found = re.findall(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", text, flags=re.DOTALL)
    if len(found) != 1:
        raise ValueError(f"{len(found)} times {BEGIN} … {END}, and once is needed")
    return text.replace(found[0], f"{BEGIN}\n```\n{made}\n```\n{END}")


def tree(deep: int | None = None) -> str:
    """The folders and files of honshi with what each says of itself, and the folders beside it.

    Args:
        deep: into how many folders it looks; into all where left out.
    """
    lines = ["src/honshi/", *_lines(SOURCES, 1, deep)]
    lines += [_line(f"{name}/", said, 0) for name, said in BESIDE.items()]
    return "\n".join(lines)


def _lines(folder: Path, depth: int, deep: int | None) -> Iterator[str]:
    entries = [path for path in folder.iterdir() if path.suffix in (".py", ".c") or (path / "__init__.py").is_file()]
    for path in sorted((path for path in entries if path.name != "__init__.py"), key=_place):
        if path.is_file():
            yield _line(path.name, first_line(path), depth)
        else:
            yield _line(f"{path.name}/", first_line(path / "__init__.py"), depth)
            if path.name not in CLOSED and (deep is None or depth <= deep):
                yield from _lines(path, depth + 1, deep)


def _place(path: Path) -> tuple[int, bool, str]:
    """Rooms in their order, other files of the root behind them; within a room files before folders."""
    known = path.parent == SOURCES and path.name in ORDER
    return ORDER.index(path.name) if known else len(ORDER), path.is_dir(), path.name


def first_line(path: Path) -> str:
    """What a file says of itself first: of Python its docstring, of C the comment at its top.

    Raises:
        ValueError: it says nothing.
    """
    text = path.read_text("utf-8")
    said = (ast.get_docstring(ast.parse(text)) or "") if path.suffix == ".py" else text.removeprefix("/*").lstrip()
    # A sentence may go on in a second line; the first paragraph ends before an empty one.
    paragraph = re.split(r"\n\W*\n|\*/", said)[0] if path.suffix == ".c" else said.split("\n")[0]
    sentence = re.split(r"(?<=[.?])\s", " ".join(paragraph.split()))[0]
    if not sentence:
        raise ValueError(f"{path}: it does not say what it is")
    return sentence.removesuffix(".").replace("``", "")


def _line(name: str, said: str, depth: int) -> str:
    return f"{'  ' * depth}{name:<{22 - 2 * depth}} {said}"


if __name__ == "__main__":
    sys.exit(main())
