"""Trials a minute: `honshi tune` beside a plain loop of Optuna and PyTorch, over the same space.

    python -m benchmarks.tuning
    python -m benchmarks.tuning --minutes 1 --repetitions 1 --json tuning.json

Both search around the lecture's network on MNIST, 10 epochs a trial, and may stop trials early: honshi by
asynchronous successive halving, the plain loop by Optuna's MedianPruner. Each has the whole machine in its
turn. Counted are finished trials, complete or stopped, and the seconds of the search alone, the start of
honshi's workers included; honshi's trainings at the end are not part of it, and the plain loop has none.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import machine
from honshi.files import write_json

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Searched:
    """One search.

    Attributes:
        finished, complete: trials; those that are not complete were stopped early.
        seconds: of the search.
        best: highest validation accuracy of a complete trial, None where there is none.
    """

    finished: int
    complete: int
    seconds: float
    best: float | None

    @property
    def trials_per_minute(self) -> float:
        return 60 * self.finished / self.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3, help="of each search (default: 3)")
    parser.add_argument("--repetitions", type=int, default=3, help="searches of each (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    if arguments.repetitions < 1 or arguments.minutes <= 0:
        parser.error("--repetitions is at least 1, and --minutes above 0")

    honshi, plain = [], []
    for number in range(arguments.repetitions):
        honshi.append(search_with_honshi(arguments.minutes, seed=number))
        plain.append(search_with_optuna(arguments.minutes))

    print(f"{'trials a minute':<24}  median     min     max  complete  best accuracy")
    print_row("honshi tune", honshi)
    print_row("Optuna and PyTorch", plain)
    ratio = median_rate(honshi) / median_rate(plain)
    print(f"\nhonshi finishes {ratio:.2f} times as many trials.")
    print(f"Searches of each: {arguments.repetitions}, in turn, {arguments.minutes:g} minutes.\n{machine.line()}")
    if arguments.json:
        content = {
            "machine": machine.describe(),
            "honshi": [asdict(searched) for searched in honshi],
            "plain": [asdict(searched) for searched in plain],
            "ratio": ratio,
        }
        write_json(arguments.json, content)


def search_with_honshi(minutes: float, seed: int) -> Searched:
    """`honshi tune` as a process; what it prints for people is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "honshi", "tune", "--out", str(Path(folder) / "search")]
        command += ["--minutes", str(minutes), "--seed", str(seed), "--seeds", "2", "--json"]
        content = json.loads(run(command))
    trials = content["trials"]
    return Searched(
        finished=trials["complete"] + trials["pruned"],
        complete=trials["complete"],
        seconds=content["seconds"]["search"],
        best=content["best"]["val_accuracy"],
    )


def search_with_optuna(minutes: float) -> Searched:
    command = [sys.executable, "-m", "benchmarks.optuna_script", "--seconds", str(60 * minutes)]
    return Searched(**json.loads(run(command)))


def run(command: list[str]) -> str:
    """What a process that must succeed prints."""
    return subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    ).stdout


def median_rate(searches: list[Searched]) -> float:
    return statistics.median(searched.trials_per_minute for searched in searches)


def print_row(name: str, searches: list[Searched]) -> None:
    rates = [searched.trials_per_minute for searched in searches]
    share = sum(searched.complete for searched in searches) / sum(searched.finished for searched in searches)
    best = max((searched.best for searched in searches if searched.best is not None), default=None)
    shown = "–" if best is None else f"{best:.2%}"
    shown_rates = f"{statistics.median(rates):>6.1f}  {min(rates):>6.1f}  {max(rates):>6.1f}"
    print(f"{name:<24}  {shown_rates}  {share:>8.0%}  {shown:>13}")


if __name__ == "__main__":
    main()
