"""One epoch of the lecture's training: honshi and its peers, side by side.

    python -m benchmarks.epoch
    python -m benchmarks.epoch --repetitions 3 --only honshi,jax_scan --json epoch.json
    python -m benchmarks.epoch --network cnn

Each peer has a process of its own for the whole time. They take turns, one epoch each, so that whatever
else the machine does meets all of them alike; while one trains the others wait for a line on stdin.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.peers import CONVOLUTIONAL, LIMITS, PEERS
from honshi.files import write_json

ROOT = Path(__file__).parents[1]
# Below it after two epochs or more, or a peer has not trained what the others train.
LEARNT = 0.25
# What the table calls each.
SHOWN = PEERS | CONVOLUTIONAL
# Threads may spin for some milliseconds before they sleep; the next peer starts after that.
SETTLE_SECONDS = 0.2


@dataclass
class Peer:
    """A peer and the process that trains it."""

    name: str
    process: subprocess.Popen[str]
    seconds: list[float] = field(default_factory=list)
    loss: float = math.nan

    def measure(self) -> None:
        """Have it train one epoch."""
        assert self.process.stdin is not None
        self.process.stdin.write("epoch\n")
        self.process.stdin.flush()
        seconds, loss = self.answer().split()
        self.seconds.append(float(seconds))
        self.loss = float(loss)

    def answer(self) -> str:
        """The next line it writes."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        if not line:
            raise SystemExit(f"{self.name}: its process ended with code {self.process.wait()}; see above.")
        return line

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def learnt(self) -> bool:
        return self.name in LIMITS or self.loss < LEARNT


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=7, help="epochs of each peer (default: 7)")
    parser.add_argument(
        "--network", choices=("lecture", "cnn"), default="lecture", help="of the lecture, or recipe cnn"
    )
    parser.add_argument("--only", metavar="NAME,NAME", help=f"some of {', '.join(SHOWN)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    known = PEERS if arguments.network == "lecture" else CONVOLUTIONAL
    names = arguments.only.split(",") if arguments.only else list(known)
    if unknown := [name for name in names if name not in known]:
        parser.error(f"no peer is called {', '.join(unknown)}; there are {', '.join(known)}")
    if arguments.repetitions < 1:
        parser.error("--repetitions is at least 1")

    peers, left_out = measure(names, arguments.repetitions)
    print_table(peers)
    for name, module in left_out.items():
        print(f"{SHOWN[name]} is left out: {module} is not installed (pip install 'honshi[peers]').")
    print(f"\nTimed epochs of each: {arguments.repetitions}, in turn, after one to warm up.\n{machine.line()}")
    if arguments.json:
        write_json(arguments.json, report(peers, left_out))

    failed = [peer for peer in peers if not peer.learnt]
    for peer in failed:
        print(f"{SHOWN[peer.name]} has not learnt: its training loss is {peer.loss:.4f}.", file=sys.stderr)
    return 1 if failed else 0


def measure(names: list[str], repetitions: int) -> tuple[list[Peer], dict[str, str]]:
    """Time the peers in turn; those that ran, and the module that each of the others lacks."""
    peers, left_out = [], {}
    with contextlib.ExitStack() as processes:
        for name in names:
            peer = Peer(name, processes.enter_context(start(name)))
            state, *missing = peer.answer().split()
            if state == "ready":
                peers.append(peer)
            else:
                left_out[name] = missing[0]
        for _ in range(repetitions):
            for peer in peers:
                time.sleep(SETTLE_SECONDS)
                peer.measure()
    return peers, left_out


def start(name: str) -> subprocess.Popen[str]:
    """A worker; it ends when its stdin is closed."""
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.worker", name],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def ratio(peer: Peer, peers: list[Peer]) -> float | None:
    """How many times honshi's median this peer's is; None where honshi was not timed."""
    honshi = [other.median for other in peers if other.name in ("honshi", "cnn_honshi")]
    return peer.median / honshi[0] if honshi else None


def print_table(peers: list[Peer]) -> None:
    width = max(map(len, SHOWN.values()))
    print(f"{'one epoch':<{width}}  median s     min     max  / honshi  last loss")
    for peer in sorted(peers, key=lambda peer: peer.median):
        times = ratio(peer, peers)
        shown_ratio = "–" if times is None else f"{times:.2f}"
        shown_loss = "–" if math.isnan(peer.loss) else f"{peer.loss:.4f}"
        print(
            f"{SHOWN[peer.name]:<{width}}  {peer.median:>8.3f}  {min(peer.seconds):>6.3f}  {max(peer.seconds):>6.3f}  "
            f"{shown_ratio:>8}  {shown_loss:>9}"
        )


def report(peers: list[Peer], left_out: dict[str, str]) -> dict[str, Any]:
    """What ``--json`` writes."""
    return {
        "machine": machine.describe(),
        "peers": {
            peer.name: {
                "seconds": peer.seconds,
                "median": peer.median,
                "min": min(peer.seconds),
                "max": max(peer.seconds),
                "ratio": ratio(peer, peers),
                "loss": None if math.isnan(peer.loss) else peer.loss,
            }
            for peer in peers
        },
        "left_out": left_out,
    }


if __name__ == "__main__":
    sys.exit(main())
