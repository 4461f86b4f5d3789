"""What the documents name is there: attributes of the library after `import honshi`, commands and their options."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from honshi import cli

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("README*.md"))]
TRANSLATED = sorted((ROOT / "docs" / "ja").glob("*.md"))
(GROUP,) = [command for command in vars(cli).values() if isinstance(command, click.Group) and command.name == "honshi"]


def test_every_attribute_is_there_after_import_honshi() -> None:
    names = {
        name for path in DOCUMENTS for name in re.findall(r"(?<!/)honshi(?:\.[A-Za-z_]\w*)+", path.read_text("utf-8"))
    }
    # In a process of its own, in which nothing else has imported a module of honshi.
    program = f"""
import honshi
missing = []
for name in {sorted(names)}:
    found = honshi
    for part in name.split(".")[1:]:
        found = getattr(found, part, None)
    if found is None:
        missing.append(name)
print(missing)
"""

    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert finished.stdout.strip() == "[]"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_and_its_options_are_there(path: Path) -> None:
    wrong = []
    for line in re.findall(r"(?:^|`|\$ )honshi ([a-z][^`\n|;&#]*)", path.read_text("utf-8"), re.MULTILINE):
        name, *words = line.split()
        command = GROUP.commands.get(name)
        known = {option for part in command.params for option in part.opts} if command is not None else set()
        if isinstance(command, click.Group):
            known |= set(command.commands)
        asked = {word.split("=")[0] for word in words if word.startswith("--")}
        if command is None or asked - known - {"--help"}:
            wrong.append(line)
    assert wrong == []


def test_both_readmes_go_equally_deep() -> None:
    english, japanese = ((ROOT / name).read_text("utf-8") for name in ("README.md", "README.ja.md"))

    def parts(text: str) -> list[list[str]]:
        commands = [line.split(" #")[0].strip() for line in re.findall(r"^(?:honshi|torchrun|make|pip) .*", text, re.M)]
        rows = re.findall(r"^\| `([\w-]+)` \|", text.split("## Recipes")[-1].split("## レシピ")[-1], re.M)
        python = [line.split("  #")[0] for line in re.findall(r"```python\n(.*?)```", text, re.S)[0].splitlines()]
        return [
            commands,
            rows,
            python,
            re.findall(r"^(#+) ", text, re.M),
            re.findall(r"\(docs/(?:ja/)?([\w.-]+\.md)\)", text),
        ]

    for ours, theirs in zip(parts(english), parts(japanese), strict=True):
        assert sorted(set(ours)) == sorted(set(theirs))
    assert len(re.findall(r"^## ", english, re.M)) == len(re.findall(r"^## ", japanese, re.M))


@pytest.mark.parametrize("path", TRANSLATED, ids=lambda path: path.name)
def test_a_translated_page_shows_the_same_commands_and_the_same_python(path: Path) -> None:
    def typed(text: str) -> list[str]:
        blocks = re.findall(r"```(?:sh|python|toml)\n(.*?)```", text, re.DOTALL)
        return [re.sub(r"\s*#.*", "", line) for block in blocks for line in block.splitlines()]

    ours, theirs = path.read_text("utf-8"), (ROOT / "docs" / path.name).read_text("utf-8")

    assert typed(ours) == typed(theirs)
    assert f"[English](../{path.name})" in ours
    assert f"[日本語](ja/{path.name})" in theirs
