"""The table of measurements of both READMEs, made from `benchmarks/results.json`.

python -m benchmarks.readme
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Protocol

from benchmarks.__main__ import RESULTS, ROOT
from benchmarks.peers import LIMITS, PEERS
from honshi.files import write_whole

README, JAPANESE_README = ROOT / "README.md", ROOT / "README.ja.md"
BEGIN, END = "<!-- measured: begin, by python -m benchmarks.readme -->", "<!-- measured: end -->"


# What the table says, in Japanese; the names of other libraries stay as they are.
JAPANESE = {
    "On {cores} cores of an {cpu}, torch {torch}, by `make bench`:": "{cpu} の {cores} コア、torch {torch}、"
    "`make bench` による計測:",
    "one epoch of the lecture's training ({by})": "講義の訓練の 1 エポック({by})",
    "honshi, the readable loop": "honshi(読めるループ)",
    "the lecture's script": "講義のスクリプト",
    "PyTorch, plain loop on tensors": "PyTorch(テンソル上の素のループ)",
    "PyTorch, DataLoader on tensors": "PyTorch(DataLoader)",
    "PyTorch Lightning, DataLoader on tensors": "PyTorch Lightning(DataLoader)",
    "JAX, lax.scan over the epoch": "JAX(エポック全体を lax.scan)",
    "beside it": "比較相手",
    "times as good": "何倍良いか",
    "`honshi train` from start to exit, with validation, all files and the picture ({by})": "`honshi train` の開始から"
    "終了まで(検証、全ファイル、曲線の画像を含む。{by})",
    "the lecture's script {seconds:.1f} s": "講義のスクリプト {seconds:.1f} s",
    "one image, {model}: median and 99th percentile ({by})": "1 枚、{model}:中央値と 99 パーセンタイル({by})",
    "10,000 images, {model}: a second": "10,000 枚、{model}:1 秒あたり",
    "plain PyTorch": "素の PyTorch",
    "an epoch of `cnn` in batches of {size} by two processes of one thread ({by})": "`cnn` の 1 エポック、バッチ "
    "{size}、1 スレッドの 2 プロセス({by})",
    "by one {seconds:.2f} s": "1 プロセスでは {seconds:.2f} s",
    "trials a minute of `honshi tune` ({by})": "`honshi tune` の 1 分あたりの試行数({by})",
    "Optuna and a plain loop {rate:.1f}": "Optuna と素のループ {rate:.1f}",
}


class Say(Protocol):
    """A sentence in the language of a page, with its parameters filled in."""

    def __call__(self, sentence: str, **parameters: object) -> str: ...


def english(sentence: str, **parameters: object) -> str:
    return sentence.format(**parameters)


def japanese(sentence: str, **parameters: object) -> str:
    return JAPANESE.get(sentence, sentence).format(**parameters)


PAGES: dict[Path, Say] = {README: english, JAPANESE_README: japanese}


def main() -> int:
    if not RESULTS.exists():
        print(f"{RESULTS}: there are no results. First: make bench", file=sys.stderr)
        return 2
    results = json.loads(RESULTS.read_text("utf-8"))
    for path, say in PAGES.items():
        write_whole(path, with_table(path.read_text("utf-8"), table(results, say)).encode())
    return 0


def with_table(text: str, made: str) -> str:
    """A text with a table between its markers.

    Raises:
        ValueError: it has no markers, or more than one pair.
    """
    found = re.findall(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", text, flags=re.DOTALL)
    if len(found) != 1:
        raise ValueError(f"{len(found)} times {BEGIN} … {END}, and once is needed")
    return text.replace(found[0], f"{BEGIN}\n{made}\n{END}")


def table(results: dict[str, Any], say: Say = english) -> str:
    """The measurements as Markdown; of what was not measured there is no row."""
    found, machine = results["benchmarks"], results["machine"]
    about = {name: machine[name] for name in ("cores", "cpu", "torch")}
    lines = [say("On {cores} cores of an {cpu}, torch {torch}, by `make bench`:", **about)]
    if "epoch" in found:
        title = say("one epoch of the lecture's training ({by})", by="`python -m benchmarks.epoch`")
        lines += ["", f"| {title} | honshi = 1 |", "|---|---|"]
        for name, peer in sorted(found["epoch"]["peers"].items(), key=lambda item: item[1]["median"]):
            if name == "honshi":
                lines.append(f"| **honshi** ({peer['median']:.2f} s) | **1.00** |")
            elif name not in LIMITS:
                lines.append(f"| {say(PEERS[name])} | {_digits(peer['ratio'])} |")
    rows = _rows(found, say)
    if rows:
        lines += ["", f"| | honshi | {say('beside it')} | {say('times as good')} |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def _rows(found: dict[str, Any], say: Say) -> list[tuple[str, str, str, str]]:
    """What is measured, honshi's number, the other's, and their ratio."""
    rows: list[tuple[str, str, str, str]] = []
    if "whole_process" in found:
        seconds, ratio = found["whole_process"]["seconds"], found["whole_process"]["ratio"]
        rows.append(
            (
                say(
                    "`honshi train` from start to exit, with validation, all files and the picture ({by})",
                    by="`python -m benchmarks.whole_process`",
                ),
                f"{seconds['honshi']['median']:.1f} s",
                say("the lecture's script {seconds:.1f} s", seconds=seconds["lecture"]["median"]),
                _digits(ratio),
            )
        )
    for model, runtimes in found.get("prediction", {"models": {}})["models"].items():
        ours = runtimes["honshi"]
        others = {say("plain PyTorch"): runtimes["pytorch"], "ONNX Runtime": runtimes["onnxruntime"]}
        rows += [
            (
                say(
                    "one image, {model}: median and 99th percentile ({by})",
                    model=model,
                    by="`python -m benchmarks.prediction`",
                ),
                _micro(ours),
                "; ".join(f"{name} {_micro(other)}" for name, other in others.items()),
                "; ".join(_digits(other["p50"] / ours["p50"]) for other in others.values()),
            ),
            (
                say("10,000 images, {model}: a second", model=model),
                f"{ours['images_per_second']:,.0f}",
                "; ".join(f"{name} {other['images_per_second']:,.0f}" for name, other in others.items()),
                "; ".join(_digits(ours["images_per_second"] / other["images_per_second"]) for other in others.values()),
            ),
        ]
    for size, numbers in found.get("scaling", {"batch_sizes": {}})["batch_sizes"].items():
        processes = numbers["processes"]
        rows.append(
            (
                say(
                    "an epoch of `cnn` in batches of {size} by two processes of one thread ({by})",
                    size=size,
                    by="`python -m benchmarks.scaling`",
                ),
                f"{processes['2']['median']:.2f} s",
                say("by one {seconds:.2f} s", seconds=processes["1"]["median"]),
                _digits(numbers["speedup"]),
            )
        )
    if "tuning" in found:
        rates = [
            60 * sum(search["finished"] for search in searches) / sum(search["seconds"] for search in searches)
            for searches in (found["tuning"]["honshi"], found["tuning"]["plain"])
        ]
        rows.append(
            (
                say("trials a minute of `honshi tune` ({by})", by="`python -m benchmarks.tuning`"),
                f"{rates[0]:.1f}",
                say("Optuna and a plain loop {rate:.1f}", rate=rates[1]),
                _digits(found["tuning"]["ratio"]),
            )
        )
    return rows


def _micro(numbers: dict[str, float]) -> str:
    """Median and 99th percentile of single images."""
    return f"{numbers['p50'] * 1e6:.0f} µs, {numbers['p99'] * 1e6:.0f} µs"


def _digits(ratio: float) -> str:
    """Three of them, no more than were measured."""
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.1f}"


if __name__ == "__main__":
    sys.exit(main())
