from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.drawn import colours
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import ExponentialLR
from torch.utils.data import DataLoader, Dataset, TensorDataset

import honshi
from honshi.errors import ModelError, NonFiniteLossError, SealedError
from honshi.evaluation.evaluate import infer
from honshi.models import MLP
from honshi.models.card import Card, attach, card_of
from honshi.recipe import Recipe
from honshi.reports.curves import PARTS
from honshi.runtime import seeded
from honshi.training import EarlyStopping

criterion = nn.CrossEntropyLoss()


@pytest.fixture
def train(mnist: honshi.Splits) -> honshi.Images:
    """200 images, so that the last batch of 64 is a small one."""
    return mnist.train.subset(range(200))


@pytest.fixture
def val(mnist: honshi.Splits) -> honshi.Images:
    return mnist.val.subset(range(100))


@pytest.fixture
def confusing(val: honshi.Images) -> honshi.Images:
    """A validation set with wrong labels: the more is learnt, the larger its loss."""
    return replace(val, labels=(val.labels + 1) % 10)


def build(*, dropout: float = 0.0) -> MLP:
    torch.manual_seed(0)
    return MLP(hidden=(64,), dropout=dropout)


def sgd(model: nn.Module) -> SGD:
    return SGD(model.parameters(), lr=0.02)


def weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


def without_seconds(rows: list[honshi.Row]) -> list[honshi.Row]:
    return [replace(row, seconds=0.0) for row in rows]


# The training itself


class EnoughError(Exception):
    """Ends a training from within."""


def test_the_first_losses_of_the_lectures_recipe_on_mnist(mnist: honshi.Splits) -> None:
    losses: list[float] = []

    def recording(logits: Tensor, labels: Tensor) -> Tensor:
        loss: Tensor = criterion(logits, labels)
        losses.append(loss.item())
        return loss

    def stop(step: int) -> None:
        if step == 5:
            raise EnoughError

    recipe = Recipe.read("lecture")
    with seeded(recipe.training.seed):
        model = honshi.models.build(recipe.model, mnist.train.shape, 10)
    optimizer = honshi.optimizers.build(recipe.optimizer, model)
    with pytest.raises(EnoughError):
        honshi.fit(
            model,
            recording,
            optimizer,
            mnist.train,
            mnist.val,
            epochs=1,
            batch_size=recipe.training.batch_size,
            seed=recipe.training.seed,
            on_step=stop,
        )

    assert losses == pytest.approx([2.3114758, 2.2928061, 2.2681997, 2.2976601, 2.2673521], rel=1e-4)


def momentum(model: nn.Module) -> Optimizer:
    return SGD(model.parameters(), lr=0.02, momentum=0.9)


@pytest.mark.parametrize("optimizer_of", [momentum, lambda model: Adam(model.parameters())], ids=["momentum", "adam"])
def test_it_is_the_plain_loop_over_the_same_batches(
    train: honshi.Images, val: honshi.Images, optimizer_of: Callable[[nn.Module], Optimizer]
) -> None:
    loader, val_loader = DataLoader(train, batch_size=64), DataLoader(val, batch_size=100)
    plain = build()
    optimizer = optimizer_of(plain)
    expected = []
    for _ in range(3):
        plain.train()
        loss_sum, correct = 0.0, 0
        for inputs, labels in loader:
            optimizer.zero_grad()
            logits = plain(inputs)
            loss = criterion(logits, labels)
            loss.backward()
            optimizer.step()
            loss_sum += loss.item() * len(labels)
            correct += int((logits.argmax(1) == labels).sum())
        plain.eval()
        with torch.no_grad():
            for inputs, labels in val_loader:
                logits = plain(inputs)
                val_score = criterion(logits, labels).item(), int((logits.argmax(1) == labels).sum()) / 100
        expected.append((loss_sum / 200, correct / 200, *val_score))

    model = build()
    result = honshi.fit(model, criterion, optimizer_of(model), loader, val_loader, epochs=3, restore_best=False)

    assert torch.equal(weights(model), weights(plain))
    rows = [(row.train_loss, row.train_accuracy, row.val_loss, row.val_accuracy) for row in result.history]
    assert rows == expected


