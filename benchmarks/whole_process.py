"""From the prompt to the prompt: `honshi train` and the lecture's script, each as a whole process.

    python -m benchmarks.whole_process
    python -m benchmarks.whole_process --repetitions 1 --json whole_process.json

Both train the lecture's network for 10 epochs. honshi validates each epoch, writes every file of a run
and draws the curves; the script scores the test set each epoch and prints a line. The division differs,
as it must: honshi trains on 54,000 images and validates on 6,000, the script trains on 60,000 and
scores 10,000. The time of `honshi --help` is taken as well, and of the start of a training: a process
that ends after its first 64 steps. What is done once on a machine, compiling and the search for leaks, is
done before.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import machine
from honshi.files import write_json

ROOT = Path(__file__).parents[1]
HONSHI = [sys.executable, "-m", "honshi"]
LECTURE_SCRIPT = [sys.executable, "-m", "benchmarks.lecture_script"]
START = """
import os
from honshi.experiment import Experiment
from honshi.recipe import Recipe
Experiment.build(Recipe.read("lecture")).fit(on_step=lambda step: os._exit(0))
"""
SHORT_REPETITIONS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3, help="trainings of each (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    repetitions = arguments.repetitions
    if repetitions < 1:
        parser.error("--repetitions is at least 1")

    honshi, script = [], []
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory() as folder:
            honshi.append(seconds([*HONSHI, "train", "--out", str(Path(folder) / "run")]))
        script.append(seconds(LECTURE_SCRIPT))
    starts, helps = [], []
    for _ in range(SHORT_REPETITIONS):
        starts.append(seconds([sys.executable, "-c", START]))
        helps.append(seconds([*HONSHI, "--help"]))

    print(f"{'whole process':<24}  median s     min     max")
    print_row("honshi train", honshi)
    print_row("the lecture's script", script)
    print_row("honshi's start", starts)
    print_row("honshi --help", helps)
    ratio = statistics.median(script) / statistics.median(honshi)
    print(f"\nThe lecture's script takes {ratio:.1f} times as long as honshi train.")
    print("honshi: 10 epochs of 54,000 images, 6,000 to validate, all files, curves drawn.")
    print("Script: 10 epochs of 60,000 images, 10,000 to score.")
    print(f"Trainings of each: {repetitions}, in turn; of the start and --help: {SHORT_REPETITIONS}.\n{machine.line()}")
    if arguments.json:
        timed = {"honshi": honshi, "lecture": script, "start": starts, "help": helps}
        report = {
            "machine": machine.describe(),
            "seconds": {name: {"all": times, "median": statistics.median(times)} for name, times in timed.items()},
            "ratio": ratio,
        }
        write_json(arguments.json, report)


def seconds(command: list[str]) -> float:
    """The wall time of a process that must succeed; what it prints for people is thrown away."""
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started


def print_row(name: str, times: list[float]) -> None:
    print(f"{name:<24}  {statistics.median(times):>8.3f}  {min(times):>6.3f}  {max(times):>6.3f}")


if __name__ == "__main__":
    main()
