"""Training a whole network after its head: what is kept is what is better by more than chance."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

import honshi
from honshi.data import Images
from honshi.experiment.finetune import finetune
from honshi.losses import CrossEntropy
from honshi.messages import Message
from honshi.models import Frozen
from honshi.training.distributed import ALONE


class Blind(nn.Module):
    """A backbone that sees hardly anything of a picture until it learns to."""

    features = 8

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * 64, 8)
        nn.init.normal_(self.layer.weight, std=1e-3)

    def forward(self, images: Tensor) -> Tensor:
        return torch.tanh(self.layer(images.flatten(1)))


def pictures(count: int, seed: int, random: bool = False) -> Images:
    """Light in the upper half or in the lower one; or of one class or the other by lot."""
    draws = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    pixels = torch.randint(0, 80, (count, 3, 8, 8), generator=draws, dtype=torch.uint8)
    if not random:
        for place, label in enumerate(labels.tolist()):
            pixels[place, :, 4 * label : 4 * label + 4] += 120
    return Images(pixels=pixels, labels=labels, classes=("upper", "lower"))


def experiment(random: bool = False) -> Any:
    torch.manual_seed(0)
    model = Frozen(Blind(), classes=2)
    parts = SimpleNamespace(train=pictures(160, 1, random), val=pictures(80, 2, random))
    recipe = SimpleNamespace(training=SimpleNamespace(seed=0))
    honshi.fit(model, CrossEntropy(), torch.optim.SGD(model.head.parameters(), lr=1e-6), parts.train, parts.val, 1)
    return SimpleNamespace(model=model, splits=parts, criterion=CrossEntropy(), recipe=recipe, world=ALONE)


def test_a_network_that_is_better_by_more_than_chance_is_kept() -> None:
    subject, said = experiment(), list[Message]()

    found = finetune(subject, say=said.append, on_step=lambda step: None)

    assert found.kept
    assert found.after > found.before + 0.2
    assert honshi.evaluate(subject.model, subject.splits.val).accuracy == found.after
    assert "the run keeps it" in str(found.sentence)
    # How long it may take is said before it begins.
    assert "minutes at most" in str(said[0])
    # What it is afterwards is what it was: a head on a backbone that stays as it is.
    assert subject.model.frozen
    assert not any(weight.requires_grad for weight in subject.model.backbone.parameters())


def test_one_that_is_not_leaves_everything_as_it_was() -> None:
    subject = experiment(random=True)
    before = {name: weight.clone() for name, weight in subject.model.state_dict().items()}

    found = finetune(subject, say=lambda message: None, on_step=lambda step: None)

    assert not found.kept
    assert "chance may explain" in str(found.sentence)
    assert all(torch.equal(weight, before[name]) for name, weight in subject.model.state_dict().items())