def test_images_are_seen_once_an_epoch_in_an_order_that_is_new_each_time(
    train: honshi.Images, val: honshi.Images
) -> None:
    model, seen = build(), list[Tensor]()
    model.register_forward_pre_hook(lambda model, inputs: seen.append(inputs[0]) if model.training else None)

    honshi.fit(model, criterion, sgd(model), train, val, epochs=2)

    projection = torch.rand(784, generator=torch.Generator().manual_seed(0))

    def marks(images: Tensor) -> list[float]:
        """A number for each image by which it can be told from the others."""
        numbers: list[float] = (images.flatten(1).double() @ projection.double()).tolist()
        return numbers

    own_order = marks(train.normalization(train.pixels))
    first, second = marks(torch.cat(seen[:4])), marks(torch.cat(seen[4:]))
    assert [len(batch) for batch in seen] == [64, 64, 64, 8] * 2
    assert sorted(first) == pytest.approx(sorted(own_order))
    assert sorted(second) == pytest.approx(sorted(own_order))
    assert own_order != pytest.approx(first)
    assert first != pytest.approx(second)


def test_one_batch_is_learnt_by_heart(train: honshi.Images) -> None:
    batch, model = train.subset(range(64)), build()

    result = honshi.fit(model, criterion, Adam(model.parameters(), lr=0.01), batch, batch, epochs=60)

    assert result.history[-1].train_loss < 0.01
    assert result.history[-1].train_accuracy == 1.0


