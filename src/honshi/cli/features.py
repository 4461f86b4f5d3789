"""How far the features of a frozen backbone have come: a bar with rate and time left, and a line at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from honshi.messages import said

if TYPE_CHECKING:
    from honshi.features import Seen


class FeaturesBar:
    """Call it with each event; nothing is printed where everything is kept already."""

    def __init__(self, screen: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.screen = screen
        self.bar = Progress(
            TextColumn(said("features")),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]:.0f} " + said("images/s")),
            TimeRemainingColumn(),
            console=screen,
            transient=True,
            disable=not screen.is_terminal,
        )
        self.task = self.bar.add_task("", total=None, rate=0.0)

    def __call__(self, seen: Seen) -> None:
        if not self.bar.live.is_started:
            self.bar.reset(self.task, total=seen.total, rate=0.0)
            self.bar.start()
        self.bar.update(self.task, completed=seen.done, total=seen.total, rate=seen.rate)
        if seen.done == seen.total:
            self.stop()
            self.screen.print(
                said(
                    "The backbone has seen {total:,} images in {seconds:.1f} s ({rate:.0f} a second). What it saw is "
                    "kept.",
                    total=seen.total,
                    seconds=seen.seconds,
                    rate=seen.rate,
                ),
                soft_wrap=True,
            )

    def stop(self) -> None:
        """Take the bar from the screen."""
        self.bar.stop()
