"""honshi: an epoch of recipe `cnn` as `fit` trains it, in float32, on all 60,000 images."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.plain_cnn import BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY
from honshi.data import Normalization, idx, mnist
from honshi.data.batches import Batches
from honshi.losses import CrossEntropy
from honshi.models import CNN
from honshi.native.layers import compiled_layers
from honshi.optimizers import build
from honshi.recipe import Recipe
from honshi.runtime import keep_freed_memory, threads
from honshi.training.epoch import train_epoch


def prepare() -> Callable[[], float]:
    torch.manual_seed(0)
    keep_freed_memory()
    files = idx.find_files(mnist.FOLDER)
    images = idx.read_pair(files["train", "images"], files["train", "labels"], mnist.CLASSES)
    images = images.normalized_by(Normalization(mean=(0.5,), std=(0.5,)))
    model = CNN()
    recipe = Recipe.read("cnn").changed({"optimizer.lr": LEARNING_RATE, "optimizer.weight_decay": WEIGHT_DECAY})
    optimizer = build(recipe.optimizer, model)
    batches = Batches(images, BATCH_SIZE, shuffle=torch.Generator().manual_seed(0))

    def epoch() -> float:
        with compiled_layers(model), threads.giving_way():
            loss, _ = train_epoch(model, CrossEntropy(), optimizer, batches)
        return loss

    return epoch
