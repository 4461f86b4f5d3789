"""``honshi train``"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from honshi.cli.console import console, json_option, print_json
from honshi.cli.options import given_options, read_recipe, recipe_options

if TYPE_CHECKING:
    from rich.console import Console

    from honshi.evaluation import Row
    from honshi.experiment import Experiment
    from honshi.recipe import Options, Recipe
    from honshi.runs import Run
    from honshi.training import FitResult
    from honshi.training.distributed import World


@click.command()
@click.argument("recipe", default="lecture")
@recipe_options
@click.option("--out", type=click.Path(path_type=Path), help="The run's folder; runs/<date-time>-<recipe> if left out.")
@click.option("--seeds", type=click.IntRange(2), metavar="N", help="Train N seeds, from --seed on; mean and deviation.")
@click.option("--resume", metavar="RUN", help="Go on with a run that was interrupted.")
@json_option
def train(
    recipe: str,
    settings: tuple[str, ...],
    out: Path | None,
    seeds: int | None,
    resume: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a model into a new run folder.

    RECIPE is a built-in recipe (lecture, lecture-as-printed, lecture-table, mlp, cnn, fast99,
    fast995, best, best-fashion) or the path of a .toml file.

    \b
    Examples
      honshi train
      honshi train cnn --data fashion-mnist --epochs 5
      honshi train --hidden 256,128 --dropout 0.2 --set optimizer.momentum=0.9
      honshi train --resume latest
      torchrun --nproc-per-node 2 -m honshi train cnn --out runs/shared
    """
    started = time.perf_counter()
    # A wrong option is said before torch is loaded, which takes a second.
    chosen = read_recipe(recipe, settings, options)
    from honshi.errors import NonFiniteLossError, RequestError
    from honshi.training.distributed import joined, leave

    if resume is not None:
        given = given_options(settings, options) + (["--out"] if out else []) + (["--seeds"] if seeds else [])
        if given:
            raise RequestError(
                f"--resume goes on with the run's own recipe, so {', '.join(given)} cannot be given with it."
            )
    with joined() as world:
        if seeds is not None:
            with world.agreed():
                if world.size > 1:
                    raise RequestError(
                        "--seeds trains one seed after the other in one process: start it without torchrun."
                    )
            _train_seeds(chosen, seeds, out, as_json)
            return
        with world.agreed():
            experiment, opened = _open(chosen, out, resume, world)
        run = world.from_first(opened)
        assert run is not None  # the first process has opened one
        screen = console(as_json)
        screen.quiet = not world.first
        if world.first:
            _print_plan(screen, experiment, run)
        try:
            result = _train(screen, experiment, run)
        except KeyboardInterrupt:
            if run.state.exists():
                screen.print(f"\nStopped. Go on with: honshi train --resume {run.path}", soft_wrap=True)
            raise
        except NonFiniteLossError as error:
            if not world.first:  # the first says the same
                leave(error.exit_code)
            raise
    if world.first:
        _print_end(screen, experiment, run, result)
        if as_json:
            print_json(experiment.summary(run, result, time.perf_counter() - started))


def _open(recipe: Recipe, out: Path | None, resume: str | None, world: World) -> tuple[Experiment, Run | None]:
    """What is trained, and the folder that it goes to; of several processes the first alone opens that."""
    from honshi.errors import RunError
    from honshi.experiment import Experiment
    from honshi.runs import Run, find
    from honshi.training.distributed import launched

    if resume is not None:
        run = find(resume)
        if run.finished:
            raise RunError(f"{run.path}: this run is finished. To train longer, begin one with more --epochs.")
        return Experiment.build(run.recipe, world=world), run
    experiment = Experiment.build(recipe, world=world)
    if not world.first:
        return experiment, None
    if launched() and out is not None and (out / "recipe.toml").exists():
        # Where a process dies the launcher starts the same command again, which then goes on with its run.
        run = Run(out)
        if run.recipe == recipe and not run.finished:
            return experiment, run
    return experiment, Run.create(recipe, out)


