from __future__ import annotations

import copy
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import parametrizations, prune
from torch.optim import SGD, Adam
from torch.optim.optimizer import register_optimizer_step_pre_hook
from torch.utils.flop_counter import FlopCounterMode

import honshi
from honshi.data.batches import Batches
from honshi.errors import NonFiniteLossError
from honshi.evaluation.history import Row
from honshi.losses import CrossEntropy
from honshi.messages import Message
from honshi.models import MLP
from honshi.native.library import Library
from honshi.training.epoch import train_epoch
from honshi.training.loops.compiled import CompiledEpochs, compiled_epochs


def mlp(hidden: tuple[int, ...] = (128, 64), **options: Any) -> MLP:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return MLP(784, hidden, 10, **options)


def sgd(model: nn.Module, **options: Any) -> SGD:
    # A small rate, at which roundings stay roundings instead of growing from step to step.
    return SGD(model.parameters(), lr=0.02, **options)


def both(images: honshi.Images, hidden: tuple[int, ...], batch_size: int) -> tuple[Any, Any, MLP, MLP]:
    """One epoch by each loop, from the same weights and in the same order: what they return, and the models."""
    readable = mlp(hidden)
    compiled = copy.deepcopy(readable)
    expected = train_epoch(readable, CrossEntropy(), sgd(readable), batches_of(images, batch_size))
    found = recognised(compiled, batches_of(images, batch_size)).train_epoch()
    return expected, found, readable, compiled


def batches_of(images: honshi.Images, batch_size: int = 64) -> Batches:
    return Batches(images, batch_size, shuffle=torch.Generator().manual_seed(1))


def recognised(model: MLP, batches: Batches, optimizer: Any = None) -> CompiledEpochs:
    epochs = compiled_epochs(model, CrossEntropy(), optimizer or sgd(model), batches)
    assert epochs is not None
    return epochs


@pytest.mark.parametrize("hidden", [(128, 64), (32,), (200, 10), (40, 30, 20)])
@pytest.mark.parametrize("count", [1280, 1300], ids=["whole batches", "a small last batch"])
def test_losses_accuracies_and_weights_are_those_of_the_readable_loop(
    mnist: honshi.Splits, hidden: tuple[int, ...], count: int
) -> None:
    expected, found, readable, compiled = both(mnist.train.subset(range(count)), hidden, 64)

    assert found == pytest.approx(expected, rel=1e-4)
    for one, other in zip(readable.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 7, 64, 65, 500])
def test_so_they_are_for_any_batch_size(mnist: honshi.Splits, batch_size: int) -> None:
    expected, found, readable, compiled = both(mnist.train.subset(range(200)), (128, 64), batch_size)

    assert found == pytest.approx(expected, rel=1e-4)
    for one, other in zip(readable.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("shape", [(5, 4), (13, 17)], ids=["fewer than 64 pixels", "not a multiple of 64"])
@pytest.mark.parametrize("mean", [0.0, 0.3], ids=["black is 0", "black is below 0"])
def test_so_they_are_for_any_image_and_normalisation(shape: tuple[int, int], mean: float) -> None:
    random = torch.Generator().manual_seed(0)
    images = honshi.Images(
        pixels=torch.randint(0, 256, (150, 1, *shape), dtype=torch.uint8, generator=random),
        labels=torch.randint(0, 3, (150,), generator=random),
        classes=("a", "b", "c"),
        normalization=honshi.Normalization(mean=(mean,), std=(0.4,)),
    )
    readable = MLP(shape[0] * shape[1], (20,), 3)
    compiled = copy.deepcopy(readable)

    expected = train_epoch(readable, CrossEntropy(), sgd(readable), batches_of(images))
    found = recognised(compiled, batches_of(images)).train_epoch()

    assert found == pytest.approx(expected, rel=1e-4)
    for one, other in zip(readable.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-5)


def test_a_whole_epoch_of_mnist_ends_at_the_same_loss(mnist: honshi.Splits) -> None:
    expected, found, _, _ = both(mnist.train, (128, 64), 64)

    assert found == pytest.approx(expected, rel=1e-3)


def test_one_step_is_the_gradient_of_autograd(mnist: honshi.Splits) -> None:
    _, _, readable, compiled = both(mnist.train.subset(range(64)), (128, 64), 64)

    for one, other in zip(readable.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=2e-7)


@pytest.mark.parametrize("threads", [2, 3, 16])
def test_the_numbers_do_not_depend_on_the_threads(
    mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    def trained(count: int) -> tuple[Any, MLP]:
        model = mlp((200, 64))
        epochs = recognised(model, batches_of(mnist.train.subset(range(1300))))
        monkeypatch.setattr(epochs.timed_threads, "next", lambda: count)
        return epochs.train_epoch(), model

    (alone, first), (together, second) = trained(1), trained(threads)

    assert together == alone
    assert all(torch.equal(one, other) for one, other in zip(first.parameters(), second.parameters(), strict=True))


@pytest.mark.skipif(platform.machine() != "x86_64" or not shutil.which("gcc"), reason="only gcc for x86-64 does so")
def test_nor_where_the_compiler_would_leave_products_apart_in_some_of_the_loops(tmp_path: Path) -> None:
    compiler = "gcc -mtune=znver3 --param=avoid-fma-max-bits=512"
    same = f"{__file__}::{test_the_numbers_do_not_depend_on_the_threads.__name__}"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "it"), same]

    done = subprocess.run(command, env=os.environ | {"CC": compiler}, capture_output=True, text=True, check=False)

    assert "3 passed" in done.stdout, done.stdout


