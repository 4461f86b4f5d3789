"""Is it the same training? Validation accuracy over seeds: compiled epochs, the readable loop, plain PyTorch.

    python -m benchmarks.same_training
    python -m benchmarks.same_training --seeds 3 --epochs 2

A faster loop is worth nothing if it trains something else. Each way trains the lecture's network for the same
number of epochs of 54,000 images with the same batch size and rate, each image once an epoch, every update after
the one before; its last weights are scored on the same 6,000 validation images. honshi's two loops begin with the
same weights and see the images in the same order; plain PyTorch draws its own. The test of Welch says whether the
means differ, that of Kolmogorov and Smirnov whether the distributions do.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from scipy import stats
from torch import nn
from torch.nn.functional import cross_entropy

import honshi
from benchmarks import machine
from benchmarks.lecture_script import Net
from honshi import losses, models, optimizers
from honshi.data import Splits
from honshi.data.batches import Batches
from honshi.files import write_json
from honshi.recipe import Recipe
from honshi.runtime import seeded
from honshi.training.epoch import train_epoch
from honshi.training.loops.compiled import compiled_epochs

NAMES = {"compiled": "honshi, compiled epochs", "readable": "honshi, the readable loop", "plain": "plain PyTorch"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="trainings each way (default: 10)")
    parser.add_argument("--epochs", type=int, default=5, help="of each training (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the accuracies to a file as well")
    arguments = parser.parse_args()
    if arguments.seeds < 2 or arguments.epochs < 1:
        parser.error("--seeds is at least 2 and --epochs at least 1")

    recipe = Recipe.read("lecture")
    splits = honshi.load("mnist", normalize=(0.5, 0.5))
    ways: dict[str, Callable[[int], nn.Module]] = {
        "compiled": partial(train_ours, recipe, splits, arguments.epochs, compiled=True),
        "readable": partial(train_ours, recipe, splits, arguments.epochs, compiled=False),
        "plain": partial(train_plain, recipe, splits, arguments.epochs),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for seed in range(arguments.seeds):
        for name, train in ways.items():
            found[name].append(honshi.evaluate(train(seed), splits.val).accuracy)

    print(f"{'validation accuracy':<26}     mean  deviation  lowest  highest   Welch p      KS p")
    for name, accuracies in found.items():
        print(
            f"{NAMES[name]:<26}  {statistics.mean(accuracies):>7.3%}  {statistics.stdev(accuracies):>9.3%}  "
            f"{min(accuracies):>6.2%}  {max(accuracies):>7.2%}"
            + ("" if name == "plain" else f"  {_p_values(accuracies, found['plain'])}")
        )
    print(f"\n{arguments.seeds} seeds, {arguments.epochs} epochs; p: beside plain PyTorch.\n{machine.line()}")
    if arguments.json:
        content: dict[str, Any] = {"epochs": arguments.epochs, "accuracies": found, "machine": machine.describe()}
        write_json(arguments.json, content)


def train_ours(recipe: Recipe, splits: Splits, epochs: int, seed: int, *, compiled: bool) -> nn.Module:
    """By one of honshi's loops."""
    train = splits.train
    with seeded(seed):
        model = models.build(recipe.model, train.shape, len(train.classes))
    criterion = losses.build(recipe.loss, train.class_counts())
    optimizer = optimizers.build(recipe.optimizer, model)
    order = torch.Generator().manual_seed(seed)
    batches = Batches(train, recipe.training.batch_size, shuffle=order)
    fast = compiled_epochs(model, criterion, optimizer, batches) if compiled else None
    if compiled and fast is None:
        raise SystemExit("The compiled epochs are not to be had here: is there a C compiler?")
    for _ in range(epochs):
        if fast is not None:
            fast.train_epoch()
        else:
            train_epoch(model, criterion, optimizer, batches)
    return model


def train_plain(recipe: Recipe, splits: Splits, epochs: int, seed: int) -> nn.Module:
    """By the usual loop over tensors, with nothing of honshi in it but the pixels."""
    with seeded(seed):
        inputs = (splits.train.pixels.float() / 255 - 0.5) / 0.5
        labels = splits.train.labels
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), lr=recipe.optimizer.lr)
        for _ in range(epochs):
            for places in torch.randperm(len(labels)).split(recipe.training.batch_size):
                optimizer.zero_grad()
                cross_entropy(model(inputs[places]), labels[places]).backward()
                optimizer.step()
    return model


def _p_values(ours: list[float], plain: list[float]) -> str:
    welch = stats.ttest_ind(ours, plain, equal_var=False).pvalue
    distribution = stats.ks_2samp(ours, plain).pvalue
    return f"{welch:>8.2f}  {distribution:>8.2f}"


if __name__ == "__main__":
    main()
