"""The mock exam of a finished run: what its validation images are taken for by models that did not learn from them."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn

from honshi.data import Examples, Splits
from honshi.data.manifest import short_digests
from honshi.evaluation.evaluate import infer
from honshi.evaluation.out_of_fold import OutOfFold
from honshi.models.card import needed_card
from honshi.runs import Run


def mock_exam(run: Run, model: nn.Module, splits: Splits[Examples]) -> tuple[Examples, OutOfFold]:
    """The images of the mock exam, and the answers for them.

    By folds the answers were given while the run was trained; the run's own model, which has learnt from these images,
    is not asked. Those of images that are gone are left out.

    Args:
        run: the run, its model and its data as `honshi.experiment.open_finished` gives them.

    Raises:
        ModelError: the model does not give logits; the answers of the folds are gone, or damaged.
    """
    if run.manifest.by_folds:
        images, places = answered_images(run, splits)
        return images, OutOfFold.read(run.path).subset(places)
    logits, labels = infer(model, splits.val)
    return splits.val, OutOfFold.of_one_model(logits, labels, needed_card(model).temperature)


def answered_images(run: Run, splits: Splits[Examples]) -> tuple[Examples, Tensor]:
    """The images of a run by folds that are there, and of each its place in the answers, int64 (n,)."""
    known = defaultdict[str, list[int]](list)
    for place, digest in reversed(list(enumerate(run.manifest.val_digests or ()))):
        known[digest].append(place)
    pairs = [(row, known[digest].pop()) for row, digest in enumerate(short_digests(splits.train)) if known[digest]]
    rows, places = torch.tensor(pairs, dtype=torch.int64).view(-1, 2).unbind(1)
    return splits.train.subset(rows), places
