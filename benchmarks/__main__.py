"""`make bench`: what the README claims, measured briefly in one go, and whether any of it got worse.

    python -m benchmarks
    python -m benchmarks --only epoch,prediction

Each benchmark is a command of its own and runs as one, with less repetition than by itself: about 8 minutes on 2
cores with nothing else running. What they found goes to `benchmarks/results.json`, with the machine and the ratios.
A ratio says how many times as good honshi is as what stands beside it; seconds depend on the machine, ratios hardly.
Where a ratio fell below 3/4 of the recorded one on the same kind of machine the command fails and leaves the record
as it is; `--accept` records the new ones all the same. `python -m benchmarks.readme` makes the README's table of it.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import machine
from honshi.files import write_json

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).with_name("results.json")
# The shortest runs that repeat themselves to within some percent on a quiet machine.
SUITE = {
    "epoch": ("--repetitions", "5"),
    "whole_process": ("--repetitions", "2"),
    "prediction": ("--rounds", "3"),
    "scaling": ("--repetitions", "2", "--subset", "12000"),
    "tuning": ("--repetitions", "1", "--minutes", "0.7"),
}
# Below this part of what it was a ratio got clearly worse: medians on a virtual machine differ by a tenth.
TOLERANCE = 0.75
# Ratios of another kind of machine say nothing about this one.
SAME_MACHINE = ("cpu", "cores")


@dataclass(frozen=True)
class Worse:
    """A ratio that fell too far."""

    name: str
    before: float
    now: float


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME,NAME", help=f"some of {', '.join(SUITE)}; the others stay as recorded")
    parser.add_argument("--accept", action="store_true", help="record ratios that got worse too")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(SUITE)
    if unknown := [name for name in names if name not in SUITE]:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(SUITE)}")

    recorded: dict[str, Any] | None = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else None
    here = machine.describe()
    elsewhere = recorded is not None and any(recorded["machine"][key] != here[key] for key in SAME_MACHINE)
    if elsewhere and arguments.only:
        parser.error("the record is of another machine, so a part of it cannot be replaced: leave --only out")
    started = time.perf_counter()
    found = {name: run(name) for name in names}
    if recorded is not None and not elsewhere:
        found = {name: found.get(name, recorded["benchmarks"].get(name)) for name in SUITE}
        found = {name: content for name, content in found.items() if content is not None}
    now = ratios(found)

    print(f"{'how many times as good honshi is':<48}   before      now")
    before: dict[str, float] = {} if recorded is None or elsewhere else recorded["ratios"]
    for name, value in now.items():
        shown = f"{before[name]:.2f}" if name in before else "–"
        print(f"{name:<48}  {shown:>7}  {value:>7.2f}")
    print(f"\n{time.perf_counter() - started:.0f} seconds. {machine.line()}")
    if elsewhere:
        print("The record is of another kind of machine, so nothing was compared with it.")
    fallen = worse(before, now)
    for ratio in fallen:
        print(f"Worse: {ratio.name} was {ratio.before:.2f} and is {ratio.now:.2f}.", file=sys.stderr)
    if fallen and not arguments.accept:
        print(f"{RESULTS} is left as it was. Is the machine quiet? --accept records the new ratios.", file=sys.stderr)
        return 1
    write_json(RESULTS, {"machine": here, "ratios": now, "benchmarks": found})
    print(f"Recorded in {RESULTS}. The README's table: python -m benchmarks.readme")
    return 0


def run(name: str) -> Any:
    """What a benchmark found; its table is shown as it is."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "found.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", *SUITE[name], "--json", str(path)]
        print(f"$ python -m benchmarks.{name} {' '.join(SUITE[name])}", flush=True)
        if code := subprocess.run(command, cwd=ROOT).returncode:
            raise SystemExit(f"benchmarks.{name} ended with code {code}; see above. Nothing was recorded.")
        print(flush=True)
        found = json.loads(path.read_text("utf-8"))
    del found["machine"]  # that of all
    return found


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """How many times as good honshi is as each of what stands beside it: the larger the better."""
    result: dict[str, float] = {}
    if "epoch" in found:
        for name, peer in found["epoch"]["peers"].items():
            if name != "honshi":
                result[f"an epoch: {name}"] = peer["ratio"]
    if "whole_process" in found:
        result["honshi train from start to exit: lecture"] = found["whole_process"]["ratio"]
    for model, runtimes in found.get("prediction", {"models": {}})["models"].items():
        for name, numbers in runtimes.items():
            if name != "honshi":
                ours = runtimes["honshi"]
                result[f"one image, {model}: {name}"] = numbers["p50"] / ours["p50"]
                result[f"many images, {model}: {name}"] = ours["images_per_second"] / numbers["images_per_second"]
    for size, numbers in found.get("scaling", {"batch_sizes": {}})["batch_sizes"].items():
        result[f"two processes, batches of {size}: one"] = numbers["speedup"]
    if "tuning" in found:
        result["trials a minute: optuna"] = found["tuning"]["ratio"]
    return result


def worse(before: dict[str, float], now: dict[str, float]) -> list[Worse]:
    """The ratios that fell below `TOLERANCE` of what they were."""
    return [
        Worse(name, before[name], value)
        for name, value in now.items()
        if name in before and value < TOLERANCE * before[name]
    ]


if __name__ == "__main__":
    sys.exit(main())
