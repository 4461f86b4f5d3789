"""``honshi runs``"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from honshi.cli.console import console, json_option, print_json

if TYPE_CHECKING:
    from honshi.runs import Run


@click.command()
@json_option
def runs(as_json: bool) -> None:
    """All runs in ./runs, the oldest first.

    \b
    Example
      honshi runs --json
    """
    from rich.table import Table

    from honshi.errors import HonshiError
    from honshi.runs import all_runs
    from honshi.runs.folder import RUNS

    found = all_runs()
    screen = console(as_json)
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("run", no_wrap=True)
    for column in ("data", "model", "optimizer"):
        table.add_column(column)
    for column in ("epochs", "kept", "val loss", "val accuracy", "95 % interval", "n", "looks"):
        table.add_column(column, justify="right")
    rows: list[dict[str, Any]] = []
    scored: list[Run] = []
    for run in found:
        try:
            row = _row(run)
        except HonshiError as error:
            rows.append({"run": str(run.path), "error": str(error)})
            table.add_row(run.name, f"damaged: {error}")
            continue
        rows.append(row)
        epochs = f"{row['epochs']}/{run.recipe.training.epochs}" + ("" if run.finished else " unfinished")
        optimizer = f"{run.recipe.optimizer.kind} {run.recipe.optimizer.lr:g}"
        cells = [run.name, row["data"].rsplit("/", 1)[-1], run.recipe.model.described(), optimizer, epochs]
        if kept := row["kept"]:
            scored.append(run)
            lower, upper = row["interval"]
            cells += [str(kept["epoch"]), f"{kept['val_loss']:.4f}", f"{kept['val_accuracy']:.2%}"]
            cells += [f"{lower:.2%} to {upper:.2%}", f"{row['n']:,}", f"{row['looks']:,}"]
        table.add_row(*cells)
    if found:
        screen.print(table)
        for sentence in _wear(scored):
            screen.print(sentence, soft_wrap=True)
    else:
        screen.print(f"There are no runs in {RUNS.resolve()} yet. Begin with: honshi train", soft_wrap=True)
    if as_json:
        print_json(rows)


def _row(run: Run) -> dict[str, Any]:
    """What is known of a run; no score before its first epoch is over."""
    from honshi.evaluation.intervals import wilson
    from honshi.runs import looks

    row: dict[str, Any] = {
        "run": str(run.path),
        "recipe": run.recipe.name,
        "data": run.recipe.data.source,
        "finished": run.finished,
        "epochs": len(run.history),
        "kept": None,
    }
    if not row["epochs"]:
        return row
    kept, n = run.kept, run.manifest.val_size
    return row | {
        "kept": kept.to_dict(),
        "interval": wilson(round(kept.val_accuracy * n), n),
        "n": n,
        "looks": looks.count(run.manifest.val_sha256),
    }


def _wear(runs: list[Run]) -> list[str]:
    """A sentence on each validation set: how often it was looked at, and what chance made of that."""
    from honshi.runs import looks

    best: dict[str, Run] = {}
    for run in runs:
        key = looks.known_as(run.manifest.val_sha256)
        if key not in best or run.kept.val_accuracy > best[key].kept.val_accuracy:
            best[key] = run
    return [
        f"{run.manifest.source}, best {run.kept.val_accuracy:.2%} ({run.name}). "
        + str(looks.describe(key, run.manifest.val_size, run.kept.val_accuracy).sentence)
        for key, run in best.items()
    ]
