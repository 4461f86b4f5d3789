"""The process of one peer: epochs on demand.

    python -m benchmarks.worker NAME

It prepares, trains one epoch to warm up, and says "ready". For each line on stdin it trains one epoch
and answers with its seconds and its mean training loss. If the peer's library is not installed it says
"missing" and the library's name instead.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import time


def main() -> None:
    # stdout carries answers only; whatever a library prints goes to stderr.
    with contextlib.redirect_stdout(sys.stderr):
        try:
            epoch = importlib.import_module(f"benchmarks.peers.{sys.argv[1]}").prepare()
        except ModuleNotFoundError as error:
            _answer("missing", error.name)
            return
        epoch()
        _answer("ready")
        for _ in sys.stdin:
            started = time.perf_counter()
            loss = epoch()
            _answer(time.perf_counter() - started, loss)


def _answer(*values: object) -> None:
    print(*values, file=sys.__stdout__, flush=True)


if __name__ == "__main__":
    main()