def test_training_is_in_training_mode_and_validation_in_eval_mode_without_gradients(
    train: honshi.Images, val: honshi.Images
) -> None:
    class Recording(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(784, 10)
            self.seen: list[tuple[int, bool, bool]] = []

        def forward(self, images: Tensor) -> Tensor:
            logits: Tensor = self.layer(images.flatten(1))
            self.seen.append((len(images), self.training, logits.requires_grad))
            return logits

    model = Recording()

    honshi.fit(model, criterion, sgd(model), train, val, epochs=2)

    steps = [(64, True, True)] * 3 + [(8, True, True)]
    validation = [(100, False, False)]
    assert model.seen == (steps + validation) * 2


def test_a_row_holds_the_rate_of_the_epochs_first_step(train: honshi.Images, val: honshi.Images) -> None:
    model = build()
    optimizer = sgd(model)

    result = honshi.fit(
        model, criterion, optimizer, train, val, epochs=3, batch_size=100, schedule=ExponentialLR(optimizer, gamma=0.5)
    )

    assert [row.lr for row in result.history] == [pytest.approx(0.02 * 0.25**epoch) for epoch in range(3)]


def test_each_epoch_is_reported_as_it_ends(train: honshi.Images, val: honshi.Images) -> None:
    model, reported = build(), list[tuple[honshi.Row, float]]()

    def on_epoch(row: honshi.Row) -> None:
        reported.append((row, honshi.evaluate(model, val).loss))

    result = honshi.fit(model, criterion, sgd(model), train, val, epochs=3, on_epoch=on_epoch)

    assert [row for row, _ in reported] == result.history
    assert [row.epoch for row in result.history] == [1, 2, 3]
    assert [row.val_loss for row in result.history] == [pytest.approx(loss) for _, loss in reported]


def test_the_seconds_are_told_apart(train: honshi.Images, val: honshi.Images) -> None:
    model = build()

    result = honshi.fit(model, criterion, sgd(model), train, val, epochs=2)

    assert result.seconds["train"] > 0
    assert result.seconds["evaluate"] > 0
    assert sum(result.seconds.values()) == pytest.approx(sum(row.seconds for row in result.history))


def test_clipping_reaches_every_step(train: honshi.Images, val: honshi.Images) -> None:
    model = build()
    optimizer = SGD(model.parameters(), lr=1.0)
    path = [weights(model)]

    honshi.fit(
        model,
        criterion,
        optimizer,
        train,
        val,
        epochs=1,
        clip_grad_norm=0.01,
        on_step=lambda _step: path.append(weights(model)),
    )

    lengths = [(after - before).norm().item() for before, after in pairwise(path)]
    assert lengths == [pytest.approx(0.01, rel=1e-2)] * 4


def test_the_model_knows_afterwards_how_it_wants_its_images(train: honshi.Images, val: honshi.Images) -> None:
    model = build()

    honshi.fit(model, criterion, sgd(model), train, val, epochs=1)

    assert card_of(model) == Card(train.contract, train.classes)


def test_a_model_trained_anew_knows_nothing_of_what_it_was_trained_on_before(
    train: honshi.Images, val: honshi.Images
) -> None:
    model = build()
    attach(model, Card(replace(train.contract, background=1.0), ("x",), temperature=3.0))

    honshi.fit(model, criterion, sgd(model), train, val, epochs=1)
    on_images = card_of(model)
    honshi.fit(model, criterion, sgd(model), TensorDataset(train.normalization(train.pixels), train.labels), val, 1)

    assert on_images == Card(train.contract, train.classes, temperature=1.0)
    assert card_of(model) is None


def test_the_curves_can_be_drawn(train: honshi.Images, val: honshi.Images, tmp_path: Path) -> None:
    model = build()

    honshi.fit(model, criterion, sgd(model), train, val, epochs=1).plot(tmp_path / "curves.png")

    assert {colour for _, _, colour in PARTS} <= colours(tmp_path / "curves.png")


# Measuring the training images again


def test_remeasured_training_scores_are_those_of_the_finished_epoch_without_dropout(
    train: honshi.Images, val: honshi.Images
) -> None:
    model = build(dropout=0.5)

    result = honshi.fit(model, criterion, sgd(model), train, val, epochs=2, remeasure_train=True, restore_best=False)

    score = honshi.evaluate(model, train)
    assert result.history[-1].train_loss == pytest.approx(score.loss)
    assert result.history[-1].train_accuracy == pytest.approx(score.accuracy)


def test_measuring_again_changes_nothing_but_the_training_scores(train: honshi.Images, val: honshi.Images) -> None:
    once, twice = build(dropout=0.5), build(dropout=0.5)

    plain = honshi.fit(once, criterion, sgd(once), train, val, epochs=2)
    again = honshi.fit(twice, criterion, sgd(twice), train, val, epochs=2, remeasure_train=True)

    assert torch.equal(weights(once), weights(twice))
    assert again.history[-1].val_loss == plain.history[-1].val_loss
    assert again.history[-1].train_loss < plain.history[-1].train_loss


# Early stopping and the epoch that is kept


def test_it_stops_when_patience_has_run_out(train: honshi.Images, confusing: honshi.Images) -> None:
    model = build()

    result = honshi.fit(model, criterion, sgd(model), train, confusing, epochs=9, patience=2)

    assert [row.epoch for row in result.history] == [1, 2, 3]
    assert result.stopped_early


def test_it_goes_on_while_the_validation_loss_falls(train: honshi.Images, val: honshi.Images) -> None:
    model = build()

    result = honshi.fit(model, criterion, sgd(model), train, val, epochs=5, patience=1)

    assert len(result.history) == 5
    assert not result.stopped_early


def test_a_fall_by_less_than_min_delta_does_not_count(train: honshi.Images, val: honshi.Images) -> None:
    model = build()

    result = honshi.fit(
        model, criterion, sgd(model), train, val, epochs=5, patience=EarlyStopping(patience=1, min_delta=100.0)
    )

    assert [row.epoch for row in result.history] == [1, 2]
    assert result.stopped_early


def test_patience_that_runs_out_with_the_last_epoch_has_stopped_nothing(
    train: honshi.Images, confusing: honshi.Images
) -> None:
    model = build()

    result = honshi.fit(model, criterion, sgd(model), train, confusing, epochs=3, patience=2)

    assert not result.stopped_early


def test_it_ends_with_the_weights_of_the_best_epoch(train: honshi.Images, confusing: honshi.Images) -> None:
    model, after_epochs = build(), list[Tensor]()

    result = honshi.fit(
        model, criterion, sgd(model), train, confusing, epochs=3, on_epoch=lambda _: after_epochs.append(weights(model))
    )

    assert result.restored
    assert result.best.epoch == 1
    assert torch.equal(weights(model), after_epochs[0])
    assert honshi.evaluate(model, confusing).loss == pytest.approx(result.best.val_loss)


def test_or_with_those_of_the_last_epoch_where_that_is_asked_for(
    train: honshi.Images, confusing: honshi.Images
) -> None:
    model, after_epochs = build(), list[Tensor]()

    result = honshi.fit(
        model,
        criterion,
        sgd(model),
        train,
        confusing,
        epochs=3,
        restore_best=False,
        on_epoch=lambda _: after_epochs.append(weights(model)),
    )

    assert not result.restored
    assert result.best.epoch == 1
    assert torch.equal(weights(model), after_epochs[-1])


def test_the_statistics_of_batch_norm_are_restored_with_the_weights(
    train: honshi.Images, confusing: honshi.Images
) -> None:
    torch.manual_seed(0)
    model = MLP(hidden=(16,), batch_norm=True)
    after_epochs: list[Tensor] = []

    honshi.fit(
        model,
        criterion,
        sgd(model),
        train,
        confusing,
        epochs=3,
        on_epoch=lambda _: after_epochs.append(model.get_buffer("norm1.running_mean").clone()),
    )

    assert torch.equal(model.get_buffer("norm1.running_mean"), after_epochs[0])
    assert not torch.equal(after_epochs[0], after_epochs[-1])


# Randomness


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_the_same_seed_gives_the_same_weights_bit_by_bit(train: honshi.Images, val: honshi.Images, seed: int) -> None:
    models = [build(dropout=0.5), build(dropout=0.5)]
    for state, model in enumerate(models):
        torch.manual_seed(state)  # the caller's own random state has no part in it
        honshi.fit(model, criterion, sgd(model), train, val, epochs=2, seed=seed)

    assert torch.equal(weights(models[0]), weights(models[1]))


def test_another_seed_gives_other_weights(train: honshi.Images, val: honshi.Images) -> None:
    one, other = build(), build()

    honshi.fit(one, criterion, sgd(one), train, val, epochs=1, seed=1)
    honshi.fit(other, criterion, sgd(other), train, val, epochs=1, seed=2)

    assert not torch.equal(weights(one), weights(other))


def test_the_callers_random_state_is_left_alone(train: honshi.Images, val: honshi.Images) -> None:
    model = build(dropout=0.5)
    before = torch.get_rng_state()

    honshi.fit(model, criterion, sgd(model), train, DataLoader(val, shuffle=True), epochs=1)

    assert torch.equal(torch.get_rng_state(), before)


def test_the_callers_random_state_is_left_alone_when_training_breaks_off(
    train: honshi.Images, val: honshi.Images
) -> None:
    def interrupt(_step: int) -> None:
        raise KeyboardInterrupt

    model = build(dropout=0.5)
    before = torch.get_rng_state()

    with pytest.raises(KeyboardInterrupt):
        honshi.fit(model, criterion, sgd(model), train, val, epochs=1, on_step=interrupt)

    assert torch.equal(torch.get_rng_state(), before)


# What can go wrong


def test_a_loss_that_is_not_finite_names_epoch_and_step_and_spares_the_weights(val: honshi.Images) -> None:
    inputs, labels = val.normalization(val.pixels), val.labels
    model, after_steps = build(), list[Tensor]()

    def poison(_row: honshi.Row) -> None:
        inputs[45] = torch.nan  # in the fifth batch of ten, from the second epoch on

    with pytest.raises(NonFiniteLossError, match="epoch 2, step 5") as caught:
        honshi.fit(
            model,
            criterion,
            sgd(model),
            DataLoader(TensorDataset(inputs, labels), batch_size=10),
            val,
            epochs=3,
            on_epoch=poison,
            on_step=lambda _step: after_steps.append(weights(model)),
        )

    assert (caught.value.epoch, caught.value.step) == (2, 5)
    assert torch.equal(weights(model), after_steps[-1])
    assert weights(model).isfinite().all()


def test_a_validation_loss_that_is_not_finite_has_an_epoch_and_no_step(train: honshi.Images) -> None:
    broken = TensorDataset(torch.full((4, 1, 28, 28), torch.nan), torch.zeros(4, dtype=torch.int64))
    model = build()

    with pytest.raises(NonFiniteLossError, match="validation loss became nan after epoch 1") as caught:
        honshi.fit(model, criterion, sgd(model), train, broken, epochs=2)

    assert (caught.value.epoch, caught.value.step) == (1, None)


def test_a_rate_that_is_far_too_high_ends_in_that_error(train: honshi.Images, val: honshi.Images) -> None:
    model = build()

    with pytest.raises(NonFiniteLossError, match="smaller learning rate"):
        honshi.fit(model, criterion, SGD(model.parameters(), lr=1e20), train, val, epochs=5)


@pytest.mark.parametrize("part", ["train", "val"])
def test_the_sealed_test_set_is_refused(mnist: honshi.Splits, train: honshi.Images, part: str) -> None:
    model = build()
    data = {"train": train, "val": train, part: mnist.test}

    with pytest.raises(SealedError, match=part):
        honshi.fit(model, criterion, sgd(model), **data, epochs=1)  # type: ignore[arg-type]


def test_a_loader_around_the_sealed_test_set_is_refused(mnist: honshi.Splits, train: honshi.Images) -> None:
    model = build()
    loader = DataLoader(mnist.test)  # type: ignore[arg-type,var-annotated]

    with pytest.raises(SealedError, match="sealed"):
        honshi.fit(model, criterion, sgd(model), loader, train, epochs=1)


@pytest.mark.parametrize("wrong", [{"epochs": 0}, {"batch_size": 0}, {"patience": 0}], ids=str)
def test_counts_start_at_1(train: honshi.Images, val: honshi.Images, wrong: dict[str, int]) -> None:
    model = build()

    with pytest.raises(ValueError, match="at least 1"):
        honshi.fit(model, criterion, sgd(model), train, val, **{"epochs": 1, **wrong})  # type: ignore[arg-type]


def test_nothing_to_train_on_is_an_error_that_says_so(train: honshi.Images, val: honshi.Images) -> None:
    model = build()

    with pytest.raises(ModelError, match="no images"):
        honshi.fit(model, criterion, sgd(model), train.subset([]), val, epochs=1)


# Torch's own kinds of data, and the lecture's own classes and loops


def test_a_dataset_is_shuffled_and_divided_like_images(train: honshi.Images, val: honshi.Images) -> None:
    dataset = TensorDataset(train.normalization(train.pixels), train.labels)
    sizes: list[int] = []

    def history(seed: int) -> list[honshi.Row]:
        model = build()
        model.register_forward_pre_hook(lambda model, inputs: sizes.append(len(inputs[0])) if model.training else None)
        return honshi.fit(model, criterion, sgd(model), dataset, val, epochs=1, seed=seed).history

    first, second, other = history(0), history(0), history(1)

    assert sizes == [64, 64, 64, 8] * 3
    assert without_seconds(first) == without_seconds(second)
    assert first[0].train_loss != other[0].train_loss


def test_a_loader_keeps_its_own_batch_size(train: honshi.Images, val: honshi.Images) -> None:
    model, sizes = build(), list[int]()
    model.register_forward_pre_hook(lambda model, inputs: sizes.append(len(inputs[0])) if model.training else None)

    honshi.fit(model, criterion, sgd(model), DataLoader(train, batch_size=150), val, epochs=1, batch_size=64)

    assert sizes == [150, 50]


class LectureNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Linear(784, 128)
        self.layer2 = nn.Linear(128, 64)
        self.layer3 = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = x.view(-1, 784)
        x = torch.relu(self.layer1(x))
        x = torch.relu(self.layer2(x))
        logits: Tensor = self.layer3(x)
        return logits


class LectureDataset(Dataset[tuple[Tensor, int]]):
    def __init__(self, images: Tensor, labels: list[int]) -> None:
        self.images = images
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return (self.images[index] / 255 - 0.5) / 0.5, self.labels[index]


def lecture_train(model: nn.Module, loader: DataLoader[tuple[Tensor, int]], optimizer: Optimizer) -> float:
    model.train()
    total, count = 0.0, 0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(labels)
        count += len(labels)
    return total / count


def lecture_evaluate(model: nn.Module, loader: DataLoader[tuple[Tensor, int]]) -> float:
    model.eval()
    correct, count = 0, 0
    with torch.no_grad():
        for images, labels in loader:
            correct += int((model(images).argmax(dim=1) == labels).sum())
            count += len(labels)
    return correct / count


def test_the_lectures_own_loop_runs_over_the_splits(mnist: honshi.Splits) -> None:
    train_loader = DataLoader(mnist.train.subset(range(3000)), batch_size=64, shuffle=True)
    val_loader = DataLoader(mnist.val.subset(range(500)), batch_size=64)
    torch.manual_seed(0)
    model = LectureNet()
    optimizer = SGD(model.parameters(), lr=0.1)

    losses = [lecture_train(model, train_loader, optimizer) for _ in range(3)]

    assert losses == sorted(losses, reverse=True)
    assert lecture_evaluate(model, val_loader) > 0.8


def test_the_lectures_own_loop_and_fit_do_the_same_to_the_lectures_own_classes(
    train: honshi.Images, val: honshi.Images
) -> None:
    loader = DataLoader(LectureDataset(train.pixels, train.labels.tolist()), batch_size=64)
    val_dataset = LectureDataset(val.pixels, val.labels.tolist())
    torch.manual_seed(0)
    theirs = LectureNet()
    ours = copy.deepcopy(theirs)
    optimizer = SGD(theirs.parameters(), lr=0.1)

    losses = [lecture_train(theirs, loader, optimizer) for _ in range(2)]
    result = honshi.fit(ours, criterion, SGD(ours.parameters(), lr=0.1), loader, val_dataset, epochs=2)

    assert [row.train_loss for row in result.history] == losses
    assert torch.equal(weights(ours), weights(theirs))
    assert result.history[-1].val_accuracy == lecture_evaluate(theirs, DataLoader(val_dataset, batch_size=64))


def test_the_lectures_dataset_holds_what_images_hold(train: honshi.Images) -> None:
    model = LectureNet()
    lecture = LectureDataset(train.pixels, train.labels.tolist())

    torch.testing.assert_close(infer(model, lecture), infer(model, train))


# Remedies that change what a step sees or computes; the averages have tests of their own


def test_augmented_images_are_learnt_from_and_the_scores_are_of_plain_ones(
    train: honshi.Images, val: honshi.Images
) -> None:
    seen: list[Tensor] = []
    model = build()
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]) if not module.training else None)

    result = honshi.fit(
        model, criterion, sgd(model), train, val, 2, augment=honshi.Augmentation(rotate=20.0), remeasure_train=True
    )

    plain = [train.normalization(train.pixels), val.normalization(val.pixels)] * 2
    assert all(torch.equal(one, other) for one, other in zip(seen, plain, strict=True))
    assert result.history[-1].val_loss == pytest.approx(honshi.evaluate(model, val).loss)


