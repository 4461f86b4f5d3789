from __future__ import annotations

import random
import threading
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import honshi


@pytest.fixture(scope="module")
def images(mnist: honshi.Splits) -> honshi.Images:
    return mnist.train.subset(range(1000))


def findings_of(report: honshi.Report) -> dict[str, str]:
    return {finding.check: finding.level for finding in report.findings}


def test_everything_of_the_caller_is_left_as_it_was(images: honshi.Images) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.BatchNorm1d(16), nn.Dropout(0.1), nn.Linear(16, 10))
    model[2].eval()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model(images.normalization(images.pixels[:8])).sum().backward()
    optimizer.step()
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    gradients = [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]
    momenta = [optimizer.state[parameter]["momentum_buffer"].clone() for parameter in model.parameters()]
    states = (torch.get_rng_state(), random.getstate(), np.random.get_state(legacy=True)[1].copy())  # type: ignore[index]

    honshi.check(model, images, optimizer=optimizer)

    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert [module.training for module in model] == [True, True, False, True, True]
    for parameter, gradient, momentum in zip(model.parameters(), gradients, momenta, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, gradient)
        assert torch.equal(optimizer.state[parameter]["momentum_buffer"], momentum)
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert torch.equal(torch.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert np.array_equal(np.random.get_state(legacy=True)[1], states[2])  # type: ignore[index]


def test_a_loader_gives_the_same_order_as_if_nobody_had_looked() -> None:
    data = TensorDataset(torch.randn(64, 1, 28, 28), torch.arange(64) % 10)
    seen = []
    for looked_at in (False, True):
        loader = DataLoader(data, batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(0))
        if looked_at:
            honshi.check(honshi.models.MLP(), loader)
        seen.append(torch.cat([labels for _, labels in loader]))

    assert torch.equal(seen[0], seen[1])


def test_the_same_seed_gives_the_same_report(images: honshi.Images) -> None:
    model = honshi.models.MLP(hidden=(32,))

    first, second = (honshi.check(model, images, seed=3) for _ in range(2))

    assert first.findings == second.findings
    assert first.lr_range == second.lr_range


def test_splits_are_checked_by_their_training_part(mnist: honshi.Splits) -> None:
    report = honshi.check(honshi.models.MLP(hidden=(32,)), mnist)

    assert report.passed
    assert "54,000 labels" in report.findings[0].sentence


def test_the_sealed_test_set_is_refused(mnist: honshi.Splits) -> None:
    with pytest.raises(honshi.errors.SealedError, match="sealed"):
        honshi.check(honshi.models.MLP(), mnist.test)  # type: ignore[arg-type]


def test_data_of_another_kind_are_refused() -> None:
    with pytest.raises(TypeError, match="DataLoader"):
        honshi.check(honshi.models.MLP(), [1, 2])  # type: ignore[arg-type]


def test_what_comes_after_a_shape_that_does_not_fit_is_skipped_with_the_reason(images: honshi.Images) -> None:
    report = honshi.check(nn.Sequential(nn.Linear(784, 10)), images)

    assert not report.passed
    assert findings_of(report)["shapes"] == "fail"
    assert report.findings[-1].level == "skip"
    assert "shapes have to fit first" in report.findings[-1].sentence


def test_the_table_of_layers_goes_as_far_as_the_images_came(images: honshi.Images) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Linear(5, 10))

    report = honshi.check(model, images)

    assert [(layer.kind, layer.output) for layer in report.layers] == [
        ("Conv2d", (4, 26, 26)),
        ("MaxPool2d", (4, 13, 13)),
    ]


def test_a_model_that_cannot_be_copied_is_a_finding(images: honshi.Images) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    model.lock = threading.Lock()  # type: ignore[assignment]

    report = honshi.check(model, images)

    assert findings_of(report)["model"] == "fail"
    assert "cannot be copied" in str(report)


def test_rare_classes_are_a_warning(images: honshi.Images) -> None:
    places = torch.cat([(images.labels == 0).nonzero()[:4], (images.labels != 0).nonzero()]).flatten()

    report = honshi.check(honshi.models.MLP(hidden=(32,)), images.subset(places))

    assert report.passed
    assert findings_of(report)["class balance"] == "warn"


def test_a_constant_image_among_others_is_a_warning(images: honshi.Images) -> None:
    pixels = images.pixels.clone()
    pixels[5] = 77
    blank = honshi.Images(pixels=pixels, labels=images.labels, classes=images.classes)

    report = honshi.check(honshi.models.MLP(hidden=(32,)), blank)

    assert findings_of(report)["images"] == "warn"
    assert next(f for f in report.findings if f.check == "images").sentence.startswith("1 of 1,000")


@pytest.mark.parametrize("recipe", ["lecture", "mlp", "cnn"])
def test_the_recipes_raise_no_alarm(recipe: str, images: honshi.Images, mnist: honshi.Splits) -> None:
    parts = honshi.Experiment.build(honshi.Recipe.read(recipe), mnist)

    report = honshi.check(parts.model, images, criterion=parts.criterion, optimizer=parts.optimizer)

    assert [finding for finding in report.findings if finding.level != "pass"] == []


@pytest.mark.parametrize("changes", [{"tta.shift": 1}, {"model.members": 3}, {"optimizer.kind": "muon"}])
def test_neither_do_the_remedies(changes: dict[str, object], images: honshi.Images, mnist: honshi.Splits) -> None:
    parts = honshi.Experiment.build(honshi.Recipe.read("lecture").changed(changes), mnist)

    report = honshi.check(parts.model, images, criterion=parts.criterion, optimizer=parts.optimizer)

    assert [finding for finding in report.findings if finding.level != "pass"] == []


