"""One process against two, one thread each: the convolutional network under `torchrun`.

    python -m benchmarks.scaling
    python -m benchmarks.scaling --repetitions 1 --epochs 2 --subset 6000 --json scaling.json

The two take turns. Timed are epochs, training and validation, as `history.csv` has them, but for the first one of
each training, in which libraries choose their kernels. Starting the processes is not timed: it is paid once, and the
output says what it took.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
# Below this the second process is not worth its core.
GOAL = 1.7


@dataclass
class Team:
    """So many processes, and how long their epochs took."""

    processes: int
    seconds: list[float] = field(default_factory=list)
    around: list[float] = field(default_factory=list)

    def measure(self, recipe: list[str]) -> None:
        """Have them train once, as a user would."""
        launcher = [sys.executable] if self.processes == 1 else [*TORCHRUN, str(self.processes)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        with tempfile.TemporaryDirectory() as folder:
            command = [*launcher, "-m", "honshi", "train", *recipe, "--out", str(Path(folder) / "run"), "--json"]
            started = time.perf_counter()
            # Looks at the validation set are counted in the user's data folder; these are nobody's.
            environment["HONSHI_HOME"] = folder
            finished = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
            total = time.perf_counter() - started
        epochs = [row["seconds"] for row in json.loads(finished.stdout)["epochs"]]
        self.seconds += epochs[1:]
        self.around.append(total - sum(epochs))

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3, help="trainings of each (default: 3)")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of each training, the first not timed")
    parser.add_argument("--subset", type=int, help="train on so many images only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    if arguments.repetitions < 1 or arguments.epochs < 2:
        parser.error("--repetitions is at least 1, and --epochs at least 2")

    one, two = measure(arguments.repetitions, arguments.epochs, arguments.subset)
    print(f"{'one epoch of cnn':<24}  median s     min     max  around it s")
    for team in (one, two):
        name = "1 process" if team.processes == 1 else f"{team.processes} processes"
        print(
            f"{name:<24}  {team.median:>8.3f}  {min(team.seconds):>6.3f}  {max(team.seconds):>6.3f}  "
            f"{statistics.median(team.around):>11.1f}"
        )
    print(f"\nTwo processes are {one.median / two.median:.2f} times as fast as one; the goal is {GOAL}.")
    print(f"Timed epochs of each: {len(one.seconds)}, one thread a process, the trainings in turn.\n{machine.line()}")
    if arguments.json:
        text = json.dumps(report(one, two), indent=2, ensure_ascii=False, allow_nan=False)
        arguments.json.write_text(text + "\n", encoding="utf-8")


def measure(repetitions: int, epochs: int, subset: int | None) -> tuple[Team, Team]:
    """Time one process and two, in turn."""
    recipe = ["cnn", "--epochs", str(epochs), "--device", "cpu"]
    if subset is not None:
        recipe += ["--subset", str(subset)]
    one, two = Team(1), Team(2)
    for _ in range(repetitions):
        one.measure(recipe)
        two.measure(recipe)
    return one, two


def report(one: Team, two: Team) -> dict[str, Any]:
    """What ``--json`` writes."""
    return {
        "machine": machine.describe(),
        "processes": {
            str(team.processes): {"seconds": team.seconds, "median": team.median, "around": team.around}
            for team in (one, two)
        },
        "speedup": one.median / two.median,
    }


if __name__ == "__main__":
    main()