def _train(screen: Console, experiment: Experiment, run: Run) -> FitResult:
    """Train under a live bar, with one line for each epoch above it."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    epochs, steps = experiment.recipe.training.epochs, experiment.steps_per_epoch
    done = len(run.history) if run.state.exists() else 0
    progress = Progress(
        TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        console=screen,
        transient=True,
        disable=not screen.is_terminal,
    )
    screen.print("epoch   train loss  accuracy    val loss  accuracy   seconds", style="bold")
    with progress:
        task = progress.add_task("", total=epochs * steps, completed=done * steps, epoch=done + 1, epochs=epochs)
        drawn = 0.0

        def on_step(step: int) -> None:
            nonlocal drawn
            # The screen is not redrawn more often than anyone can see.
            if (now := time.perf_counter()) - drawn > 0.1:
                drawn = now
                progress.update(task, completed=done * steps + step)

        def on_epoch(row: Row) -> None:
            nonlocal done
            done = row.epoch
            progress.update(task, completed=done * steps, epoch=min(done + 1, epochs))
            screen.print(
                f"{row.epoch:>5}   {row.train_loss:>10.4f}  {row.train_accuracy:>8.2%}  {row.val_loss:>10.4f}  "
                f"{row.val_accuracy:>8.2%}  {row.seconds:>8.2f}"
            )

        return experiment.train(run, on_epoch=on_epoch, on_step=on_step if screen.is_terminal else None)


def _train_seeds(recipe: Recipe, count: int, out: Path | None, as_json: bool) -> None:
    """One line for each seed, then what to expect of the next one."""
    from honshi.seeds import train_seeds

    screen = console(as_json)
    screen.print(f"recipe {recipe.name}, {count} seeds on the same split of {recipe.data.source}")
    screen.print(" seed  kept epoch    val loss  accuracy   seconds", style="bold")

    def on_seed(run: Run, experiment: Experiment, result: FitResult) -> None:
        seed, kept = experiment.recipe.training.seed, run.kept
        seconds = sum(result.seconds.values())
        screen.print(f"{seed:>5}  {kept.epoch:>10}  {kept.val_loss:>10.4f}  {kept.val_accuracy:>8.2%}  {seconds:>8.2f}")

    content = train_seeds(recipe, count, out, on_seed)
    loss, accuracy = content["val_loss"], content["val_accuracy"]
    screen.print(
        f"\nValidation accuracy {accuracy['mean']:.2%} ± {accuracy['deviation']:.2%} "
        f"(from {accuracy['lowest']:.2%} to {accuracy['highest']:.2%}), "
        f"loss {loss['mean']:.4f} ± {loss['deviation']:.4f}"
        f"\nFolder: {content['run']}  (curves.png with the band, seeds.json, a run for each seed)",
        soft_wrap=True,
    )
    if as_json:
        print_json(content)


def _print_plan(screen: Console, experiment: Experiment, run: Run) -> None:
    """What is about to happen."""
    from rich.table import Table

    from honshi.checks.leaks import describe
    from honshi.models import layer_table, network_in, parameter_count
    from honshi.recipe import AugmentOptions, TTAOptions

    recipe, splits = experiment.recipe, experiment.splits
    counts = splits.train.class_counts()
    named = f"{len(counts)} classes of {min(counts):,} to {max(counts):,}"
    if len(counts) <= 10:
        named = " · ".join(f"{name}: {count:,}" for name, count in zip(splits.train.classes, counts, strict=True))
    mean, std = splits.train.normalization.mean, splits.train.normalization.std
    shown = ", ".join(f"{m:.4g} ± {s:.4g}" for m, s in zip(mean, std, strict=True))
    layers = [
        f"{layer.name} {layer.kind} → {'×'.join(map(str, layer.output))}"
        + (f" ({layer.parameters:,})" if layer.parameters else "")
        for layer in layer_table(network_in(experiment.model), splits.train.shape)
    ]
    leaks = describe(experiment.leaks, "validation", len(splits.val))
    table = Table(
        show_header=False, box=None, padding=(0, 2, 0, 0), title=f"recipe {recipe.name}", title_justify="left"
    )
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(
        "data", f"{splits.manifest.source}, images {'×'.join(map(str, splits.train.shape))}, normalised by {shown}"
    )
    table.add_row("train", f"{len(splits.train):,} images: {named}")
    table.add_row("validation", f"{len(splits.val):,} images, the mock exam: as often as you like")
    table.add_row(
        "leaks", leaks + (": leaks.json, leaks.png; --drop-leaks trains without them" if experiment.leaks else "")
    )
    table.add_row("test", "sealed, the real exam: honshi test, once")
    if recipe.augment != AugmentOptions():
        table.add_row("augment", _options(recipe.augment))
    members = f"{recipe.model.members} × " if recipe.model.members > 1 else ""
    table.add_row("model", f"{members}{recipe.model.kind}, {parameter_count(experiment.model):,} parameters")
    table.add_row("", "\n".join(layers))
    if recipe.tta != TTAOptions():
        table.add_row("answers", f"the mean over copies of an image: {_options(recipe.tta)}")
    table.add_row("loss", _options(recipe.loss))
    table.add_row("optimizer", f"{_options(recipe.optimizer)}; learning rate {_options(recipe.schedule)}")
    table.add_row(
        "training",
        f"{recipe.training.epochs} epochs of {experiment.steps_per_epoch:,} steps, "
        f"batch size {recipe.training.batch_size}, seed {recipe.training.seed}{_precision(experiment)}",
    )
    if recipe.training.ema is not None:
        table.add_row("", f"scored and kept is the average of the weights, fading by {recipe.training.ema} a step")
    if recipe.training.swa is not None:
        table.add_row(
            "", f"scored and kept is the mean of the weights over the last {recipe.training.swa:.0%} of steps"
        )
    table.add_row("device", f"{experiment.device} ({run_device(experiment)})")
    screen.print(table)
    screen.print()


def run_device(experiment: Experiment) -> str:
    """The device's name and, on a CPU, the threads that compute."""
    import torch

    from honshi.runs.environment import device_name

    name = device_name(experiment.device)
    return f"{name}, {torch.get_num_threads()} threads" if experiment.device.type == "cpu" else name


