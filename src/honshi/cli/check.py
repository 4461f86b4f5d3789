"""``honshi check``"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from honshi.cli.console import console, json_option, print_json
from honshi.cli.options import read_recipe, recipe_options

if TYPE_CHECKING:
    import torch
    from rich.console import Console
    from torch import nn
    from torch.optim import Optimizer

    from honshi.checks import Report
    from honshi.recipe import Recipe

STYLES = {"pass": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


@click.command()
@click.argument("recipe", default="lecture")
@click.option("--model", metavar="FILE.PY:NAME", help="A model of your own: a class, a function or an nn.Module.")
@click.option("--dataset", metavar="FILE.PY:NAME", help="Training data of your own: a Dataset or DataLoader.")
@click.option("--train", metavar="FILE.PY:NAME", help="train(model, loader, criterion, optimizer, device) of your own.")
@click.option("--evaluate", metavar="FILE.PY:NAME", help="evaluate(model, loader, criterion, device) of your own.")
@click.option("--apply", is_flag=True, help="Write the suggested learning rate to the recipe.")
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    default="lr-range.png",
    show_default=True,
    help="Where the picture of the learning-rate range test goes.",
)
@recipe_options
@json_option
def check(
    recipe: str,
    model: str | None,
    dataset: str | None,
    train: str | None,
    evaluate: str | None,
    apply: bool,
    picture: Path,
    settings: tuple[str, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Look for the usual mistakes before a long training: data, shapes, gradients, modes, loss, learning.

    Each line is pass, warn or fail, and says why and what to do. The exit code is 1 if something failed.
    --apply edits a recipe of your own; a built-in one is written to NAME.toml here.

    \b
    Examples
      honshi check
      honshi check cnn --data fashion-mnist
      honshi check mine.toml --apply
      honshi check --model net.py:Net
      honshi check --model net.py:Net --dataset data.py:train_set
      honshi check --train mine.py:train --evaluate mine.py:evaluate
    """
    chosen = read_recipe(recipe, settings, options)
    from honshi.checks.apply import apply_lr, recipe_file

    written = recipe_file(recipe) if apply else None
    title, report = _look(chosen, model, dataset, train, evaluate)
    screen = console(as_json)
    screen.print(title, soft_wrap=True)
    _print_report(screen, report)
    if report.lr_range is not None:
        report.lr_range.plot(picture)
        screen.print(f"Learning-rate range test: {picture}", soft_wrap=True)
    if written is not None:
        suggestion = report.lr_range.suggestion if report.lr_range is not None else None
        if suggestion is not None:
            apply_lr(written, chosen, suggestion)
            screen.print(f"{written} has the learning rate {suggestion:g} now.", soft_wrap=True)
        else:
            screen.print("There is no suggestion, so nothing was written to the recipe.", soft_wrap=True)
    if as_json:
        print_json(report.to_dict())
    if not report.passed:
        raise click.exceptions.Exit(1)


def _look(
    recipe: Recipe, model_at: str | None, dataset_at: str | None, train_at: str | None, evaluate_at: str | None
) -> tuple[str, Report]:
    """Build what a recipe asks for, with the user's own parts in place of its own, and check it."""
    from honshi.checks import check
    from honshi.checks.program import load_object, talking_to_stderr
    from honshi.errors import RequestError
    from honshi.experiment import Experiment

    functions = [load_object(at) if at is not None else None for at in (train_at, evaluate_at)]
    for at, function in zip((train_at, evaluate_at), functions, strict=True):
        if at is not None and not callable(function):
            raise RequestError(f"{at} is a {type(function).__name__} and not a function.")
    data: Any
    optimizer: Optimizer | None
    if model_at is None:
        if dataset_at is not None:
            raise RequestError("--dataset needs --model as well: a recipe builds its model for data of its own.")
        parts = Experiment.build(recipe)
        model, data, criterion, device = parts.model, parts.splits, parts.criterion, parts.device
        optimizer = parts.optimizer
    else:
        model, data, criterion, optimizer, device = _own_parts(recipe, model_at, dataset_at)
    with talking_to_stderr():
        report = check(
            model,
            data,
            criterion=criterion,
            optimizer=optimizer,
            train=functions[0],
            evaluate=functions[1],
            batch_size=recipe.training.batch_size,
            seed=recipe.training.seed,
        )
    return f"{model_at or f'recipe {recipe.name}'} on {dataset_at or recipe.data.source}, device {device}", report


def _own_parts(
    recipe: Recipe, model_at: str, dataset_at: str | None
) -> tuple[nn.Module, Any, nn.Module, Optimizer | None, torch.device]:
    """The user's own model, with data, loss and optimizer as the recipe has them."""
    from torch import nn

    from honshi import losses, optimizers
    from honshi.checks.program import load_object, make
    from honshi.errors import RequestError
    from honshi.experiment import load_splits
    from honshi.runtime import pick_device, seeded

    device = pick_device(recipe.training.device)
    with seeded(recipe.training.seed):
        model = make(load_object(model_at), model_at)
    if not isinstance(model, nn.Module):
        raise RequestError(f"{model_at} is a {type(model).__name__} and not an nn.Module, or something that makes one.")
    model = model.to(device)
    if dataset_at is None:
        data: Any = load_splits(recipe)
        criterion = losses.build(recipe.loss, data.train.class_counts()).to(device)
    else:
        data = make(load_object(dataset_at), dataset_at)
        criterion = losses.CrossEntropy(label_smoothing=recipe.loss.label_smoothing)
    # A model without parameters is told so by the checks.
    optimizer = optimizers.build(recipe.optimizer, model) if any(True for _ in model.parameters()) else None
    return model, data, criterion, optimizer, device


def _print_report(screen: Console, report: Report) -> None:
    from rich.table import Table
    from rich.text import Text

    findings = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for finding in report.findings:
        style = STYLES[finding.level]
        findings.add_row(Text(finding.level, style=style), finding.check, finding.sentence)
    screen.print(findings)
    if report.layers:
        layers = Table(box=None, padding=(0, 2, 0, 0))
        layers.add_column("layer")
        layers.add_column("kind")
        layers.add_column("output of an image", justify="right")
        layers.add_column("parameters", justify="right")
        for layer in report.layers:
            layers.add_row(layer.name, layer.kind, "×".join(map(str, layer.output)), f"{layer.parameters:,}")
        screen.print()
        screen.print(layers)
    if report.batch_sizes:
        sizes = Table(box=None, padding=(0, 2, 0, 0))
        for column in ("batch size", "µs an image", "kept for backward", "gradient noise / signal"):
            sizes.add_column(column, justify="right")
        for row in report.batch_sizes:
            sizes.add_row(
                f"{row.batch_size:,}", f"{row.microseconds:.1f}", f"{row.megabytes:.2f} MB", f"{row.noise:.2f}"
            )
        screen.print()
        screen.print(sizes)
    count = {level: sum(finding.level == level for finding in report.findings) for level in STYLES}
    outcome = "Nothing failed" if report.passed else f"{count['fail']} failed"
    warnings = f", {count['warn']} to look at" if count["warn"] else ""
    screen.print(f"\n{outcome}{warnings}.", style="bold")
