"""honshi's readable loop, which `fit` takes for everything that has no faster room of its own."""

from __future__ import annotations

from collections.abc import Callable

import torch

from honshi import losses, models, optimizers
from honshi.data import Normalization, idx, mnist
from honshi.data.batches import Batches
from honshi.recipe import Recipe
from honshi.runtime import seeded
from honshi.training.epoch import train_epoch


def prepare() -> Callable[[], float]:
    recipe = Recipe.read("lecture")
    files = idx.find_files(mnist.FOLDER)
    images = idx.read_pair(files["train", "images"], files["train", "labels"], mnist.CLASSES)
    images = images.normalized_by(Normalization(mean=(0.5,), std=(0.5,)))
    with seeded(0):
        model = models.build(recipe.model, images.shape, len(images.classes))
    criterion = losses.build(recipe.loss, images.class_counts())
    optimizer = optimizers.build(recipe.optimizer, model)
    order = torch.Generator().manual_seed(0)
    batches = Batches(images, recipe.training.batch_size, shuffle=order)

    def epoch() -> float:
        loss, _ = train_epoch(model, criterion, optimizer, batches)
        return loss

    return epoch
