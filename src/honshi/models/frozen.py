"""A head that learns on what a frozen backbone sees.

Shapes: b images in a batch, each (c, h, w); d features; k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from honshi.arguments import check_count
from honshi.errors import ArgumentError
from honshi.models import backbones
from honshi.models.mlp import MLP

# Added to the deviation of each feature, as a share of the mean deviation: one that hardly varies is not blown up.
FLOOR = 0.005


class Frozen(nn.Module):
    """A backbone that stays as it is, and a head.

    What the backbone sees in an image is computed once by `honshi.fit` and kept, so that only the head is trained.

    Attributes:
        backbone: images (b, c, h, w) to features (b, d).
        head: features (b, d) to logits (b, k).
        frozen: whether the backbone stays as it is.
        views: of so many changed views of each training image features are kept where `honshi.fit` augments.
    """

    backbone: nn.Module
    head: Head

    def __init__(
        self,
        backbone: nn.Module,
        classes: int,
        *,
        features: int | None = None,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        views: int = 2,
    ) -> None:
        """
        Args:
            backbone: any module from images to features.
            classes: k.
            features: d; what the backbone says of itself where left out.
            hidden, dropout: of the head; none makes it linear.
            views: as the attribute.

        Raises:
            ArgumentError: the backbone is no module, or does not say how many features it has.
        """
        if not isinstance(backbone, nn.Module):
            raise ArgumentError("backbone is a torch Module, not a {kind}.", kind=type(backbone).__name__)
        features = features if features is not None else getattr(backbone, "features", None)
        if not isinstance(features, int):
            raise ArgumentError("The backbone does not say how many features it has: give features=….")
        check_count("features", features)
        check_count("views", views)
        super().__init__()
        self.backbone = backbone
        self.head = Head(features, classes, hidden=hidden, dropout=dropout)
        self.views = views
        self.frozen = True
        self.freeze()

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (b, c, h, w) to logits (b, k)."""
        logits: Tensor = self.head(self.see(images))
        return logits

    def see(self, images: Tensor) -> Tensor:
        """Normalised images (b, c, h, w) to features (b, d)."""
        features: Tensor = self.backbone(images)
        return features

    def freeze(self) -> None:
        """Leave the backbone as it is from here on."""
        self.frozen = True
        self.backbone.requires_grad_(False).eval()

    def unfreeze(self) -> None:
        """Let the backbone learn too."""
        self.frozen = False
        self.backbone.requires_grad_(True).train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Training mode of the head, and of the backbone where it learns."""
        super().train(mode)
        if self.frozen:
            self.backbone.eval()
        return self


class Pretrained(Frozen):
    """A backbone that is known by its name, and a head: what a recipe of the kind "frozen" builds."""

    def __init__(
        self,
        backbone: str,
        classes: int,
        *,
        revision: str | None = None,
        hidden: Sequence[int] = (),
        dropout: float = 0.0,
        views: int = 2,
        config: dict[str, Any] | None = None,
    ) -> None:
        """With new weights, to be filled by those that were saved; `pretrained` has those that were published.

        Args:
            backbone: its name, as a recipe has it.
            revision: of one from the Hugging Face Hub.
            config: of such a one.
            classes, hidden, dropout, views: as for `Frozen`.

        Raises:
            ModelError: there is no such backbone, or its library is not installed.
        """
        network = backbones.build(backbone, config)
        super().__init__(network, classes, hidden=hidden, dropout=dropout, views=views)
        # What builds this model again; it is saved beside the weights.
        self.architecture = {
            "backbone": backbone,
            "classes": classes,
            "revision": revision,
            "hidden": list(hidden),
            "dropout": dropout,
            "views": views,
        } | ({} if config is None else {"config": config})

    @classmethod
    def pretrained(cls, backbone: str, classes: int, *, revision: str | None = None, **options: Any) -> Self:
        """With the weights that the backbone was published with.

        Args:
            options: ``hidden``, ``dropout`` and ``views`` as for `Frozen`.

        Raises:
            ModelError: the weights are not installed, cannot be had, or are not those that were published.
        """
        network, config = backbones.pretrained(backbone, revision)
        model = cls(backbone, classes, revision=revision, config=config, **options)
        model.backbone.load_state_dict(network.state_dict())
        return model


class Head(nn.Module):
    """Features brought to mean 0 and deviation 1, then linear layers."""

    features: int
    mean: Tensor
    std: Tensor

    def __init__(self, features: int, classes: int, *, hidden: Sequence[int] = (), dropout: float = 0.0) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        self.layers = MLP(features, hidden, classes, dropout=dropout)
        if not hidden:
            # The best weights are looked for from there, and what they cost counts from there.
            nn.init.zeros_(next(self.layers.parameters()))

    def forward(self, features: Tensor) -> Tensor:
        """Features (b, d) to logits (b, k)."""
        logits: Tensor = self.layers((features.flatten(1) - self.mean) / self.std)
        return logits

    def measure(self, features: Tensor) -> None:
        """Take mean and deviation of the training images' features (n, d)."""
        with torch.no_grad():
            mean, std = spread(features)
            self.mean.copy_(mean)
            self.std.copy_(std)


def spread(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (d,) by which a head brings features (n, d) to mean 0 and deviation 1."""
    std = features.std(0, correction=0)
    return features.mean(0), std + FLOOR * std.mean() + torch.finfo(std.dtype).tiny