def test_epochs_go_on_from_one_another(mnist: honshi.Splits) -> None:
    model, batches = mlp(), batches_of(mnist.train.subset(range(2000)))
    epochs = recognised(model, batches)

    losses = [epochs.train_epoch(epoch=epoch)[0] for epoch in (1, 2, 3)]

    assert losses[0] > losses[1] > losses[2]


def test_weights_that_were_changed_between_epochs_are_taken_up(mnist: honshi.Splits) -> None:
    images = mnist.train.subset(range(640))
    model, fresh = mlp(), mlp()
    epochs = recognised(model, batches_of(images))
    first = epochs.train_epoch()
    model.load_state_dict(fresh.state_dict())
    epochs.batches.shuffle = torch.Generator().manual_seed(1)

    assert epochs.train_epoch() == first


def test_the_learning_rate_is_the_optimizers(mnist: honshi.Splits) -> None:
    model = mlp()
    before = copy.deepcopy(model.state_dict())
    optimizer = sgd(model)
    epochs = recognised(model, Batches(mnist.train.subset(range(100)), 50), optimizer)
    optimizer.param_groups[0]["lr"] = 0.0

    epochs.train_epoch()

    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_a_loss_that_is_not_finite_stops_before_the_step(mnist: honshi.Splits) -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), lr=1e30)
    epochs = recognised(model, Batches(mnist.train.subset(range(6400)), 64), optimizer)

    with pytest.raises(NonFiniteLossError) as raised:
        epochs.train_epoch(epoch=3)

    assert (raised.value.epoch, raised.value.step) == (3, 2)
    one_step = mlp()
    recognised(one_step, Batches(mnist.train.subset(range(64)), 64), SGD(one_step.parameters(), lr=1e30)).train_epoch()
    assert all(torch.equal(one, other) for one, other in zip(model.parameters(), one_step.parameters(), strict=True))


def test_it_tells_how_far_it_is(mnist: honshi.Splits) -> None:
    told: list[int] = []

    recognised(mlp(), Batches(mnist.train.subset(range(1000)), 10)).train_epoch(on_step=told.append)

    assert told == [64, 100]


def test_it_knows_the_lectures_case(mnist: honshi.Splits) -> None:
    model, batches = mlp(), batches_of(mnist.train.subset(range(100)))

    assert compiled_epochs(model, nn.CrossEntropyLoss(), sgd(model), batches)
    assert compiled_epochs(
        model, CrossEntropy(), honshi.optimizers.build(honshi.Recipe.read("lecture").optimizer, model), batches
    )


class Subclass(MLP):
    def forward(self, images: Tensor) -> Tensor:
        return -super().forward(images)


# Takes a model whose layers are no more than modules to the type checker.
Change = Callable[[Any], Any]
DEEP = (64, 64, 64)


def tie(model: Any) -> None:
    model.layer3.weight, model.layer3.bias = model.layer2.weight, model.layer2.bias


def share_memory_of_weights(model: Any) -> None:
    model.layer3.weight.data = model.layer2.weight.data


def overlap(model: Any) -> None:
    whole = torch.cat([model.layer2.weight.detach(), model.layer3.weight.detach()[1:]])
    model.layer2.weight.data, model.layer3.weight.data = whole[:64], whole[63:]


def use_a_layer_twice(model: Any) -> None:
    model.layer3 = model.layer2


