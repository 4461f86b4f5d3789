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
    from honshi.runs import all_runs, looks
    from honshi.runs.folder import RUNS

    found = all_runs()
    screen = console(as_json)
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("run", no_wrap=True)
    for column in ("data", "model", "optimizer"):
        table.add_column(column)
    for column in ("epochs", "kept", "val loss", "val accuracy", "looks"):
        table.add_column(column, justify="right")
    rows: list[dict[str, Any]] = []
    scored: list[Run] = []
    for run in found:
        try:
            recipe, history = run.recipe, run.history
            kept = run.kept if history else None
        except HonshiError as error:
            rows.append({"run": str(run.path), "error": str(error)})
            table.add_row(run.name, f"damaged: {error}")
            continue
        if kept:
            scored.append(run)
        rows.append(
            {
                "run": str(run.path),
                "recipe": recipe.name,
                "data": recipe.data.source,
                "finished": run.finished,
                "epochs": len(history),
                "kept": kept.to_dict() if kept else None,
                "looks": looks.count(run.manifest.val_sha256) if kept else 0,
            }
        )
        table.add_row(
            run.name,
            recipe.data.source.rsplit("/", 1)[-1],
            recipe.model.kind,
            f"{recipe.optimizer.kind} {recipe.optimizer.lr:g}",
            f"{len(history)}/{recipe.training.epochs}" + ("" if run.finished else " unfinished"),
            str(kept.epoch) if kept else "-",
            f"{kept.val_loss:.4f}" if kept else "-",
            f"{kept.val_accuracy:.2%}" if kept else "-",
            f"{rows[-1]['looks']:,}",
        )
    if found:
        screen.print(table)
        for sentence in _wear(scored):
            screen.print(sentence, soft_wrap=True)
    else:
        screen.print(f"There are no runs in {RUNS.resolve()} yet. Begin with: honshi train", soft_wrap=True)
    if as_json:
        print_json(rows)


def _wear(runs: list[Run]) -> list[str]:
    """A sentence on each validation set: how often it was looked at, and what chance made of that."""
    from honshi.runs import looks

    best: dict[str, Run] = {}
    for run in runs:
        key = run.manifest.val_sha256
        if key not in best or run.kept.val_accuracy > best[key].kept.val_accuracy:
            best[key] = run
    return [
        f"{run.manifest.source}, best {run.kept.val_accuracy:.2%} ({run.name}). "
        + looks.describe(key, run.manifest.val_size, run.kept.val_accuracy).sentence
        for key, run in best.items()
    ]
