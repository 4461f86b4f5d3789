from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.optim import Adam

import honshi
from honshi import optimizers
from honshi.models import CNN, Ensemble
from honshi.optimizers.muon import Muon, orthogonalized
from honshi.recipe import MuonOptions


@given(rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3))
def test_a_matrix_is_taken_to_one_with_about_the_same_directions_and_singular_values_near_1(
    rows: int, columns: int, seed: int, scale: float
) -> None:
    matrix = torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed))
    u, singular, v = torch.linalg.svd(matrix, full_matrices=False)
    # Well away from 0, where five steps are too few.
    matrix = u @ torch.diag(singular.clamp(min=0.3 * singular[0].item())) @ v

    found = orthogonalized(matrix * scale)

    values = torch.linalg.svdvals(found)
    assert found.shape == matrix.shape
    assert values.min() > 0.6
    assert values.max() < 1.3
    # The nearest orthonormal matrix is u v; along each of its directions ours goes the same way.
    assert torch.diag(u.T @ found @ v.T).min() > 0.6


def test_a_matrix_of_zeros_stays_one() -> None:
    assert torch.equal(orthogonalized(torch.zeros(3, 5)), torch.zeros(3, 5))


def test_what_is_no_matrix_is_stepped_as_by_adam() -> None:
    ours = [nn.Parameter(torch.linspace(-1, 1, 5)), nn.Parameter(torch.ones(3, 2))]
    reference = copy.deepcopy(ours)
    muon = Muon([], ours, adam_lr=0.01)
    adam = Adam(reference, lr=0.01, betas=(0.9, 0.95))

    for _ in range(4):
        give_gradients(ours)
        give_gradients(reference)
        muon.step()
        adam.step()

    for mine, expected in zip(ours, reference, strict=True):
        torch.testing.assert_close(mine, expected)


def test_the_first_step_of_a_square_matrix_has_the_length_of_the_rate_along_every_direction() -> None:
    weight = nn.Parameter(torch.zeros(6, 6))
    weight.grad = torch.linalg.qr(torch.randn(6, 6)).Q * 1e-3  # however small the gradient is

    Muon([weight], [], lr=0.1).step()

    lengths = torch.linalg.svdvals(weight.detach())
    assert lengths.min() > 0.06
    assert lengths.max() < 0.13


@pytest.mark.parametrize("precision", ["highest", "high"])
def test_it_is_the_iteration_of_newton_and_schulz(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "get_float32_matmul_precision", lambda: precision)
    for shape in ((8, 20), (20, 8), (12, 12)):
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
        expected = matrix.double() / matrix.double().norm()
        for _ in range(5):
            square = expected @ expected.T
            expected = 3.4445 * expected - 4.7750 * square @ expected + 2.0315 * square @ square @ expected

        torch.testing.assert_close(orthogonalized(matrix).double(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("at", [torch.channels_last, torch.contiguous_format])
@pytest.mark.parametrize("gradient_at", [torch.channels_last, torch.contiguous_format])
def test_how_filters_lie_in_memory_changes_nothing(at: torch.memory_format, gradient_at: torch.memory_format) -> None:
    draws = torch.Generator().manual_seed(0)
    first, gradient = torch.randn(4, 3, 3, 3, generator=draws), torch.randn(4, 3, 3, 3, generator=draws)
    expected = nn.Parameter(first.flatten(1))
    weight = nn.Parameter(first.clone(memory_format=at))
    expected.grad, weight.grad = gradient.flatten(1), gradient.clone(memory_format=gradient_at)

    Muon([expected], []).step()
    Muon([weight], []).step()

    torch.testing.assert_close(weight.detach().flatten(1), expected.detach(), rtol=0, atol=1e-5)


def test_weight_decay_shrinks_matrices_alone() -> None:
    matrix, vector = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2))
    matrix.grad, vector.grad = torch.zeros(2, 2), torch.zeros(2)

    Muon([matrix], [vector], lr=0.1, weight_decay=0.5).step()

    torch.testing.assert_close(matrix.detach(), torch.full((2, 2), 0.95))
    assert torch.equal(vector.detach(), torch.ones(2))


def test_a_vector_is_no_matrix() -> None:
    with pytest.raises(ValueError, match="give vectors as others"):
        Muon([nn.Parameter(torch.ones(3))], [])


def test_a_recipe_gives_it_the_hidden_filters_and_adam_the_rest() -> None:
    model = CNN(1, (4, 8), 3, residual=(0, 1))

    optimizer = optimizers.build(MuonOptions(lr=0.1, adam_lr=0.02), model)

    names = {id(parameter): name for name, parameter in model.named_parameters()}
    first, second = ({names[id(p)] for p in group["params"]} for group in optimizer.param_groups)
    assert first == {"stages.stage1.0.weight", "stages.stage2.0.weight", "stages.stage2.4.convolution.weight"}
    assert first | second == set(names.values())
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.02]


def test_the_last_layer_of_every_member_of_an_ensemble_is_left_to_adam() -> None:
    model = Ensemble([CNN(1, (4,), 3), CNN(1, (4,), 3)])

    optimizer = optimizers.build(MuonOptions(), model)

    matrices = {id(parameter) for parameter in optimizer.param_groups[0]["params"]}
    left = [name for name, p in model.named_parameters() if p.dim() > 1 and id(p) not in matrices]
    assert left == ["members.0.classifier.weight", "members.1.classifier.weight"]


def test_it_goes_on_from_its_saved_state_as_if_it_had_never_stopped() -> None:
    model = CNN(1, (4,), 3)
    optimizer = optimizers.build(MuonOptions(), model)
    step(model, optimizer, 2)
    other = copy.deepcopy(model)
    resumed = optimizers.build(MuonOptions(), other)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))

    step(model, optimizer, 3)
    step(other, resumed, 3)

    for mine, expected in zip(other.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine, expected, rtol=0, atol=0)


def test_an_epoch_of_it_teaches_a_small_network_more_than_one_of_adam() -> None:
    splits = honshi.load("mnist", subset=3000)

    def accuracy(recipe: dict[str, object]) -> float:
        experiment = honshi.Experiment.build(
            honshi.Recipe.from_dict({"model": {"kind": "cnn"}, "optimizer": recipe}), splits
        )
        result = honshi.fit(
            experiment.model, experiment.criterion, experiment.optimizer, splits.train, splits.val, 1, batch_size=50
        )
        return result.history[-1].val_accuracy

    assert accuracy({"kind": "muon"}) > accuracy({"kind": "adam", "lr": 0.01})


def give_gradients(parameters: list[nn.Parameter]) -> None:
    generator = torch.Generator().manual_seed(3)
    for parameter in parameters:
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def step(model: nn.Module, optimizer: torch.optim.Optimizer, count: int) -> None:
    images: Tensor = torch.linspace(-1, 1, 4 * 64).view(4, 1, 8, 8)
    for _ in range(count):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), torch.tensor([0, 1, 2, 0])).backward()
        optimizer.step()
