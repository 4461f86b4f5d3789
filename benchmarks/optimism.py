"""How much a test score flatters when the best epoch is chosen by it.

    python -m benchmarks.optimism [--seeds 10] [--epochs 20] [--data mnist fashion-mnist] [--markdown FILE]

The lecture's own loop scores the test set after each epoch, and the best of these scores is what gets
told. Here the same trainings are read twice: once so, and once as honshi does it, with the epoch chosen
on validation data and the test score of that epoch read once. To compare them this benchmark looks at
the test set after each epoch, which honshi otherwise forbids.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch

import honshi
from honshi import losses, models, optimizers
from honshi.data.sealed import unseal
from honshi.errors import DataError
from honshi.evaluation.history import Row, best_row
from honshi.files import write_whole
from honshi.recipe import Recipe

WARNING = "This reads the sealed test set after every epoch, which honshi otherwise forbids; here it is the subject."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--data", nargs="+", default=["mnist", "fashion-mnist"])
    parser.add_argument("--markdown", type=Path, help="write the table there too")
    options = parser.parse_args()
    print(WARNING)
    lines = [
        f"recipe `lecture`, {options.epochs} epochs, {options.seeds} seeds, mean ± standard deviation",
        "",
        "| data | best epoch chosen on test | sealed: chosen on validation | difference, paired |",
        "|---|---|---|---|",
    ]
    for name in options.data:
        try:
            pairs = [train(name, seed, options.epochs) for seed in range(options.seeds)]
        except DataError as error:
            print(f"{name} is left out: {error}")
            continue
        chosen_on_test, sealed = zip(*pairs, strict=True)
        difference = [on_test - honest for on_test, honest in pairs]
        lines.append(f"| {name} | {percent(chosen_on_test)} | {percent(sealed)} | {percent(difference, ' points')} |")
    table = "\n".join(lines) + "\n"
    print(table)
    if options.markdown:
        write_whole(options.markdown, table.encode())


def train(name: str, seed: int, epochs: int) -> tuple[float, float]:
    """One training: the best test accuracy of all epochs, and that of the epoch of best validation."""
    recipe = Recipe.read("lecture")
    splits = honshi.load(name, normalize=(0.5, 0.5))
    test_images = unseal(splits.test).normalized_by(splits.train.normalization)
    torch.manual_seed(seed)
    model = models.build(recipe.model, splits.train.shape, len(splits.train.classes))
    on_test: list[float] = []

    def look(row: Row) -> None:
        on_test.append(honshi.evaluate(model, test_images).accuracy)

    result = honshi.fit(
        model,
        losses.build(recipe.loss, splits.train.class_counts()),
        optimizers.build(recipe.optimizer, model),
        splits.train,
        splits.val,
        epochs,
        batch_size=recipe.training.batch_size,
        seed=seed,
        on_epoch=look,
    )
    honest = on_test[best_row(result.history).epoch - 1]
    print(f"{name} seed {seed}: chosen on test {max(on_test):.2%}, sealed {honest:.2%}", flush=True)
    return max(on_test), honest


def percent(values: tuple[float, ...] | list[float], unit: str = " %") -> str:
    return f"{100 * statistics.fmean(values):.2f} ± {100 * statistics.stdev(values):.2f}{unit}"


if __name__ == "__main__":
    main()
