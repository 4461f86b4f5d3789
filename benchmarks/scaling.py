"""One process against two, one thread each: the convolutional network under `torchrun`.

    python -m benchmarks.scaling
    python -m benchmarks.scaling --repetitions 1 --epochs 2 --subset 6000 --batch-sizes 512 --json scaling.json

The two take turns. Timed are epochs, training and validation, as `history.csv` has them, but for the first one of
each training, in which libraries choose their kernels. Starting the processes is not timed: it is paid once, and the
output says what it took. A step sends 7 messages whatever its size; in the recipe's mini-batch of 128 images, which is
over in some milliseconds, they weigh four times as much as in one of 512.
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
from honshi.files import write_json

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
    parser.add_argument("--batch-sizes", default="128,512", metavar="B,B", help="over all processes (default: 128,512)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    if arguments.repetitions < 1 or arguments.epochs < 2:
        parser.error("--repetitions is at least 1, and --epochs at least 2")
    try:
        batch_sizes = [int(size) for size in arguments.batch_sizes.split(",")]
    except ValueError:
        parser.error("--batch-sizes are whole numbers with commas between them")

    teams = {size: (Team(1), Team(2)) for size in batch_sizes}
    for _ in range(arguments.repetitions):
        for size, pair in teams.items():
            for team in pair:
                team.measure(recipe(arguments.epochs, size, arguments.subset))
    print(f"{'one epoch of cnn':<24}  batch  median s     min     max  around it s")
    for size, pair in teams.items():
        for team in pair:
            name = "1 process" if team.processes == 1 else f"{team.processes} processes"
            print(
                f"{name:<24}  {size:>5}  {team.median:>8.3f}  {min(team.seconds):>6.3f}  {max(team.seconds):>6.3f}  "
                f"{statistics.median(team.around):>11.1f}"
            )
    print()
    for size, pair in teams.items():
        print(f"Batch size {size}: two processes are {speedup(pair):.2f} times as fast as one; the goal is {GOAL}.")
    timed = arguments.repetitions * (arguments.epochs - 1)
    print(f"Timed epochs of each: {timed}, one thread a process, the trainings in turn.\n{machine.line()}")
    if arguments.json:
        write_json(arguments.json, report(teams))


def recipe(epochs: int, batch_size: int, subset: int | None) -> list[str]:
    """What all of them train."""
    words = ["cnn", "--epochs", str(epochs), "--batch-size", str(batch_size), "--device", "cpu"]
    return words if subset is None else [*words, "--subset", str(subset)]


def speedup(pair: tuple[Team, Team]) -> float:
    """How many times as fast two processes are as one."""
    one, two = pair
    return one.median / two.median


def report(teams: dict[int, tuple[Team, Team]]) -> dict[str, Any]:
    """What ``--json`` writes."""
    return {
        "machine": machine.describe(),
        "batch_sizes": {
            str(size): {
                "processes": {
                    str(team.processes): {"seconds": team.seconds, "median": team.median, "around": team.around}
                    for team in pair
                },
                "speedup": speedup(pair),
            }
            for size, pair in teams.items()
        },
    }


if __name__ == "__main__":
    main()
