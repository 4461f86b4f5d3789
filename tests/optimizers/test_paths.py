"""Many regularisation paths at once are the paths that each would be alone."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from honshi.losses import CrossEntropy
from honshi.models.frozen import Head, spread
from honshi.optimizers import Path
from honshi.optimizers.paths import Paths

DECAYS = [1.0, 0.1, 0.01]


def some_features(count: int = 120, width: int = 9, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    draws = np.random.default_rng(1)
    labels = draws.integers(0, classes, count)
    features = draws.normal(size=(count, width)) * np.geomspace(1, 30, width) + labels[:, None] * np.arange(width)
    return torch.from_numpy(features).float(), torch.from_numpy(labels)


def paths(features: torch.Tensor, labels: torch.Tensor, rows: list[torch.Tensor], loss: CrossEntropy) -> Paths:
    spreads = [spread(features[some]) for some in rows]
    masses = torch.stack([loss.masses(labels, some, int(labels.max()) + 1) for some in rows])
    return Paths(features, masses, torch.stack([m for m, _ in spreads]), torch.stack([s for _, s in spreads]))


def loss_of(head: Head, features: torch.Tensor, labels: torch.Tensor, loss: CrossEntropy) -> torch.Tensor:
    value: torch.Tensor = loss(head(features), labels)
    return value


def test_each_is_what_the_optimizer_of_one_path_finds() -> None:
    features, labels = some_features()
    rows = [torch.arange(0, 80), torch.arange(40, 120), torch.arange(120)]
    loss = CrossEntropy(torch.tensor([1.0, 2.0, 0.5]), label_smoothing=0.1)

    together = list(paths(features, labels, rows, loss).walk(DECAYS))

    for number, some in enumerate(rows):
        head = Head(features.shape[1], 3)
        head.measure(features[some])
        parameters = list(head.layers.parameters())
        alone = Path(parameters[:1], parameters[1:], lr=1.0, weight_decay=DECAYS[0], fall=0.1)
        for epoch, logits in enumerate(together, start=1):
            alone.solve(partial(loss_of, head, features[some], labels[some], loss), epoch)
            expected = head(features).detach().softmax(1)
            torch.testing.assert_close(logits[number].softmax(1), expected, atol=0.02, rtol=0)


def test_each_is_what_scikit_learn_finds() -> None:
    features, labels = some_features()
    rows = torch.arange(90)
    mean, std = spread(features[rows])
    standard = ((features - mean) / std).numpy()

    *_, logits = paths(features, labels, [rows], CrossEntropy()).walk(DECAYS)

    peer = LogisticRegression(C=1 / (DECAYS[-1] * 90), max_iter=2000, tol=1e-8).fit(standard[:90], labels[:90].numpy())
    torch.testing.assert_close(
        logits[0].softmax(1), torch.from_numpy(peer.predict_proba(standard)).float(), atol=0.02, rtol=0
    )


def test_nobodys_random_numbers_are_moved() -> None:
    features, labels = some_features()
    before = torch.get_rng_state()

    list(paths(features, labels, [torch.arange(60)], CrossEntropy()).walk(DECAYS))

    assert torch.equal(before, torch.get_rng_state())
