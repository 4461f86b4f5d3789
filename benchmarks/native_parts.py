"""What each compiled part brings: whole trainings with it, and with torch in its place.

    python -m benchmarks.native_parts
    python -m benchmarks.native_parts --only fast99,cnn --repetitions 7

The trainings of a case take turns, each in a process of its own. Timed is what `honshi train --json` calls total: all
epochs with their validation, and loading the data; not the start of Python. A part earns its place by a tenth of at
least one whole training.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from honshi.files import write_json

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


@dataclass
class Case:
    """A training, and the parts that it is timed without.

    Attributes:
        words: the program and its own words.
        without: the parts, each switched off alone.
        processes: that share the training.
    """

    words: str
    without: tuple[str, ...]
    processes: int = 1
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def measure(self) -> None:
        """Train once with all parts, and once without each."""
        for part in ("", *self.without):
            self.seconds.setdefault(part, []).append(self._train(part))

    def _train(self, without: str) -> float:
        launcher = TORCHRUN if self.processes > 1 else []
        environment = dict(os.environ)
        if self.processes > 1:
            environment["OMP_NUM_THREADS"] = "1"
        with tempfile.TemporaryDirectory() as folder:
            # Looks at the validation set are counted in a folder that is nobody's; what is compiled is kept.
            command = [sys.executable, *launcher, "-m", "benchmarks.without", without, *self.words.split()]
            if self.words.startswith("honshi train"):
                command += ["--out", str(Path(folder) / "run"), "--json"]
            finished = subprocess.run(command, env=environment, capture_output=True, check=True)
        return float(json.loads(finished.stdout)["seconds"]["total"])

    def ratio(self, without: str) -> float:
        """What part of the time without it a training takes with it."""
        return statistics.median(self.seconds[""]) / statistics.median(self.seconds[without])


CASES = {
    "lecture": Case("honshi train lecture --epochs 3", ("epochs",)),
    "cnn": Case("honshi train cnn --epochs 1 --subset 24000", ("first stage", "pooling")),
    "colour": Case("benchmarks.colour", ("pooling",)),
    "colour-bfloat16": Case("benchmarks.colour --precision bfloat16", ("pooling",)),
    "fast99": Case("honshi train fast99", ("pooling",)),
    "two-processes": Case("honshi train cnn --epochs 2 --subset 24000", ("sums",), processes=2),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5, help="trainings of each (default: 5)")
    parser.add_argument("--only", metavar="NAME,NAME", help=f"some of {', '.join(CASES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(CASES)
    if unknown := [name for name in names if name not in CASES]:
        parser.error(f"no training is called {', '.join(unknown)}; there are {', '.join(CASES)}")
    if arguments.repetitions < 1:
        parser.error("--repetitions is at least 1")

    cases = {name: CASES[name] for name in names}
    for _ in range(arguments.repetitions):
        for case in cases.values():
            case.measure()
    print(f"{'training':<16}  {'without':<12}  median s     min     max   with / without")
    for name, case in cases.items():
        for part, seconds in case.seconds.items():
            ratio = f"{case.ratio(part):>15.2f}" if part else ""
            print(
                f"{name:<16}  {part or '–':<12}  {statistics.median(seconds):>8.2f}  {min(seconds):>6.2f}  "
                f"{max(seconds):>6.2f}  {ratio}"
            )
    print(f"\n{arguments.repetitions} trainings of each, in turn.\n{machine.line()}")
    if arguments.json:
        write_json(arguments.json, report(cases))


def report(cases: dict[str, Case]) -> dict[str, Any]:
    """What ``--json`` writes."""
    return {
        "machine": machine.describe(),
        "cases": {
            name: {
                "words": case.words,
                "processes": case.processes,
                "seconds": {part or "with all": seconds for part, seconds in case.seconds.items()},
                "ratios": {part: case.ratio(part) for part in case.without},
            }
            for name, case in cases.items()
        },
    }


if __name__ == "__main__":
    main()