def test_batch_norm_on_batches_of_one_image_is_told_before_training(images: honshi.Images) -> None:
    report = honshi.check(honshi.models.MLP(hidden=(16,), batch_norm=True), images, batch_size=1)

    assert findings_of(report)["train mode"] == "fail"
    assert "a larger batch size" in next(f.sentence for f in report.findings if f.check == "train mode")


def test_a_rate_with_which_nothing_is_learnt_is_told_to_be_too_large(images: honshi.Images) -> None:
    torch.manual_seed(0)
    model = honshi.models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)

    report = honshi.check(model, images, optimizer=optimizer)

    sentence = next(f.sentence for f in report.findings if f.check == "learning rate")
    assert "is large" in sentence


def test_a_report_is_a_line_for_each_finding(images: honshi.Images) -> None:
    report = honshi.check(honshi.models.MLP(hidden=(32,)), images)

    assert str(report).splitlines()[0].startswith("pass  labels: ")
    assert len(str(report).splitlines()) == len(report.findings)


def test_what_a_function_of_ones_own_does_to_the_model_by_its_name_is_undone(images: honshi.Images) -> None:
    model = honshi.models.MLP(hidden=(16,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = [parameter.clone() for parameter in model.parameters()]

    def train(_model: nn.Module, loader: DataLoader[Any], criterion: Any) -> None:
        for inputs, labels in loader:
            criterion(model(inputs), labels).backward()
            optimizer.step()

    report = honshi.check(model, images, optimizer=optimizer, train=train)

    assert findings_of(report)["training function"] == "fail"
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_an_optimizer_that_asks_for_the_loss_again_is_checked_with_its_closure() -> None:
    model = nn.Linear(4, 2)
    labels = torch.arange(60) % 2
    data = TensorDataset(torch.randn(60, 4) + 5 * labels[:, None], labels)

    report = honshi.check(model, data, optimizer=torch.optim.LBFGS(model.parameters(), lr=0.5))

    assert report.passed
    assert findings_of(report)["subset of 100"] == "pass"
    assert "honshi.fit does not" in next(f.sentence for f in report.findings if f.check == "optimizer")


def test_side_branches_pass_with_a_loss_that_takes_them(images: honshi.Images) -> None:
    class Branched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.main, self.side = nn.Linear(784, 32), nn.Linear(32, 10), nn.Linear(32, 10)

        def forward(self, x: torch.Tensor) -> Any:
            x = self.hidden(x.flatten(1)).relu()
            return (self.main(x), self.side(x)) if self.training else self.main(x)

    def criterion(outputs: Any, labels: torch.Tensor) -> torch.Tensor:
        main, side = outputs if isinstance(outputs, tuple) else (outputs, outputs)
        return nn.functional.cross_entropy(main, labels) + 0.3 * nn.functional.cross_entropy(side, labels)

    model = Branched()
    report = honshi.check(model, images, criterion=criterion, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))

    assert report.passed
    assert findings_of(report)["one batch"] == "pass"


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_compiled_module_is_checked_like_another(images: honshi.Images) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10))
    scripted = torch.jit.script(model)

    report = honshi.check(scripted, images, optimizer=torch.optim.SGD(scripted.parameters(), lr=0.1))

    assert [finding for finding in report.findings if finding.level != "pass"] == []


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_the_advice_about_the_type_of_the_weights_works(dtype: torch.dtype, images: honshi.Images) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).to(dtype)
    report = honshi.check(model, images)
    assert "model.float()" in str(report)

    model.float()

    assert honshi.check(model, images).passed


def test_the_advice_about_the_type_of_the_inputs_works() -> None:
    inputs, labels = torch.randn(100, 20, dtype=torch.float64), torch.arange(100) % 2
    inputs[:, 0] = 5 * labels
    report = honshi.check(nn.Linear(20, 2), TensorDataset(inputs, labels))
    assert "x.float()" in str(report)

    assert honshi.check(nn.Linear(20, 2), TensorDataset(inputs.float(), labels)).passed


def test_the_advice_about_the_last_batch_works(images: honshi.Images) -> None:
    model = honshi.models.MLP(hidden=(16,), batch_norm=True)
    odd = images.subset(range(129))
    report = honshi.check(model, odd, batch_size=64)
    assert findings_of(report)["last batch"] == "fail"

    assert "last batch" not in findings_of(honshi.check(model, odd, batch_size=50))
    assert "last batch" not in findings_of(honshi.check(model, DataLoader(odd, batch_size=64, drop_last=True)))


def test_the_advice_about_an_in_place_operation_works(images: honshi.Images) -> None:
    class Net(nn.Module):
        def __init__(self, in_place: bool) -> None:
            super().__init__()
            self.first, self.last, self.in_place = nn.Linear(784, 16), nn.Linear(16, 10), in_place

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.first(x.flatten(1)).sigmoid()
            if self.in_place:
                h += 1
            else:
                h = h + 1
            return cast(torch.Tensor, self.last(h))

    assert findings_of(honshi.check(Net(in_place=True), images))["gradients"] == "fail"
    assert findings_of(honshi.check(Net(in_place=False), images))["gradients"] == "pass"


def test_what_depends_on_an_error_of_ones_own_is_left_out_by_name(images: honshi.Images) -> None:
    def criterion(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        raise KeyError("cat")

    report = honshi.check(honshi.models.MLP(), images, criterion=criterion, train=lambda model: None)

    assert findings_of(report)["loss"] == "fail"
    assert report.findings[-1].check == "parameters, modes, learning and training function"


def test_a_batch_norm_that_its_owner_froze_stays_frozen(images: honshi.Images) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 10))
    model[2].eval()
    odd = images.subset(range(129))

    # In train mode it could not take the one image that is left over.
    report = honshi.check(model, odd, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))

    assert "last batch" not in findings_of(report)
    assert report.passed
