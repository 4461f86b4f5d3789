"""What each remedy alone gains: the order in which `honshi diagnose` names them.

    python -m benchmarks.remedies [--recipe lecture] [--subset 1000 10000] [--epochs 10 30] [--seeds 5]
        [--markdown FILE]

Each remedy is trained from the same seeds as the recipe without it, and both are scored on the validation
images, at the epoch that they keep. The test set has no part in it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.machine import line
from honshi.data import Splits
from honshi.errors import NonFiniteLossError
from honshi.evaluation.comparison import compare_recipes
from honshi.evaluation.evaluate import right_answers
from honshi.evaluation.remedies import all_remedies
from honshi.experiment import Experiment, load_splits
from honshi.files import write_whole
from honshi.recipe import Recipe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="lecture")
    parser.add_argument("--subset", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--epochs", type=int, nargs="+", default=[10, 30])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--markdown", type=Path, help="write the tables there too")
    options = parser.parse_args()
    tables = [
        table(
            Recipe.read(options.recipe).changed({"data.subset": subset, "training.epochs": epochs}),
            options.seeds,
        )
        for subset in options.subset
        for epochs in options.epochs
    ]
    text = "\n".join([*tables, line(), ""])
    print(text)
    if options.markdown:
        write_whole(options.markdown, text.encode())


def table(recipe: Recipe, seeds: int) -> str:
    """The remedies of one recipe, the largest gain first."""
    splits = load_splits(recipe)
    before = right(recipe, splits, seeds)
    rows = []
    # Of any verdict: here all of them are tried.
    for remedy in all_remedies("good-fit", recipe, len(splits.train)):
        after = right(recipe.changed(remedy.changes), splits, seeds)
        result = compare_recipes(before, after)
        rows.append((result, str(remedy.name), float(after.double().mean())))
        print(f"{remedy.name}: {100 * result.difference:+.2f} ± {100 * result.error:.2f} points", flush=True)
    rows.sort(key=lambda row: -row[0].difference)
    return "\n".join(
        [
            f"recipe `{recipe.name}`, {len(splits.train):,} training images, {recipe.training.epochs} epochs, {seeds} "
            f"seeds; without a remedy {float(before.double().mean()):.2%} of {len(splits.val):,} validation images",
            "",
            "| remedy | gain, points ± standard error | accuracy | p |",
            "|---|---|---|---|",
            *(
                f"| {name} | {100 * result.difference:+.2f} ± {100 * result.error:.2f} | {accuracy:.2%} | "
                f"{result.p_value:.2g} |"
                for result, name, accuracy in rows
            ),
            "",
        ]
    )


def right(recipe: Recipe, splits: Splits, seeds: int) -> Tensor:
    """bool (seeds, validation images): whether each seed is right; on no image where it diverged."""
    rows = []
    for seed in range(seeds):
        experiment = Experiment.build(recipe.changed({"training.seed": seed}), splits)
        try:
            experiment.fit()
        except NonFiniteLossError:
            rows.append(torch.zeros(len(splits.val), dtype=torch.bool))
            continue
        rows.append(right_answers(experiment.model, splits.val))
    return torch.stack(rows)


if __name__ == "__main__":
    main()