def test_augmentation_makes_few_images_harder_to_learn_by_heart(train: honshi.Images, val: honshi.Images) -> None:
    losses = []
    for augment in (None, honshi.Augmentation(shift=0.1, rotate=10.0, elastic=2.0)):
        model = build()
        optimizer = Adam(model.parameters(), lr=0.003)
        result = honshi.fit(model, criterion, optimizer, train, val, 15, augment=augment)
        losses.append(result.history[-1].train_loss)

    assert losses[1] > 1.5 * losses[0]


@pytest.mark.parametrize(
    "remedy",
    [
        {"augment": honshi.Augmentation(shift=0.1)},
        {"augment": honshi.Augmentation(mixup=0.5)},
        {"averaging": honshi.Averaging(ema=0.9)},
        {"precision": "bfloat16"},
    ],
    ids=["shift", "mixup", "ema", "bfloat16"],
)
def test_each_of_them_is_carried_out_where_the_plain_training_has_a_faster_loop(
    train: honshi.Images, val: honshi.Images, remedy: dict[str, Any]
) -> None:
    plain, remedied = build(), build()

    honshi.fit(plain, criterion, sgd(plain), train, val, 1)
    honshi.fit(remedied, criterion, sgd(remedied), train, val, 1, **remedy)

    assert not torch.allclose(weights(remedied), weights(plain), rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(weights(remedied), weights(plain), rtol=0, atol=0.1)


def test_in_bfloat16_the_numbers_are_those_of_float32_but_for_rounding(
    train: honshi.Images, val: honshi.Images
) -> None:
    exact, rounded = build(), build()

    expected = honshi.fit(exact, criterion, sgd(exact), train, val, 3).history[-1]
    found = honshi.fit(rounded, criterion, sgd(rounded), train, val, 3, precision="bfloat16").history[-1]

    assert found.train_loss == pytest.approx(expected.train_loss, rel=0.01)
    assert found.val_loss == pytest.approx(expected.val_loss, rel=0.01)
    assert found.val_loss != expected.val_loss
    assert all(parameter.dtype == torch.float32 for parameter in rounded.parameters())


def test_a_dataset_is_not_augmented(train: honshi.Images, val: honshi.Images) -> None:
    model = build()
    data = TensorDataset(train.normalization(train.pixels), train.labels)

    with pytest.raises(TypeError, match=r"Only honshi\.Images are augmented here, .* a TensorDataset"):
        honshi.fit(model, criterion, sgd(model), data, val, 1, augment=honshi.Augmentation(shift=0.1))
