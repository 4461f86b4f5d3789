"""The runs of a folder as they are now, looked at a few times a second; every open page is told what changed.

Nothing is asked of those who train: what they write into their runs is enough.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from honshi.actions.runs import DamagedRun, ListedRun, listed
from honshi.runs import Run, all_runs

# Seconds from one look at the files of the known runs to the next, and from one search for new ones to the next.
LOOK, SEARCH = 0.15, 0.6
# What is written to a page that is open and has nothing to be told, so that both ends notice a broken connection.
SIGN_OF_LIFE = 10.0
FILES = ("history.csv", "events.jsonl", "model.json", "diverged.json", "recipe.toml")
# A page that does not read what it is told is left behind; it asks for everything when it is back.
MOST_WAITING = 256

Signature = tuple[tuple[int, int] | None, ...]


class Watch:
    """Looks at the runs of a folder, and tells."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runs: dict[str, Run] = {}
        self._seen: dict[str, Signature] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self._listening: set[asyncio.Queue[str | None]] = set()

    def run_called(self, name: str) -> Run | None:
        """A run by its name, looked up among those that there are."""
        return self._runs.get(name)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What is to be said of each run, the oldest first."""
        return [self._rows[name] for name in self._runs if name in self._rows]

    async def look(self) -> None:
        """Look for as long as the lab is open."""
        searched = -SEARCH
        while True:
            started = time.monotonic()
            search = started - searched >= SEARCH
            if search:
                searched = started
            for news in await asyncio.to_thread(self.changes, search):
                self._tell(news)
            await asyncio.sleep(max(0.02, LOOK - (time.monotonic() - started)))

    def changes(self, search: bool = True) -> list[dict[str, Any]]:
        """What has changed since the last call.

        Args:
            search: for new runs too; those that train are looked at anew even where no file has changed, for a
                trainer that was killed cannot say so.
        """
        news: list[dict[str, Any]] = []
        if search:
            found = {run.name: run for run in all_runs(self.folder)}
            news += [{"event": "gone", "name": name} for name in self._runs.keys() - found.keys()]
            for name in self._runs.keys() - found.keys():
                self._seen.pop(name, None)
                self._rows.pop(name, None)
            # A run keeps what it has read, which is not what it would read now.
            self._runs = {name: self._runs.get(name, run) for name, run in found.items()}
        for name, run in list(self._runs.items()):
            signature = _signature(run.path)
            known = self._rows.get(name)
            unchanged = signature == self._seen.get(name)
            if known is not None and unchanged and not (search and known["state"] == "running"):
                continue
            self._seen[name] = signature
            row = _row(Run(run.path))
            if row != known:
                self._rows[name] = row
                news.append({"event": "run", "run": row})
        return news

    async def listen(self) -> AsyncIterator[str]:
        """All that changes from now on, as server-sent events; first everything there is."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(MOST_WAITING)
        self._listening.add(queue)
        try:
            yield _sent({"event": "runs", "runs": self.rows})
            while True:
                try:
                    news = await asyncio.wait_for(queue.get(), SIGN_OF_LIFE)
                except TimeoutError:
                    yield ": here\n\n"
                    continue
                if news is None:
                    return
                yield news
        finally:
            self._listening.discard(queue)

    def close(self) -> None:
        """Send everyone home who listens."""
        for queue in self._listening:
            _put(queue, None)

    def _tell(self, news: dict[str, Any]) -> None:
        text = _sent(news)
        for queue in self._listening:
            _put(queue, text)


def _put(queue: asyncio.Queue[str | None], text: str | None) -> None:
    if queue.full():
        while not queue.empty():
            queue.get_nowait()
        text = None
    queue.put_nowait(text)


def _sent(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False, allow_nan=False)}\n\n"


def _signature(run: Path) -> Signature:
    def of(name: str) -> tuple[int, int] | None:
        try:
            about = (run / name).stat()
        except OSError:
            return None
        return about.st_mtime_ns, about.st_size

    return tuple(of(name) for name in FILES)


def _row(run: Run) -> dict[str, Any]:
    """What a page shows of a run; the last row of its history is among it, so that a curve grows by it."""
    found: ListedRun | DamagedRun = listed(run)
    row = {**found.to_dict(), "name": run.name, "began": run.began.isoformat()}
    if isinstance(found, ListedRun):
        row["total"] = run.recipe.training.epochs
        row["last"] = found.last.to_dict() if found.last is not None else None
    return row
