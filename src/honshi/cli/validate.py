"""``honshi validate``"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from honshi.cli.console import console, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from honshi.evaluation.metrics import ClassScore


@click.command()
@click.argument("run", default="latest")
@json_option
def validate(run: str, as_json: bool) -> None:
    """The mock exam again: score a run on its validation set, as often as you like.

    It also draws, into the run's folder, which classes are taken for which (confusion.png), the
    surest mistakes (mistakes.png) and confidence against accuracy (reliability.png).

    \b
    Example
      honshi validate latest
    """
    from honshi import losses
    from honshi.evaluation.calibration import reliability
    from honshi.evaluation.evaluate import infer
    from honshi.evaluation.evaluate import score as score_answers
    from honshi.experiment import open_finished
    from honshi.prediction import temperature_of
    from honshi.reports.confusion import draw_confusion
    from honshi.reports.mistakes import draw_mistakes
    from honshi.reports.reliability import draw_reliability
    from honshi.runs import looks

    found, model, splits = open_finished(run)
    criterion = losses.build(found.recipe.loss, splits.train.class_counts())
    logits, labels = infer(model, splits.val)
    score = score_answers(logits, labels, splits.val.classes, criterion)
    looks.note(splits.manifest.val_sha256, "validate", found.name)
    wear = looks.describe(splits.manifest.val_sha256, score.n, score.accuracy)

    temperature = temperature_of(model)
    before, after = reliability(logits, labels), reliability(logits, labels, temperature)
    draw_confusion(score.confusion, splits.val.classes, found.path / "confusion.png")
    draw_mistakes(splits.val, (logits / temperature).softmax(1), found.path / "mistakes.png")
    draw_reliability(before, after, temperature, found.path / "reliability.png")

    screen = console(as_json)
    lower, upper = score.interval
    screen.print(f"Validation of {found.path}, the mock exam ({splits.manifest.source})", soft_wrap=True)
    screen.print(
        f"accuracy {score.accuracy:.2%} (95 % interval {lower:.2%} to {upper:.2%}, n = {score.n:,}), "
        f"loss {score.loss:.4f}",
        soft_wrap=True,
    )
    screen.print(
        f"calibration error {before.error:.2%}, with temperature {temperature:.3f} {after.error:.2%} "
        "(fitted on these same images)",
        soft_wrap=True,
    )
    screen.print(wear.sentence, soft_wrap=True)
    print_classes(screen, score.per_class)
    screen.print(f"Pictures: {found.path}/confusion.png, mistakes.png, reliability.png", soft_wrap=True)
    if as_json:
        print_json(
            {
                "split": "validation",
                "run": str(found.path),
                **score.to_dict(),
                "temperature": temperature,
                "calibration_error": {"before": before.error, "after": after.error},
                "looks": wear.looks,
                "optimism": wear.optimism,
            }
        )


def print_classes(screen: Console, per_class: Mapping[str, ClassScore]) -> None:
    """A table of the score of each class."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("class")
    for column in ("images", "recall", "precision"):
        table.add_column(column, justify="right")
    for name, score in per_class.items():
        ratios = ("-" if ratio is None else f"{ratio:.2%}" for ratio in (score.recall, score.precision))
        table.add_row(name, f"{score.n:,}", *ratios)
    screen.print(table)
