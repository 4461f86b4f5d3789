"""``honshi runs``"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from rich.cells import cell_len

from honshi.cli.console import console, json_option, print_json
from honshi.cli.loading import loading
from honshi.messages import said, word

if TYPE_CHECKING:
    from rich.console import Console

    from honshi.actions.runs import DamagedRun, ListedRun


@click.command()
@json_option
def runs(as_json: bool) -> None:
    """All runs in ./runs, the oldest first.

    A run is running, finished, interrupted, killed (it could say nothing at its end), diverged,
    failed, or damaged. A narrow terminal shows fewer columns.

    \b
    Example
      honshi runs --json
    """
    with loading():
        from honshi.actions.runs import list_runs

    found = list_runs()
    screen = console(as_json)
    if found.runs:
        _print_runs(screen, found.runs)
    for sentence in found.sentences:
        screen.print(str(sentence), soft_wrap=not screen.is_terminal)
    if as_json:
        print_json(found.to_list)


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        name: its head.
        rank: which columns a narrow terminal does without: the highest first.
        number: set to the right.
    """

    name: str
    rank: int
    number: bool = False


COLUMNS = (
    Column(word("run"), 0),
    Column(word("state"), 0),
    Column(word("data"), 4),
    Column(word("model"), 5),
    Column(word("optimizer"), 6),
    Column(word("epochs"), 1, number=True),
    Column(word("kept"), 7, number=True),
    Column(word("val loss"), 3, number=True),
    Column(word("val accuracy"), 0, number=True),
    Column(word("95 % interval"), 2, number=True),
    Column(word("n"), 9, number=True),
    Column(word("looks"), 8, number=True),
)
GAP = 2
# Of a name and a score; whoever sees less sees a run a block.
FEWEST = 4


def _print_runs(screen: Console, found: list[ListedRun | DamagedRun]) -> None:
    """A table with the columns that there is room for, or a block for each run."""
    from rich.table import Table

    rows = [dict(zip((column.name for column in COLUMNS), _cells(one), strict=True)) for one in found]
    widths = {
        column.name: max(cell_len(said(column.name)), *(cell_len(row[column.name]) for row in rows)) + GAP
        for column in COLUMNS
    }
    shown = set(widths)
    if screen.is_terminal:
        for column in sorted(COLUMNS, key=lambda column: -column.rank):
            if sum(widths[name] for name in shown) - GAP > screen.width and column.rank:
                shown.remove(column.name)
    else:
        screen.width = max(screen.width, sum(widths.values()))
    if len(shown) < FEWEST or sum(widths[name] for name in shown) - GAP > screen.width:
        _print_blocks(screen, rows)
        return
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False)
    columns = [column for column in COLUMNS if column.name in shown]
    for column in columns:
        table.add_column(said(column.name), justify="right" if column.number else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(row[column.name] for column in columns))
    screen.print(table)


def _print_blocks(screen: Console, rows: list[dict[str, str]]) -> None:
    for row in rows:
        screen.print(row["run"], style="bold", soft_wrap=True)
        about = " ".join(row[name] for name in ("data", "model", "optimizer") if row[name])
        epochs = said(", epoch {epochs}", epochs=row["epochs"]) if row["epochs"] else ""
        score = f"{row['val accuracy']} ({row['95 % interval']})" if row["val accuracy"] else ""
        for line in (f"{row['state']}{epochs}", score, about):
            if line:
                screen.print(f"  {line}")
    screen.print()


def _cells(one: ListedRun | DamagedRun) -> list[str]:
    """The cells of a run, as many as there are columns."""
    from honshi.actions.runs import DamagedRun

    if isinstance(one, DamagedRun):
        return [one.run.name, said("damaged")] + [""] * (len(COLUMNS) - 2)
    recipe, score = one.run.recipe, one.score
    cells = [
        one.run.name,
        said(one.status.state),
        ("" if one.run.changes is None else "*") + recipe.data.source.rstrip("/").rsplit("/", 1)[-1],
        recipe.model.described(),
        f"{recipe.optimizer.kind} {recipe.optimizer.lr:g}",
        f"{one.epochs}/{recipe.training.epochs}",
    ]
    if score is None:
        return cells + [""] * (len(COLUMNS) - len(cells))
    lower, upper = score.interval
    return [
        *cells,
        str(score.kept.epoch),
        f"{score.kept.val_loss:.4f}",
        f"{score.kept.val_accuracy:.2%}",
        said("{lower:.2%} to {upper:.2%}", lower=lower, upper=upper),
        f"{score.n:,}",
        f"{score.looks:,}",
    ]
