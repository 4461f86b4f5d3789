"""Beside another process: what a neighbour that computes on one core makes of each command's time.

    python -m benchmarks.neighbour
    python -m benchmarks.neighbour --only cnn,mlp,pytorch-cnn --repetitions 3

The neighbour is a process that does nothing but compute, held on the last core by taskset. Everything is timed in turn,
alone and beside the neighbour, each with the threads that honshi chooses, with one for each core (OMP_NUM_THREADS
says so, as torch does by itself), and with one. Of a training its seconds are taken, of other commands those of the
whole process. Two ratios of medians say what watching the cores is worth:

    alone    honshi's choice over a thread for each core
    beside   honshi's choice over one thread

A plain training loop of PyTorch stands beside them; its own choice is a thread for each core. `improve` trains as
`train` does, for as long as its budget says, and is not timed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from benchmarks import machine, mnist
from honshi.files import write_json

ROOT = Path(__file__).parents[1]
# What is timed, by its name in the table. RUN is a run that was trained before, OUT a new folder, PICTURES a folder.
TRAININGS = {
    "lecture": ("train", "lecture", "--epochs", "10"),
    "mlp": ("train", "mlp", "--subset", "12000", "--epochs", "4"),
    "cnn": ("train", "cnn", "--subset", "12000", "--epochs", "2"),
    "fast99": ("train", "fast99", "--subset", "24000"),
    "fast995": ("train", "fast995", "--subset", "6000", "--epochs", "1"),
    "best": ("train", "best", "--subset", "6000", "--epochs", "1"),
    "best-fashion": ("train", "best-fashion", "--data", "mnist", "--subset", "6000", "--epochs", "1"),
}
OTHERS = {
    "check": ("check", "cnn"),
    "validate": ("validate", "RUN"),
    "predict": ("predict", "RUN", "PICTURES"),
    "tune": ("tune", "cnn", "--subset", "3000", "--trials", "4", "--epochs", "1", "--out", "OUT"),
}
PLAIN = {"pytorch-mlp": ("mlp", "--images", "6000"), "pytorch-cnn": ("cnn", "--images", "6000")}
NAMES = (*TRAININGS, *OTHERS, *PLAIN)
COUNT_OF_PICTURES = 2000
# Seconds by what is timed, by "alone" or "beside", and by threads: "chosen", "all" or "one".
Seconds: TypeAlias = dict[str, dict[str, dict[str, list[float]]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=3, help="of each (default: 3)")
    parser.add_argument("--only", metavar="NAME,NAME", help=f"some of {', '.join(NAMES)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(NAMES)
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if arguments.repetitions < 1:
        parser.error("--repetitions is at least 1")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HONSHI_HOME"] = str(Path(folder) / "home")
        found = measure(names, arguments.repetitions, Path(folder))
    print_table(found)
    print(f"\nMedians of {arguments.repetitions}, in turn.\n{machine.line()}")
    if arguments.json:
        write_json(arguments.json, {"machine": machine.describe(), "seconds": found, "ratios": ratios(found)})


def measure(names: list[str], repetitions: int, folder: Path) -> Seconds:
    """Time everything, each repetition once alone and once beside the neighbour."""
    if set(names) & {"validate", "predict"}:
        honshi("train", "cnn", "--subset", "1000", "--epochs", "1", "--out", str(folder / "run"))
    if "predict" in names:
        write_pictures(folder / "pictures")
    found: Seconds = {name: {where: {} for where in ("alone", "beside")} for name in names}
    for repetition in range(-1, repetitions):
        for where in ("alone", "beside"):
            with neighbour() if where == "beside" else contextlib.nullcontext():
                for name in names:
                    for threads in ("chosen", "all", "one"):
                        if (where, threads) == ("alone", "one") or (name in PLAIN and threads == "chosen"):
                            continue
                        if repetition < 0 and (where, threads) != ("alone", "all"):
                            continue  # before the first: files are read, and compiled parts made
                        seconds = timed(name, threads, folder)
                        if repetition >= 0:
                            found[name][where].setdefault(threads, []).append(seconds)
    return found


def timed(name: str, threads: str, folder: Path) -> float:
    """Seconds of a training, or of a whole process."""
    count = {"chosen": None, "all": len(os.sched_getaffinity(0)), "one": 1}[threads]
    with tempfile.TemporaryDirectory(dir=folder) as out:
        if name in PLAIN:
            return float(run([sys.executable, "-m", "benchmarks.plain_cnn", *PLAIN[name]], count))
        if name in TRAININGS:
            printed = json.loads(honshi(*TRAININGS[name], "--json", "--out", f"{out}/run", threads=count))
            return float(printed["seconds"]["train"] + printed["seconds"]["evaluate"])
        places = {"RUN": str(folder / "run"), "OUT": f"{out}/search", "PICTURES": str(folder / "pictures")}
        started = time.perf_counter()
        honshi(*(places.get(argument, argument) for argument in OTHERS[name]), threads=count, folder=Path(out))
        return time.perf_counter() - started


def honshi(*arguments: str, threads: int | None = None, folder: Path = ROOT) -> str:
    """What the command prints."""
    return run([sys.executable, "-m", "honshi", *arguments], threads, folder)


def run(command: list[str], threads: int | None, folder: Path = ROOT) -> str:
    """What a process that must succeed prints."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_", "MKL_"))}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} ended with code {ended.returncode}: {ended.stderr}")
    return ended.stdout


@contextlib.contextmanager
def neighbour() -> Iterator[None]:
    """A process that computes on the last core."""
    core = str(max(os.sched_getaffinity(0)))
    process = subprocess.Popen(["taskset", "-c", core, sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


def write_pictures(folder: Path) -> None:
    """Training images as PNG files."""
    from PIL import Image

    folder.mkdir()
    for number, pixels in enumerate(mnist.training_set()[0][:COUNT_OF_PICTURES]):
        Image.fromarray(pixels).save(folder / f"{number}.png")


def ratios(found: Seconds) -> dict[str, dict[str, float]]:
    """What honshi's choice takes over all threads alone, and over one thread beside; of PyTorch, all over one."""
    result = {}
    for name, places in found.items():
        alone, beside = (
            {threads: statistics.median(times) for threads, times in places[where].items()} for where in places
        )
        result[name] = {"beside": beside.get("chosen", beside["all"]) / beside["one"]}
        if "chosen" in alone:
            result[name]["alone"] = alone["chosen"] / alone["all"]
    return result


def print_table(found: Seconds) -> None:
    print(f"{'':<14}  {'alone: seconds':<22}  {'beside: seconds':<30}  {'ratios':<14}")
    print(f"{'':<14}  {'chosen':>10}  {'all':>10}  {'chosen':>8}  {'all':>10}  {'one':>8}  {'alone':>6}  {'beside':>6}")
    for name, ratio in ratios(found).items():
        cells = [f"{name:<14}"]
        for where, threads, width in (
            ("alone", "chosen", 10),
            ("alone", "all", 10),
            ("beside", "chosen", 8),
            ("beside", "all", 10),
            ("beside", "one", 8),
        ):
            times = found[name][where].get(threads)
            cells.append(f"{statistics.median(times):>{width}.2f}" if times else f"{'–':>{width}}")
        cells += [f"{ratio[key]:>6.2f}" if key in ratio else f"{'–':>6}" for key in ("alone", "beside")]
        print("  ".join(cells))


if __name__ == "__main__":
    main()