def give_the_model_a_forward(model: Any) -> None:
    given = model.forward
    model.forward = lambda images: given(images) * 0.5


def give_a_layer_a_forward(model: Any) -> None:
    given = model.layer1.forward
    model.layer1.forward = lambda images: given(images) * 0.5


def hook_a_layer(model: Any) -> None:
    model.layer2.register_forward_hook(lambda layer, inputs, outputs: outputs * 0.5)


def hook_what_goes_into_a_layer(model: Any) -> None:
    model.layer2.register_forward_pre_hook(lambda layer, inputs: (inputs[0] * 0.5,))


def hook_a_layer_backward(model: Any) -> None:
    model.layer2.register_full_backward_pre_hook(lambda layer, gradients: (0.5 * gradients[0],))


def hook_a_weight(model: Any) -> None:
    model.layer2.weight.register_hook(lambda gradient: gradient * 0.5)


def hook_what_a_weight_has_added_up(model: Any) -> None:
    def halve(weight: Any) -> None:
        weight.grad.mul_(0.5)

    model.layer2.weight.register_post_accumulate_grad_hook(halve)


def hook_all_modules(model: Any) -> Any:
    return register_module_forward_hook(
        lambda module, inputs, outputs: outputs * 0.5 if isinstance(module, nn.Linear) else None
    )


def hook_all_optimizers(model: Any) -> Any:
    def halve(optimizer: Any, arguments: Any, named: Any) -> None:
        for parameter in optimizer.param_groups[0]["params"]:
            parameter.grad.mul_(0.5)

    return register_optimizer_step_pre_hook(halve)


def parametrize_a_weight(model: Any) -> None:
    parametrizations.weight_norm(model.layer2)


def prune_a_weight(model: Any) -> None:
    prune.l1_unstructured(model.layer2, "weight", amount=0.5)


def leave_a_bias_out(model: Any) -> None:
    model.layer2 = nn.Linear(64, 64, bias=False)


def put_another_layer_in(model: Any) -> None:
    model.layer2 = nn.Sequential(nn.Linear(64, 64), nn.Tanh())


def leave_a_layer_out(model: Any) -> None:
    model.depth -= 1
    model.layer3 = nn.Linear(64, 10)
    del model.layer4


def add_a_weight(model: Any) -> None:
    model.scale = nn.Parameter(torch.ones(()))


def add_dropout(model: Any) -> None:
    model.dropout = nn.Dropout(0.5)


def make_it_a_subclass(model: Any) -> None:
    model.__class__ = Subclass


def freeze_a_layer(model: Any) -> None:
    model.layer1.requires_grad_(False)


def share_with_other_processes(model: Any) -> None:
    model.share_memory()


CHANGES: list[Change] = [
    tie,
    share_memory_of_weights,
    overlap,
    use_a_layer_twice,
    give_the_model_a_forward,
    give_a_layer_a_forward,
    hook_a_layer,
    hook_what_goes_into_a_layer,
    hook_a_layer_backward,
    hook_a_weight,
    hook_what_a_weight_has_added_up,
    hook_all_modules,
    hook_all_optimizers,
    parametrize_a_weight,
    prune_a_weight,
    leave_a_bias_out,
    put_another_layer_in,
    add_a_weight,
    add_dropout,
    make_it_a_subclass,
    freeze_a_layer,
    share_with_other_processes,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_model_that_computes_anything_else_is_left_to_the_readable_loop(mnist: honshi.Splits, change: Change) -> None:
    model, batches = mlp(DEEP), batches_of(mnist.train.subset(range(100)))
    assert compiled_epochs(model, CrossEntropy(), sgd(model), batches)

    hook = change(model)
    try:
        assert not compiled_epochs(model, CrossEntropy(), sgd(model), batches)
    finally:
        if hook is not None:
            hook.remove()


@pytest.mark.parametrize(
    "change", [change for change in CHANGES if change is not add_dropout], ids=lambda change: change.__name__
)
def test_fit_trains_such_a_model_as_the_readable_loop_does(mnist: honshi.Splits, change: Change) -> None:
    images = mnist.train.subset(range(300))

    def losses(fit: bool) -> list[float]:
        model = mlp(DEEP)
        torch.manual_seed(0)  # for layers that are made anew
        hook = change(model)
        optimizer = sgd(model)
        try:
            if fit:
                return [
                    row.train_loss for row in honshi.fit(model, CrossEntropy(), optimizer, images, images, 1).history
                ]
            shuffle = torch.Generator().manual_seed(1)
            return [train_epoch(model, CrossEntropy(), optimizer, Batches(images, 64, shuffle=shuffle))[0]]
        finally:
            if hook is not None:
                hook.remove()

    assert losses(fit=True) == losses(fit=False)


@pytest.mark.parametrize(
    "make",
    [
        lambda: mlp(dropout=0.5),
        lambda: mlp(batch_norm=True),
        lambda: mlp().double(),
        lambda: mlp(()),
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),
    ],
    ids=["dropout", "batch norm", "double", "no hidden layer", "another module"],
)
def test_it_leaves_other_models_to_the_readable_loop(mnist: honshi.Splits, make: Callable[[], nn.Module]) -> None:
    model = make()

    assert not compiled_epochs(model, CrossEntropy(), sgd(model), batches_of(mnist.train.subset(range(100))))


