"""What starting costs: the time of each package that a command imports, as Python itself counts it.

    python -m benchmarks.imports
    python -m benchmarks.imports --repetitions 9 --json imports.json

Of each command `python -X importtime` is asked, and of each package, honshi's own among them, the time in its own
modules is added up: a package that imports another is not charged for it. Medians, without what the interpreter loads
by itself. The first run of each, which compiles and warms the files up, is not counted.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from benchmarks import machine
from honshi.files import write_json

COMMANDS = {
    "--help": ("--help",),
    "runs": ("runs",),
    "train, 64 images": ("train", "lecture", "--subset", "64", "--epochs", "1", "--out", "OUT"),
    "predict, one PNG": ("predict", "RUN", "PICTURE"),
}
# A package that takes less in every command is counted among the others.
LEAST_MS = 8.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5, help="of each (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    if arguments.repetitions < 1:
        parser.error("--repetitions is at least 1")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(arguments.repetitions, Path(folder))
    names = sorted({name for costs in found.values() for name in costs}, key=lambda name: -most(found, name))
    shown = [name for name in names if most(found, name) >= LEAST_MS]
    print(f"{'ms':<16}" + "".join(f"{command:>18}" for command in found))
    for name in shown:
        print(f"{name:<16}" + "".join(f"{costs.get(name, 0.0):>18.0f}" for costs in found.values()))
    others = [sum(cost for name, cost in costs.items() if name not in shown) for costs in found.values()]
    print(f"{'others':<16}" + "".join(f"{cost:>18.0f}" for cost in others))
    print(f"{'all':<16}" + "".join(f"{sum(costs.values()):>18.0f}" for costs in found.values()))
    print(f"\nMedians of {arguments.repetitions}.\n{machine.line()}")
    if arguments.json:
        write_json(arguments.json, {"machine": machine.describe(), "milliseconds": found})


def most(found: dict[str, dict[str, float]], name: str) -> float:
    """What a package costs in the command in which it costs most, in ms."""
    return max(costs.get(name, 0.0) for costs in found.values())


def measure(repetitions: int, folder: Path) -> dict[str, dict[str, float]]:
    """Milliseconds by command and package."""
    from PIL import Image

    run, picture = folder / "run", folder / "picture.png"
    honshi("train", "lecture", "--subset", "64", "--epochs", "1", "--out", str(run))
    Image.new("L", (28, 28)).save(picture)
    found: dict[str, dict[str, float]] = {}
    for name, command in COMMANDS.items():
        times: dict[str, list[float]] = defaultdict(list)
        for repetition in range(repetitions + 1):
            places = {"OUT": folder / f"{name}-{repetition}", "RUN": run, "PICTURE": picture}
            costs = by_package(honshi(*(str(places.get(word, word)) for word in command)))
            for package, cost in costs.items() if repetition else ():
                times[package].append(cost)
        found[name] = {package: statistics.median(costs) for package, costs in times.items()}
    return found


def honshi(*command: str) -> str:
    """What Python says of the imports of a command that must succeed."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "honshi", *command], capture_output=True, text=True, encoding="utf-8"
    )
    if done.returncode:
        raise SystemExit(f"honshi {' '.join(command)} ended with code {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stderr


def by_package(told: str) -> dict[str, float]:
    """Milliseconds in the modules of each package."""
    costs: dict[str, float] = defaultdict(float)
    for line in told.splitlines():
        own, separator, rest = line.removeprefix("import time:").partition("|")
        if separator and own.strip().isdigit():
            costs[rest.partition("|")[2].strip().partition(".")[0]] += int(own) / 1000
    return dict(costs)


if __name__ == "__main__":
    main()