def _precision(experiment: Experiment) -> str:
    """What the steps are computed in, where it is not float32."""
    import torch

    if experiment.recipe.training.precision == "float32":
        return ""
    slow = experiment.device.type == "cpu" and not torch.cpu._is_avx512_bf16_supported()
    return ", bfloat16" + (": slower than float32 on this CPU, which has no instructions for it" if slow else "")


def _options(options: Options) -> str:
    """A part of the recipe in a line: its kind, and what differs from 0, off and none."""
    values = options.model_dump()
    kind = [values.pop("kind")] if "kind" in values else []
    return " ".join([*kind, *(f"{key}={value}" for key, value in values.items() if value not in (0, False, None))])


def _print_end(screen: Console, experiment: Experiment, run: Run, result: FitResult) -> None:
    """The best epoch, what the two curves say, where everything is, and what to do next."""
    from honshi.evaluation.diagnosis import split_verdict
    from honshi.runs.folder import RUNS

    best, last = result.best, result.history[-1]
    kept = best if result.restored else last
    stopped = f" Stopped early after epoch {last.epoch}." if result.stopped_early else ""
    screen.print(
        f"\nBest epoch {best.epoch} of {last.epoch}: validation loss {best.val_loss:.4f}, accuracy "
        f"{best.val_accuracy:.2%}.{stopped} The run keeps the weights of epoch {kept.epoch}.",
        soft_wrap=True,
    )
    verdict = split_verdict(kept, len(experiment.splits.val))
    screen.print(f"{verdict[:1].upper()}{verdict[1:]}", soft_wrap=True)
    screen.print(f"Run folder: {run.path}  (curves.png, history.csv, model.safetensors, …)", soft_wrap=True)
    screen.print("\nNext")
    name = run.name if run.path.parent == RUNS else str(run.path)
    for command, purpose in (
        (f"diagnose {name}", "what the curves say, and what to try"),
        (f"validate {name}", "the mock exam: the score of each class"),
        (f"predict {name} IMAGE", "what is in an image?"),
        ("runs", "all runs side by side"),
        (f"test {name}", "the real exam: once, when you have decided"),
    ):
        screen.print(f"  honshi {command:<{len(name) + 15}}  {purpose}", soft_wrap=True)
