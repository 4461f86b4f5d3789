"""The README's table of measurements, made from `benchmarks/results.json`.

python -m benchmarks.readme
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any

from benchmarks.__main__ import RESULTS, ROOT
from benchmarks.peers import LIMITS, PEERS
from honshi.files import write_whole

README = ROOT / "README.md"
BEGIN, END = "<!-- measured: begin, by python -m benchmarks.readme -->", "<!-- measured: end -->"


def main() -> int:
    if not RESULTS.exists():
        print(f"{RESULTS}: there are no results. First: make bench", file=sys.stderr)
        return 2
    text = README.read_text("utf-8")
    write_whole(README, with_table(text, json.loads(RESULTS.read_text("utf-8"))).encode())
    return 0


def with_table(text: str, results: dict[str, Any]) -> str:
    """A text with the table of these results between its markers.

    Raises:
        ValueError: it has no markers, or more than one pair.
    """
    found = re.findall(f"{re.escape(BEGIN)}\n.*?{re.escape(END)}", text, flags=re.DOTALL)
    if len(found) != 1:
        raise ValueError(f"{len(found)} times {BEGIN} … {END}, and once is needed")
    return text.replace(found[0], f"{BEGIN}\n{table(results)}\n{END}")


def table(results: dict[str, Any]) -> str:
    """The measurements as Markdown; of what was not measured there is no row."""
    found, machine = results["benchmarks"], results["machine"]
    lines = [f"On {machine['cores']} cores of an {machine['cpu']}, torch {machine['torch']}, by `make bench`:"]
    if "epoch" in found:
        lines += [
            "",
            "| one epoch of the lecture's training (`python -m benchmarks.epoch`) | honshi = 1 |",
            "|---|---|",
        ]
        for name, peer in sorted(found["epoch"]["peers"].items(), key=lambda item: item[1]["median"]):
            if name == "honshi":
                lines.append(f"| **honshi** ({peer['median']:.2f} s) | **1.00** |")
            elif name not in LIMITS:
                lines.append(f"| {PEERS[name]} | {_digits(peer['ratio'])} |")
    rows = _rows(found)
    if rows:
        lines += ["", "| | honshi | beside it | times as good |", "|---|---|---|---|"]
        lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def _rows(found: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """What is measured, honshi's number, the other's, and their ratio."""
    rows: list[tuple[str, str, str, str]] = []
    if "whole_process" in found:
        seconds, ratio = found["whole_process"]["seconds"], found["whole_process"]["ratio"]
        rows.append(
            (
                "`honshi train` from start to exit, with validation, all files and the picture "
                "(`python -m benchmarks.whole_process`)",
                f"{seconds['honshi']['median']:.1f} s",
                f"the lecture's script {seconds['lecture']['median']:.1f} s",
                _digits(ratio),
            )
        )
    for model, runtimes in found.get("prediction", {"models": {}})["models"].items():
        ours = runtimes["honshi"]
        others = {"plain PyTorch": runtimes["pytorch"], "ONNX Runtime": runtimes["onnxruntime"]}
        rows += [
            (
                f"one image, {model}: median and 99th percentile (`python -m benchmarks.prediction`)",
                _micro(ours),
                "; ".join(f"{name} {_micro(other)}" for name, other in others.items()),
                "; ".join(_digits(other["p50"] / ours["p50"]) for other in others.values()),
            ),
            (
                f"10,000 images, {model}: a second",
                f"{ours['images_per_second']:,.0f}",
                "; ".join(f"{name} {other['images_per_second']:,.0f}" for name, other in others.items()),
                "; ".join(_digits(ours["images_per_second"] / other["images_per_second"]) for other in others.values()),
            ),
        ]
    for size, numbers in found.get("scaling", {"batch_sizes": {}})["batch_sizes"].items():
        processes = numbers["processes"]
        rows.append(
            (
                f"an epoch of `cnn` in batches of {size} by two processes of one thread "
                "(`python -m benchmarks.scaling`)",
                f"{processes['2']['median']:.2f} s",
                f"by one {processes['1']['median']:.2f} s",
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
                "trials a minute of `honshi tune` (`python -m benchmarks.tuning`)",
                f"{rates[0]:.1f}",
                f"Optuna and a plain loop {rates[1]:.1f}",
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
