"""What a frozen backbone sees is computed once, kept, and given to the head in place of the images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import honshi
from honshi import features
from honshi.data import Images
from honshi.data.augment import Augmentation
from honshi.errors import RequestError
from honshi.features import Seen, at_the_head, see
from honshi.features.kept import FOLDER
from honshi.models import Frozen
from honshi.optimizers import Path as RegularisationPath
from honshi.training import distributed


class Counting(nn.Module):
    """A backbone that counts the images that it is asked about."""

    features = 6

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(-1, 1, 6 * 3).view(6, 3))

    def forward(self, images: Tensor) -> Tensor:
        Counting.seen += len(images)
        return images.mean((2, 3)) @ self.weight.T + images.amax((1, 2, 3)).unsqueeze(1)

    seen = 0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HONSHI_HOME", str(tmp_path))
    Counting.seen = 0
    return tmp_path


def coloured(count: int, seed: int = 0) -> Images:
    """Two classes, that of the redder ones and that of the others."""
    draws = np.random.default_rng(seed)
    pixels = draws.integers(0, 120, (count, 3, 8, 8), dtype=np.uint8)
    labels = draws.integers(0, 2, count)
    pixels[labels == 1, 0] += 100
    return Images(pixels=torch.from_numpy(pixels), labels=torch.from_numpy(labels), classes=("blue", "red"))


def model() -> Frozen:
    return Frozen(Counting(), classes=2, views=3)


def fit(model: Frozen, train: Images, val: Images, augment: Augmentation | None = None) -> honshi.FitResult:
    optimizer = torch.optim.AdamW(model.head.parameters(), lr=0.05)
    return honshi.fit(model, nn.CrossEntropyLoss(), optimizer, train, val, epochs=5, augment=augment)


def test_features_are_what_the_backbone_sees() -> None:
    images, frozen = coloured(40), model()
    found = see(frozen, images)
    expected = frozen.see(images.normalization(images.pixels.clone()))
    assert torch.allclose(found.values, expected, atol=1e-5)
    assert torch.equal(found.labels, images.labels)
    assert found.identity != images.identity  # another shape, though of the same images
    assert found.contract == images.contract


def test_a_second_training_asks_the_backbone_about_nothing() -> None:
    train, val = coloured(60), coloured(20, seed=1)
    first = fit(model(), train, val)
    assert Counting.seen == 80
    again = fit(model(), train, val)
    assert Counting.seen == 80
    assert len(again.history) == len(first.history) == 5
    assert first.best.val_accuracy > 0.9


def test_another_division_of_the_same_images_has_their_features() -> None:
    images = coloured(60)
    see(model(), images.subset(range(40)))
    see(model(), images.subset(range(20, 60)))
    assert Counting.seen == 60


def test_images_that_occur_twice_have_the_same_features() -> None:
    images = coloured(10)
    twice = see(model(), images.subset([3, 3, 1]))
    assert torch.equal(twice.values[0], twice.values[1])


@pytest.mark.parametrize("change", ["weights", "normalization"])
def test_another_backbone_or_contract_sees_anew(change: str) -> None:
    images, other = coloured(10), model()
    see(model(), images)
    if change == "weights":
        with torch.no_grad():
            other.backbone.weight.add_(1e-3)  # type: ignore[operator]
    else:
        images = images.normalized_by(honshi.Normalization(mean=(0.4,), std=(0.5,)))
    see(other, images)
    assert Counting.seen == 20


def test_the_label_of_an_image_may_change_without_it_being_seen_again() -> None:
    images = coloured(10)
    see(model(), images)
    see(model(), Images(pixels=images.pixels, labels=1 - images.labels, classes=images.classes))
    assert Counting.seen == 10


def test_with_augmentation_the_head_learns_from_several_views_of_each_image() -> None:
    images, augment = coloured(12), Augmentation(shift=0.3, rotate=20)
    found = see(model(), images, augment)
    assert found.values.shape == (36, 6)
    assert Counting.seen == 36
    assert torch.equal(found.labels, images.labels.repeat(3))
    assert torch.equal(found.values[:12], see(model(), images).values)
    assert not torch.equal(found.values[:12], found.values[12:24])
    assert not torch.equal(found.values[12:24], found.values[24:])
    assert torch.equal(see(model(), images, augment).values, found.values)
    assert Counting.seen == 36
    # A view follows from the image, and not from which others are seen beside it.
    alone = see(model(), images.subset([5]), augment)
    assert torch.equal(alone.values, found.values[[5, 17, 29]])


def test_several_views_are_trained_on(home: Path) -> None:
    trained = model()
    fit(trained, coloured(20), coloured(20, seed=1), Augmentation(flip=True))
    assert Counting.seen == 3 * 20 + 20


def test_it_is_told_how_far_it_has_come() -> None:
    told: list[Seen] = []
    see(model(), coloured(40), tell=told.append)
    assert [seen.done for seen in told] == [16, 32, 40]
    assert {seen.total for seen in told} == {40}
    assert told[-1].rate > 0
    assert told[-1].left == 0
    told.clear()
    see(model(), coloured(40), tell=told.append)
    assert told == []


def test_what_was_interrupted_goes_on_behind_what_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features.stage, "SECONDS", 0.0)

    def interrupt(seen: Seen) -> None:
        if seen.done == 48:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        see(model(), coloured(64), tell=interrupt)
    Counting.seen = 0
    see(model(), coloured(64))
    assert Counting.seen == 32  # the block during which it was interrupted is lost


def test_to_score_images_keeps_nothing_of_them(home: Path) -> None:
    trained, images = model(), coloured(30)
    before = honshi.evaluate(trained, images)
    assert not (home / FOLDER).exists()
    assert at_the_head(trained, images) == (trained, images)
    see(trained, images)
    Counting.seen = 0
    after = honshi.evaluate(trained, images)
    assert Counting.seen == 0
    assert after.accuracy == before.accuracy
    assert after.loss == pytest.approx(before.loss, abs=1e-5)


def test_a_damaged_file_is_computed_again(home: Path) -> None:
    see(model(), coloured(10))
    (file,) = (home / FOLDER).rglob("*.safetensors")
    file.write_bytes(file.read_bytes()[:100])
    see(model(), coloured(10))
    assert Counting.seen == 20


def test_a_home_that_cannot_be_written_to_costs_time_alone(home: Path) -> None:
    (home / FOLDER).write_text("in the way")
    assert len(see(model(), coloured(10))) == 10


def test_the_whole_model_answers_as_its_head_does_on_features() -> None:
    trained, train, val = model(), coloured(60), coloured(20, seed=1)
    result = fit(trained, train, val)
    assert not trained.training
    whole = nn.Sequential(trained)  # in which nobody finds features
    assert honshi.evaluate(whole, val).loss == pytest.approx(result.best.val_loss, abs=1e-5)
    assert honshi.predict(trained, train.pixels[0]).label == train.classes[int(train.labels[0])]


def test_an_unfrozen_backbone_is_trained_on_the_images() -> None:
    trained = model()
    trained.unfreeze()
    before = trained.backbone.weight.clone()  # type: ignore[operator]
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.1)
    honshi.fit(trained, nn.CrossEntropyLoss(), optimizer, coloured(20), coloured(10, seed=1), epochs=3)
    assert not torch.equal(before, trained.backbone.weight)  # type: ignore[arg-type]


def test_the_regularisation_path_weakens_the_decay_from_epoch_to_epoch() -> None:
    trained, train, val = model(), coloured(60), coloured(20, seed=1)
    optimizer = RegularisationPath([trained.head.layers.layer1.weight], [], lr=1.0, weight_decay=1.0, fall=0.1)  # type: ignore[list-item, union-attr]
    result = honshi.fit(trained, nn.CrossEntropyLoss(), optimizer, train, val, epochs=5)
    losses = [row.train_loss for row in result.history]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] / 2


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = distributed.World(rank=0, size=2)
    optimizer = torch.optim.SGD((trained := model()).head.parameters(), lr=0.1)
    with pytest.raises(RequestError, match="without torchrun"):
        honshi.fit(trained, nn.CrossEntropyLoss(), optimizer, coloured(8), coloured(8, 1), epochs=1, world=world)
