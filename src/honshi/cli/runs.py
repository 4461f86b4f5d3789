"""``honshi runs``"""

from __future__ import annotations

from typing import Any

import click

from honshi.cli.console import console, json_option, print_json


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
    for column in ("run", "data", "model", "optimizer"):
        table.add_column(column, overflow="fold")
    for column in ("epochs", "kept", "val loss", "val accuracy"):
        table.add_column(column, justify="right")
    rows: list[dict[str, Any]] = []
    for run in found:
        try:
            recipe, history = run.recipe, run.history
            kept = run.kept if history else None
        except HonshiError as error:
            rows.append({"run": str(run.path), "error": str(error)})
            table.add_row(run.name, f"[red]damaged: {error}[/red]")
            continue
        rows.append(
            {
                "run": str(run.path),
                "recipe": recipe.name,
                "data": recipe.data.source,
                "finished": run.finished,
                "epochs": len(history),
                "kept": kept.to_dict() if kept else None,
            }
        )
        table.add_row(
            run.name,
            recipe.data.source,
            recipe.model.kind,
            f"{recipe.optimizer.kind} {recipe.optimizer.lr:g}",
            f"{len(history)}/{recipe.training.epochs}" + ("" if run.finished else " unfinished"),
            str(kept.epoch) if kept else "-",
            f"{kept.val_loss:.4f}" if kept else "-",
            f"{kept.val_accuracy:.2%}" if kept else "-",
        )
    if found:
        screen.print(table)
    else:
        screen.print(f"There are no runs in {RUNS.resolve()} yet. Begin with: honshi train", soft_wrap=True)
    if as_json:
        print_json(rows)
