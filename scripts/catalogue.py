"""The catalogue of all sentences for people: gathered from the source, translated by hand, compiled for gettext.

    python -m scripts.catalogue            what is said today into locale/ja/LC_MESSAGES/honshi.po
    python -m scripts.catalogue --missing  how many sentences have no translation, and which
    python -m scripts.catalogue --compile  honshi.po into honshi.mo, which is never committed

One catalogue holds what Python, the pages and their scripts say, and the help of the commands. Its key is the English
sentence with its named places.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import click
from babel.messages import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

import honshi
from honshi import errors

ROOT = Path(honshi.__file__).parent
PO = ROOT / "locale" / "ja" / "LC_MESSAGES" / "honshi.po"
# What takes a sentence, and as which arguments.
SAYING: dict[str, tuple[int, ...]] = {
    "Message": (0,),
    "said": (0,),
    "drawn": (0,),
    "word": (0,),
    "passed": (0, 1),
    "warned": (0, 1),
    "failed": (0, 1),
    "skipped": (0, 1),
    "problem": (0,),
    "_line": (0, 1),
    "_left_out": (0,),
    "_DamagedError": (0,),
    "Finding": (0,),
} | {
    name: (2,) if name == "IdxError" else (0,)
    for name, error in inspect.getmembers(errors, inspect.isclass)
    if issubclass(error, errors.HonshiError)
}
# What click says to users of a command line, by gettext as well.
CLICK: tuple[str | tuple[str, str], ...] = (
    "Usage:",
    "Options",
    "Commands",
    "Show this message and exit.",
    "Show the version and exit.",
    "%(prog)s, version %(version)s",
    "Error: {message}",
    "Aborted!",
    "Error: invalid input",
    "Try '{command} {option}' for help.",
    "Invalid value for {param_hint}: {message}",
    "Invalid value: {message}",
    "Missing command.",
    "Missing argument",
    "Missing option",
    "No such command {name!r}.",
    "No such option {name!r}.",
    "Option {name!r} does not take a value.",
    "Choose from:\n\t{choices}",
    "default: {default}",
    "{value!r} is not a valid {number_type}.",
    "{value} is not in the range {range}.",
    "unknown error",
    ("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)"),
    ("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})"),
    ("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments."),
    ("{value!r} is not {choice}.", "{value!r} is not one of {choices}."),
)
_IN_TEMPLATES = re.compile(r"""\b_\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")


def gathered() -> dict[str, list[str]]:
    """Every sentence, and the files that say it."""
    found: dict[str, list[str]] = {}

    def note(sentence: str, where: str) -> None:
        # What only puts others together says nothing itself, unless it ends them.
        if re.search(r"[^\W\d_]|\.", re.sub(r"\{[^{}]*\}", "", sentence)):
            places = found.setdefault(sentence, [])
            if where not in places:
                places.append(where)

    for path in sorted(ROOT.rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        for sentence in _in_python(path.read_text("utf-8")):
            note(sentence, where)
    for path in [*sorted(ROOT.glob("web/templates/*.html")), *sorted(ROOT.glob("web/static/*.js"))]:
        for literal in _IN_TEMPLATES.findall(path.read_text("utf-8")):
            note(ast.literal_eval(literal), path.relative_to(ROOT).as_posix())
    for sentence, where in _of_commands():
        note(sentence, where)
    for sentence, where in _named_values():
        note(sentence, where)
    return found


def _in_python(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        for place in SAYING.get(name, ()):
            if place < len(node.args):
                yield from _literals(node.args[place])


def _literals(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from _literals(node.body)
        yield from _literals(node.orelse)


def _of_commands() -> Iterator[tuple[str, str]]:
    from honshi.cli import honshi as root

    def walked(command: click.Command) -> Iterator[tuple[str, str]]:
        where = f"cli: {command.name}"
        if command.help:
            yield inspect.cleandoc(command.help), where
        for parameter in command.params:
            text = getattr(parameter, "help", None)
            if text:
                yield text, where
        for inner in getattr(command, "commands", {}).values():
            yield from walked(inner)

    yield from walked(root)


def _named_values() -> Iterator[tuple[str, str]]:
    """Values of types that are shown by their own names."""
    from honshi.checks.finding import Level
    from honshi.runs.status import State

    for kind, where in ((Level, "checks/finding.py"), (State, "runs/status.py")):
        for value in get_args(kind):
            yield value, where
    for value in ("exact", "near"):
        yield value, "data/copies.py"
    for value in ("complete", "pruned", "failed"):
        yield value, "tuning/study.py"


def catalogue() -> Catalog:
    """What is translated."""
    with PO.open("rb") as stream:
        return read_po(stream, "ja")


def updated() -> bytes:
    """The file as it is today: new sentences without a translation, and without those that nobody says any more; in the
    order of the files, so that a change of one shows as that."""
    template = Catalog(project="honshi", copyright_holder="the honshi authors")
    for sentence in CLICK:
        template.add(sentence, locations=[("click", 0)])
    for sentence, places in gathered().items():
        template.add(sentence, locations=[(place, 0) for place in places])
    if PO.exists():
        known = catalogue()
        template.creation_date = known.creation_date
        known.update(template, no_fuzzy_matching=True)
    else:
        known = Catalog("ja", project="honshi", copyright_holder="the honshi authors")
        known.update(template)
    known.obsolete.clear()
    written = io.BytesIO()
    write_po(written, known, width=0, include_lineno=False, sort_by_file=True, omit_header=False)
    return written.getvalue()


def missing() -> list[str]:
    """Sentences without a translation."""
    known = catalogue()
    wanted = [*gathered(), *(one if isinstance(one, str) else one[0] for one in CLICK)]
    return [sentence for sentence in wanted if (one := known.get(sentence)) is None or not _is_translated(one)]


def _is_translated(one: Message) -> bool:
    texts = (one.string,) if isinstance(one.string, str) else tuple(one.string or ())
    return bool(texts) and all(texts)


def compile_it() -> None:
    """What gettext reads."""
    with PO.with_suffix(".mo").open("wb") as stream:
        write_mo(stream, catalogue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--missing", action="store_true")
    parser.add_argument("--compile", action="store_true")
    arguments = parser.parse_args()
    if arguments.missing:
        lacking = missing()
        print(*lacking, sep="\n")
        print(f"{len(lacking)} of {len(gathered())} sentences have no translation", file=sys.stderr)
    elif arguments.compile:
        compile_it()
    else:
        PO.parent.mkdir(parents=True, exist_ok=True)
        PO.write_bytes(updated())


if __name__ == "__main__":
    main()
