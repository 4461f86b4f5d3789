"""One epoch of the lecture's training on a CUDA device: captured steps beside the readable loops.

    python -m benchmarks.gpu
    python -m benchmarks.gpu --repetitions 3 --json gpu.json

The cold time is that of the first epoch of a process, in which the device is woken, kernels are loaded and the
step is captured; the warm ones follow it. All take turns. Without a CUDA device it says so, measures nothing and
leaves with code 0. What a recipe reaches there, and in how many seconds: `python -m benchmarks.recipes fast995`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmarks import machine
from benchmarks.peers import plain_pytorch
from benchmarks.peers.honshi import parts
from honshi.files import write_json
from honshi.training.epoch import train_epoch
from honshi.training.loops.captured import captured_epochs

ROOT = Path(__file__).parents[1]
COLD_REPETITIONS = 3
NAMES = {
    "captured": "honshi, captured steps",
    "readable": "honshi, the readable loop",
    "plain": "PyTorch, plain loop on tensors on the device",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=7, help="warm epochs of each (default: 7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    parser.add_argument("--cold", choices=NAMES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("There is no CUDA device here, so nothing was measured.")
        return 0
    if arguments.cold:
        print(timed(prepare(arguments.cold)))
        return 0
    if arguments.repetitions < 1:
        parser.error("--repetitions is at least 1")

    cold = {name: [first_epoch(name) for _ in range(COLD_REPETITIONS)] for name in NAMES}
    epochs = {name: prepare(name) for name in NAMES}
    warm: dict[str, list[float]] = {name: [] for name in NAMES}
    for epoch in epochs.values():
        timed(epoch)
    for _ in range(arguments.repetitions):
        for name, epoch in epochs.items():
            warm[name].append(timed(epoch))

    print(f"{'one epoch':<46}  warm s     min     max  / captured   cold s")
    captured = statistics.median(warm["captured"])
    for name, shown in NAMES.items():
        times, median = warm[name], statistics.median(warm[name])
        print(
            f"{shown:<46}  {median:>6.4f}  {min(times):>6.4f}  {max(times):>6.4f}  {median / captured:>10.2f}  "
            f"{statistics.median(cold[name]):>7.3f}"
        )
    device = torch.cuda.get_device_name()
    print(f"\n{device}; warm: median of {arguments.repetitions}, in turn; cold: of {COLD_REPETITIONS} processes.")
    print(machine.line())
    if arguments.json:
        found: dict[str, Any] = {"device": device, "machine": machine.describe(), "warm": warm, "cold": cold}
        write_json(arguments.json, found)
    return 0


def prepare(name: str) -> Callable[[], object]:
    """What trains one epoch of the lecture's recipe on all 60,000 images, which lie on the device."""
    if name == "plain":
        return plain_pytorch.prepare("cuda")
    model, criterion, optimizer, batches = parts("cuda")
    if name == "readable":
        return lambda: train_epoch(model, criterion, optimizer, batches)
    epochs = captured_epochs(model, criterion, optimizer, batches)
    if epochs is None:
        raise RuntimeError("fit() would not capture the steps of the lecture's recipe")
    return epochs.train_epoch


def timed(epoch: Callable[[], object]) -> float:
    """Seconds of an epoch, until the device is done."""
    torch.cuda.synchronize()
    started = time.perf_counter()
    epoch()
    torch.cuda.synchronize()
    return time.perf_counter() - started


def first_epoch(name: str) -> float:
    """Seconds of the first epoch of a new process."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--cold", name]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return float(done.stdout)


if __name__ == "__main__":
    raise SystemExit(main())
