"""How far the reading of own pictures is, on stderr: a bar with rate and time left, or a line now and then."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console

from honshi.messages import said

if TYPE_CHECKING:
    from honshi.data.store import Reading
    from honshi.messages import Message

# Between two lines where no bar can be drawn.
EVERY_SECONDS = 10.0


class ReadingReport:
    """Shows a reading as it goes on; nothing where it is over at once."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.screen = Console(stderr=True, highlight=False, markup=False)
        self.bar = Progress(
            TextColumn(said("reading pictures")),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:,.0f} " + said("a second")),
            TimeRemainingColumn(),
            console=self.screen,
            transient=True,
            disable=not self.screen.is_terminal,
        )
        self.task = self.bar.add_task("", total=None, rate=0.0)
        self.said = time.perf_counter()

    def __call__(self, event: Reading | Message) -> None:
        from honshi.data.store import Reading

        if not isinstance(event, Reading):
            self.screen.print(str(event), soft_wrap=True)
        elif self.screen.is_terminal:
            self.bar.start()
            self.bar.update(self.task, completed=event.done, total=event.total, rate=event.rate)
            if event.done == event.total:
                self.bar.stop()
        elif (now := time.perf_counter()) - self.said > EVERY_SECONDS and event.seconds_left is not None:
            self.said = now
            self.screen.print(
                said(
                    "reading pictures: {done:,} of {total:,}, {rate:,.0f} a second, {left:,.0f} s left",
                    done=event.done,
                    total=event.total,
                    rate=event.rate,
                    left=event.seconds_left,
                ),
                soft_wrap=True,
            )

    def close(self) -> None:
        """Leave no bar behind, whatever has happened."""
        self.bar.stop()
