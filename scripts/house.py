"""The README's tree of where things are, made from the first line of each file's own description.

    python -m scripts.house            write it into README.md
    python -m scripts.house --check    only say whether it is up to date; exit code 1 where it is not

A new file appears in it by itself, in the words that stand at its top.
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
README = ROOT / "README.md"
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
    "benchmarks": "What this page claims, each as one command",
    "tests": "Mirrors src/honshi",
    "docs": "How the house is built; the measured results and what they mean",
    "examples": "The same training on a Slurm and on a Kubernetes cluster",
    "scripts": "Rebuild and verify the MNIST files; make this tree",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args()
    text = README.read_text("utf-8")
    made = with_tree(text)
    if arguments.check:
        if made != text:
            print("README.md: its tree is not that of src/honshi. Make it anew: python -m scripts.house")
        return int(made != text)
    write_whole(README, made.encode())
    return 0


def with_tree(text: str) -> str:
    """A text with the tree between its markers.

    Raises:
        ValueError: it has no markers, or more than one pair.
    """
    found = re.findall(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", text, flags=re.DOTALL)
    if len(found) != 1:
        raise ValueError(f"{len(found)} times {BEGIN} … {END}, and once is needed")
    return text.replace(found[0], f"{BEGIN}\n```\n{tree()}\n```\n{END}")


def tree() -> str:
    """Every folder and file of honshi with what it says of itself, and the folders beside it."""
    lines = ["src/honshi/", *_lines(SOURCES, 1)]
    lines += [_line(f"{name}/", said, 0) for name, said in BESIDE.items()]
    return "\n".join(lines)


def _lines(folder: Path, depth: int) -> Iterator[str]:
    entries = [path for path in folder.iterdir() if path.suffix in (".py", ".c") or (path / "__init__.py").is_file()]
    for path in sorted((path for path in entries if path.name != "__init__.py"), key=_place):
        if path.is_file():
            yield _line(path.name, first_line(path), depth)
        else:
            yield _line(f"{path.name}/", first_line(path / "__init__.py"), depth)
            if path.name not in CLOSED:
                yield from _lines(path, depth + 1)


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
