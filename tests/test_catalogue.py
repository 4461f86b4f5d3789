"""Every sentence for people is in the catalogue, with its translation, and says the same with the same places."""

from __future__ import annotations

import os
import re
import string
import subprocess
import sys
import unicodedata
from pathlib import Path

from scripts.catalogue import CLICK, PO, catalogue, gathered, missing, updated

from honshi.language import available, speaking, translated
from honshi.messages import Message


def pairs() -> list[tuple[str, str]]:
    return [(one.id, str(one.string)) for one in catalogue() if isinstance(one.id, str) and one.id]


def places(sentence: str) -> list[tuple[str, str | None, str | None]]:
    """Named places with their formats."""
    found = string.Formatter().parse(sentence)
    return sorted((name, spec, how) for _, name, spec, how in found if name is not None)


def test_no_message_lacks_its_translation() -> None:
    assert missing() == []


def test_nothing_is_in_it_that_nobody_says_any_more() -> None:
    known = {sentence for sentence, _ in pairs()}
    assert known - set(gathered()) - set(CLICK) == set(), "python -m scripts.catalogue brings it up to date"


def test_a_translation_has_the_same_places() -> None:
    for sentence, translation in pairs():
        if "%(" in sentence:
            assert re.findall(r"%\(\w+\)s", sentence) == re.findall(r"%\(\w+\)s", translation)
        else:
            assert places(sentence) == places(translation), sentence


def test_a_sentence_is_japanese_and_keeps_what_is_typed() -> None:
    for sentence, translation in pairs():
        # A sentence of several words is no name of something.
        if len(re.findall(r"[a-z]{2,} [a-z]{2,}", re.sub(r"`[^`]*`|honshi \w+", "", sentence))) > 1:
            assert any(unicodedata.name(one, "").startswith(("CJK", "HIRAGANA", "KATAKANA")) for one in translation), (
                translation
            )
        for option in re.findall(r"--[a-z][a-z-]+", sentence):
            assert option in translation, (sentence, option)


def test_the_catalogue_is_what_is_gathered_today_in_the_order_of_the_files() -> None:
    assert PO.read_bytes() == updated(), "make format, or: python -m scripts.catalogue"


def test_the_compiled_catalogue_is_that_of_today() -> None:
    assert PO.with_suffix(".mo").exists(), "make compiles it: python -m scripts.catalogue --compile"
    assert "ja" in available()
    with speaking("ja"):
        stale = [sentence for sentence, translation in pairs() if translated(sentence) != translation]
    assert stale == [], "python -m scripts.catalogue --compile"


def test_a_message_speaks_the_language_of_who_asks() -> None:
    message = Message("{count} failed{warnings}.", count=2, warnings=Message(", {count} to look at", count=1))

    assert str(message) == "2 failed, 1 to look at."
    with speaking("ja"):
        assert str(message) == "不合格 2 件、要確認 1 件。"
        assert message.english == "2 failed, 1 to look at."


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "honshi", *arguments],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        encoding="utf-8",
    )


def test_the_commands_speak_japanese_where_it_is_asked_for(tmp_path: Path) -> None:
    helped = run(tmp_path, "train", "--help", HONSHI_LANG="ja")
    assert "新しい実行フォルダにモデルを訓練します" in helped.stdout
    assert "学習率。" in helped.stdout

    trained = run(tmp_path, "train", "--subset", "100", "--epochs", "2", "--out", "run", HONSHI_LANG="ja")
    assert trained.returncode == 0, trained.stderr
    assert "この実行はエポック" in trained.stdout
    # Not one sentence is English: names, paths and numbers are, one or two beside one another.
    assert [line for line in trained.stdout.splitlines() if re.search(r"(\b[a-z]{2,}\b ){4}", line)] == []

    validated = run(tmp_path, "validate", "run", "--json", HONSHI_LANG="ja")
    assert '"split": "validation"' in validated.stdout
    assert "の検証 (模試" in validated.stderr

    refused = run(tmp_path, "train", "nothing", HONSHI_LANG="ja")
    assert refused.returncode == 2
    assert refused.stderr.startswith("エラー: 'nothing' というレシピはありません。")


def test_what_is_written_for_programs_is_english_everywhere(tmp_path: Path) -> None:
    for language, name in (("ja", "japanese"), ("en", "english")):
        trained = run(
            tmp_path, "train", "--subset", "60", "--epochs", "1", "--out", name, "--json", HONSHI_LANG=language
        )
        assert trained.returncode == 0, trained.stderr
        diagnosed = run(tmp_path, "diagnose", name, "--json", HONSHI_LANG=language)
        (tmp_path / f"{name}.json").write_text(diagnosed.stdout.replace(name, ""), "utf-8")
        for path in (tmp_path / name).glob("*.json*"):
            assert path.read_text("utf-8").isascii() or "×" in path.read_text("utf-8"), path

    assert (tmp_path / "japanese.json").read_text("utf-8") == (tmp_path / "english.json").read_text("utf-8")


def test_a_table_is_right_with_characters_of_two_cells(tmp_path: Path) -> None:
    from rich.cells import cell_len

    trained = run(tmp_path, "train", "--subset", "100", "--epochs", "2", "--out", "run", HONSHI_LANG="ja")
    lines = trained.stdout.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("エポック"))

    assert cell_len(lines[head]) == cell_len(lines[head + 1]) == cell_len(lines[head + 2])
