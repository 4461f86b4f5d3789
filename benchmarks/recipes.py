"""What a recipe reaches and in how many seconds of training, over seeds.

    python -m benchmarks.recipes fast99 --seeds 30
    python -m benchmarks.recipes fast99 --seeds 30 --exam

Each seed trains for the recipe's fixed number of steps and keeps its last weights. Without --exam only
validation is scored: that is what recipes are chosen by. With it, all seeds are trained first and then each
sits the sealed test set. These openings are recorded in a ledger of their own, not in yours: it is one exam of a
recipe, whose every seed counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

import honshi
from benchmarks import machine
from honshi.experiment import Experiment, load_splits
from honshi.experiment.seeds import Spread
from honshi.files import write_json
from honshi.recipe import Recipe
from honshi.runs import Run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="a built-in recipe or the path of a .toml file")
    parser.add_argument("--data", help="another data set than the recipe's")
    parser.add_argument("--precision", choices=("float32", "bfloat16", "auto"), help="another than the recipe's")
    parser.add_argument("--seeds", type=int, default=10, help="from 0 on (default: 10)")
    parser.add_argument("--exam", action="store_true", help="open the sealed test set for every seed, at the end")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers to a file as well")
    arguments = parser.parse_args()
    if arguments.seeds < 2:
        parser.error("--seeds is at least 2: of one training there is no deviation")
    recipe = Recipe.read(arguments.recipe)
    if recipe.training.restore_best:
        parser.error("a recipe that keeps its best epoch has no fixed number of steps: training.restore_best = false")
    if arguments.data:
        recipe = recipe.changed({"data.source": arguments.data})
    if arguments.precision:
        recipe = recipe.changed({"training.precision": arguments.precision})

    with tempfile.TemporaryDirectory() as folder:
        os.environ["HONSHI_HOME"] = folder
        found = measure(recipe, range(arguments.seeds), Path(folder), exam=arguments.exam)
    print(text(found))
    if arguments.json:
        write_json(arguments.json, found)


def measure(recipe: Recipe, seeds: Sequence[int], folder: Path, *, exam: bool) -> dict[str, Any]:
    """Train every seed, then score every one."""
    splits = load_splits(recipe)
    models, seconds, whole, validation, steps = [], [], [], [], 0
    for seed in seeds:
        experiment = Experiment.build(recipe.changed({"training.seed": seed}), splits)
        recipe = experiment.recipe  # with what was chosen for the first seed
        run = Run.create(recipe, folder / f"seed-{seed}")
        result = experiment.train(run)
        models.append(experiment.model)
        seconds.append(result.seconds["train"])
        whole.append(sum(result.seconds.values()))
        validation.append(result.history[-1].val_accuracy)
        steps = experiment.steps_per_epoch * len(result.history)
        print(f"seed {seed}: {seconds[-1]:.2f} s, validation {validation[-1]:.2%}", flush=True)
    found: dict[str, Any] = {
        "recipe": recipe.name,
        "data": recipe.data.source,
        "precision": recipe.training.precision,
        "seeds": len(seeds),
        "steps": steps,
        "images": len(splits.train),
        "threads": torch.get_num_threads(),
        "train_seconds": {"first": seconds[0], "median": statistics.median(seconds), **vars(Spread.of(seconds))},
        "seconds_with_validation": {"median": statistics.median(whole), **vars(Spread.of(whole))},
        "validation": vars(Spread.of(validation)),
        "machine": machine.describe(),
    }
    if exam:
        scores = [honshi.test(model, splits.test, again="every seed of a recipe sits").accuracy for model in models]
        found["test"] = vars(Spread.of(scores))
    return found


def text(found: dict[str, Any]) -> str:
    """The numbers for people."""
    seconds, whole = found["train_seconds"], found["seconds_with_validation"]
    lines = [
        f"recipe {found['recipe']} on {found['data']}: {found['steps']:,} steps over {found['images']:,} images, "
        f"{found['seeds']} seeds, {found['threads']} threads, {found['precision']}",
        f"training    median {seconds['median']:.2f} s, from {seconds['lowest']:.2f} to {seconds['highest']:.2f}; "
        f"the first, before everything was warm, {seconds['first']:.2f}; with validation after each epoch "
        f"median {whole['median']:.2f} s, at most {whole['highest']:.2f}",
    ]
    for part in ("validation", "test"):
        if part in found:
            score = found[part]
            lines.append(
                f"{part:<10}  {score['mean']:.3%} ± {score['deviation']:.3%}, "
                f"from {score['lowest']:.2%} to {score['highest']:.2%}"
            )
    return "\n".join([*lines, machine.line()])


if __name__ == "__main__":
    main()