def test_what_a_model_says_of_itself_is_not_believed(mnist: honshi.Splits) -> None:
    images = mnist.train.subset(range(100))
    model = MLP(784, (8,), 10**6)
    model.layer2 = nn.Linear(8, 2)
    assert not compiled_epochs(model, CrossEntropy(), sgd(model), batches_of(images))

    model.architecture["inputs"] = 5
    model.layer2 = nn.Linear(8, 10)
    assert compiled_epochs(model, CrossEntropy(), sgd(model), batches_of(images))


def test_a_class_whose_forward_was_replaced_is_not_believed(
    mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batches = mlp(), batches_of(mnist.train.subset(range(100)))
    monkeypatch.setattr(nn.Linear, "forward", lambda layer, inputs: inputs @ layer.weight.t())

    assert not compiled_epochs(model, CrossEntropy(), sgd(model), batches)


@pytest.mark.parametrize("label", [-1, 10, 10**6])
def test_labels_that_are_no_output_are_left_to_the_readable_loop(mnist: honshi.Splits, label: int) -> None:
    model, batches = mlp(), batches_of(mnist.train.subset(range(100)))
    batches.labels = batches.labels.clone()
    batches.labels[3] = label

    assert not compiled_epochs(model, CrossEntropy(), sgd(model), batches)


@pytest.mark.parametrize("around", [torch.autocast("cpu", torch.bfloat16), FlopCounterMode(display=False)])
def test_within_what_changes_or_watches_operations_the_readable_loop_runs(
    mnist: honshi.Splits, around: AbstractContextManager[Any]
) -> None:
    model, batches = mlp(), batches_of(mnist.train.subset(range(100)))

    with around:
        assert not compiled_epochs(model, CrossEntropy(), sgd(model), batches)


def test_a_model_that_was_changed_between_epochs_is_trained_as_it_is(mnist: honshi.Splits) -> None:
    images = mnist.train.subset(range(300))
    model: Any = mlp()

    def freeze(row: Row) -> None:
        model.layer1.requires_grad_(False)
        frozen.append(model.layer1.weight.detach().clone())

    frozen: list[Tensor] = []
    honshi.fit(model, CrossEntropy(), sgd(model), images, images, 2, restore_best=False, on_epoch=freeze)

    assert torch.equal(model.layer1.weight, frozen[0])
    assert torch.equal(frozen[1], frozen[0])


def test_a_layer_of_another_width_between_epochs_is_taken_up(mnist: honshi.Splits) -> None:
    model: Any = mlp((32,))
    epochs = recognised(model, batches_of(mnist.train.subset(range(300))))
    epochs.train_epoch()
    model.layer1, model.layer2 = nn.Linear(784, 20), nn.Linear(20, 10)
    epochs.optimizer = sgd(model)
    before = model.layer1.weight.detach().clone()

    epochs.train_epoch()

    assert epochs.network.widths == (784, 20, 10)
    assert not torch.equal(model.layer1.weight, before)


def test_images_that_were_changed_between_epochs_are_read_anew(mnist: honshi.Splits) -> None:
    images = replace(mnist.train.subset(range(300)), pixels=mnist.train.pixels[:300].clone())
    batches = Batches(images, 64)
    model, fresh = mlp(), mlp()
    epochs = recognised(model, batches)
    epochs.train_epoch()
    images.pixels.copy_(255 - images.pixels)
    model.load_state_dict(fresh.state_dict())

    changed = epochs.train_epoch()

    assert changed == recognised(fresh, batches).train_epoch()


def test_what_was_learnt_is_kept_where_the_epoch_is_broken_off(mnist: honshi.Splits) -> None:
    model: Any = mlp()
    before = model.layer1.weight.detach().clone()

    def stop(step: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recognised(model, batches_of(mnist.train.subset(range(6400)))).train_epoch(on_step=stop)

    assert not torch.equal(model.layer1.weight, before)


def hooked(criterion: nn.Module) -> nn.Module:
    criterion.register_forward_hook(lambda module, inputs, loss: 2 * loss)
    return criterion


@pytest.mark.parametrize(
    "criterion",
    [
        CrossEntropy(label_smoothing=0.1),
        CrossEntropy(weight=torch.ones(10)),
        nn.CrossEntropyLoss(reduction="sum"),
        nn.CrossEntropyLoss(ignore_index=3),
        hooked(nn.CrossEntropyLoss()),
        nn.MSELoss(),
        nn.functional.cross_entropy,
    ],
)
def test_it_leaves_other_losses_to_the_readable_loop(mnist: honshi.Splits, criterion: Any) -> None:
    model = mlp()

    assert not compiled_epochs(model, criterion, sgd(model), batches_of(mnist.train.subset(range(100))))


def partial(model: nn.Module) -> SGD:
    return SGD(list(model.parameters())[:2], lr=0.1)


def with_step_hook(model: nn.Module) -> SGD:
    optimizer = sgd(model)
    optimizer.register_step_post_hook(lambda *_: None)
    return optimizer


def with_its_own_step(model: nn.Module) -> SGD:
    optimizer = sgd(model)
    optimizer.step = lambda closure=None: None  # type: ignore[method-assign]
    return optimizer


def with_its_own_zero_grad(model: nn.Module) -> SGD:
    optimizer = sgd(model)
    optimizer.zero_grad = lambda set_to_none=True: None  # type: ignore[method-assign]
    return optimizer


@pytest.mark.parametrize(
    "make",
    [
        lambda model: sgd(model, momentum=0.9),
        lambda model: sgd(model, weight_decay=0.01),
        lambda model: sgd(model, maximize=True),
        lambda model: Adam(model.parameters()),
        partial,
        with_step_hook,
        with_its_own_step,
        with_its_own_zero_grad,
    ],
    ids=[
        "momentum",
        "weight decay",
        "maximize",
        "Adam",
        "some parameters",
        "step hook",
        "its own step",
        "gradients that add up",
    ],
)
def test_it_leaves_other_optimizers_to_the_readable_loop(
    mnist: honshi.Splits, make: Callable[[nn.Module], Any]
) -> None:
    model = mlp()

    assert not compiled_epochs(model, CrossEntropy(), make(model), batches_of(mnist.train.subset(range(100))))


def test_it_leaves_other_data_to_the_readable_loop(mnist: honshi.Splits) -> None:
    images = mnist.train.subset(range(100))
    colour = honshi.Images(
        pixels=images.pixels.expand(-1, 3, -1, -1),
        labels=images.labels,
        classes=images.classes,
        normalization=honshi.Normalization(mean=(0.5, 0.4, 0.3), std=(0.5, 0.5, 0.5)),
    )
    model, wide = mlp(), MLP(3 * 784, (32,), 10)

    assert not compiled_epochs(model, CrossEntropy(), sgd(model), [(images.pixels.float(), images.labels)])
    assert not compiled_epochs(wide, CrossEntropy(), sgd(wide), batches_of(colour))
    assert not compiled_epochs(wide, CrossEntropy(), sgd(wide), batches_of(images))
    assert not compiled_epochs(MLP(784, (32,), 9), CrossEntropy(), sgd(model), batches_of(images))


def test_without_a_compiler_fit_takes_the_readable_loop_with_the_same_result(
    mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, val = mnist.train.subset(range(640)), mnist.val.subset(range(100))
    compiled, readable = mlp(), mlp()

    first = honshi.fit(compiled, CrossEntropy(), sgd(compiled), train, val, 2)
    nothing = Library(None, Message("There is no compiler."))
    monkeypatch.setattr("honshi.training.loops.compiled.library", lambda: nothing)
    second = honshi.fit(readable, CrossEntropy(), sgd(readable), train, val, 2)

    assert [row.val_loss for row in first.history] == pytest.approx([row.val_loss for row in second.history], rel=1e-4)


def test_fit_trains_the_lectures_case_here(mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["honshi.training.loops"], "train_epoch", None)
    model = mlp()

    result = honshi.fit(model, CrossEntropy(), sgd(model), mnist.train.subset(range(640)), mnist.val, 1)

    assert len(result.history) == 1
