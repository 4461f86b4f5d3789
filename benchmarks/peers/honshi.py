"""honshi: what `honshi train lecture` runs, on all 60,000 images."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import Optimizer

from honshi import losses, models, optimizers
from honshi.data import Normalization, idx, mnist
from honshi.data.batches import Batches
from honshi.recipe import Recipe
from honshi.runtime import seeded, threads
from honshi.training.loops.compiled import compiled_epochs


def parts(device: str = "cpu") -> tuple[nn.Module, nn.Module, Optimizer, Batches]:
    """Model, loss, optimizer and mini-batches of the lecture's recipe, on all training images."""
    recipe = Recipe.read("lecture")
    files = idx.find_files(mnist.FOLDER)
    images = idx.read_pair(files["train", "images"], files["train", "labels"], mnist.CLASSES)
    images = images.normalized_by(Normalization(mean=(0.5,), std=(0.5,)))
    with seeded(0):
        model = models.build(recipe.model, images.shape, len(images.classes)).to(device)
    criterion = losses.build(recipe.loss, images.class_counts())
    optimizer = optimizers.build(recipe.optimizer, model)
    order = torch.Generator().manual_seed(0)
    batches = Batches(images, recipe.training.batch_size, shuffle=order, device=torch.device(device))
    return model, criterion, optimizer, batches


def prepare() -> Callable[[], float]:
    epochs = compiled_epochs(*parts())
    if epochs is None:
        raise RuntimeError("fit() would not take the compiled epochs for the lecture's recipe: is there a C compiler?")

    def epoch() -> float:
        with threads.giving_way():
            loss, _ = epochs.train_epoch()
        return loss

    return epoch
