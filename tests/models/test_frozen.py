"""A head that learns on what a frozen backbone sees."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import honshi
from honshi.errors import ArgumentError, RecipeError
from honshi.models import Frozen, build, input_contract
from honshi.models.frozen import Head
from honshi.models.identity import identity_of
from honshi.recipe import FrozenOptions, MLPOptions, Recipe, TTAOptions


class Corners(nn.Module):
    """A backbone with a batch norm, which would drift if it were trained."""

    features = 8

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 8, 3)
        self.norm = nn.BatchNorm2d(8)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.norm(self.convolution(images)).relu().mean((2, 3))
        return features


def test_only_the_head_learns_and_the_backbone_stays_in_eval_mode() -> None:
    model = Frozen(Corners(), classes=3).train()
    assert {name.split(".")[0] for name, parameter in model.named_parameters() if parameter.requires_grad} == {"head"}
    assert model.head.training
    assert not model.backbone.norm.training  # type: ignore[union-attr]
    before = identity_of(model.backbone)
    model(torch.randn(4, 3, 9, 9))
    assert identity_of(model.backbone) == before


def test_an_unfrozen_backbone_learns() -> None:
    model = Frozen(Corners(), classes=3)
    model.unfreeze()
    model.train()
    assert model.backbone.norm.training  # type: ignore[union-attr]
    model(torch.randn(4, 3, 9, 9)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.backbone.parameters())


def test_a_head_sees_features_of_mean_0_and_deviation_1() -> None:
    features = torch.randn(200, 4) * torch.tensor([1.0, 10.0, 0.1, 0.0]) + 5
    head = Head(4, 2)
    head.measure(features)
    seen = (features - head.mean) / head.std
    assert seen.mean(0).abs().max() < 1e-4
    assert seen[:, :2].std(0).sub(1).abs().max() < 0.1
    assert seen[:, 3].abs().max() < 1e-3  # one that never varies stays at 0


def test_a_backbone_that_does_not_say_its_features_has_them_said() -> None:
    with pytest.raises(ArgumentError, match="features="):
        Frozen(nn.Flatten(), classes=3)
    assert Frozen(nn.Flatten(), classes=3, features=12).head.features == 12
    with pytest.raises(ArgumentError, match="torch Module"):
        Frozen("efficientnet-lite0", classes=3)  # type: ignore[arg-type]


def test_a_backbone_of_ones_own_is_saved_and_filled_again(tmp_path: Path) -> None:
    model = Frozen(Corners(), classes=3).eval()
    honshi.save(model, tmp_path / "model.safetensors")
    again = honshi.load_model(tmp_path / "model.safetensors", into=Frozen(Corners(), classes=3))
    images = torch.randn(2, 3, 9, 9)
    assert torch.equal(again(images), model(images))


def test_the_recipe_says_what_a_backbone_wants() -> None:
    contract = input_contract(FrozenOptions(backbone="efficientnet-lite2"))
    assert contract is not None
    assert contract.shape == (3, 260, 260)
    assert contract.normalization.mean == contract.normalization.std == (0.5,)
    assert input_contract(MLPOptions()) is None


def test_copies_of_an_image_have_no_kept_features() -> None:
    with pytest.raises(RecipeError, match="leave \\[tta\\] out"):
        build(FrozenOptions(), (3, 224, 224), 2, TTAOptions(flip=True))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"model.backbone": "resnet"}, "efficientnet-lite0, efficientnet-lite2, and hf:ORG/MODEL"),
        ({"model.members": 2}, "members is 1"),
        ({"model.revision": "abc"}, "Hugging Face Hub"),
        ({"model.views": 0}, "model.views"),
    ],
)
def test_what_cannot_be_is_said_of_the_recipe(changes: dict[str, object], said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Recipe.read("photos").changed(changes)
    assert said in str(caught.value)


def test_only_a_frozen_backbone_has_features_that_can_be_kept() -> None:
    assert MLPOptions().kept_views(augmented=True) == 0
    assert FrozenOptions().kept_views(augmented=False) == 1
    assert FrozenOptions(views=3).kept_views(augmented=True) == 3
