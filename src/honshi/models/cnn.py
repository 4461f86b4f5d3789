"""A small modern convolutional network.

Shapes: b images in a batch; (c, h, w) one image; k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from honshi.arguments import check_count, check_range
from honshi.errors import ArgumentError
from honshi.native.layers import PoolingStage

if TYPE_CHECKING:
    from honshi.models.graph import Graph


class CNN(nn.Module):
    """Stages of 3x3 convolution, pooling, batch norm and ReLU; then the mean over the image.

    Each stage halves height and width. Pooling comes before norm and activation: as the maximum
    commutes with the monotone ReLU this costs a quarter of the work and gives the same features.
    A stage may go on with residual layers (He et al., "Deep residual learning", 2015).
    The mean at the end (Lin et al., "Network in Network", 2013) lets it take any image size.
    """

    def __init__(
        self,
        channels: int = 1,
        widths: Sequence[int] = (16, 32, 64),
        classes: int = 10,
        *,
        residual: Sequence[int] = (),
        stem: Literal["pool", "stride"] = "pool",
        dropout: float = 0.0,
    ) -> None:
        """
        Args:
            channels: c.
            widths: output channels of each stage.
            classes: k.
            residual: residual layers of each stage, as many numbers as widths; none where left out.
            stem: the first stage halves the image by pooling, or by a 5x5 convolution of stride 2 without
                padding, which costs a fifth and wants images of at least 5 x 5.
            dropout: probability of dropping a feature before the last layer.

        Raises:
            ArgumentError: there cannot be such layers.
        """
        check_count("channels", channels)
        check_count("classes", classes)
        check_count("the number of widths", len(widths))
        for width in widths:
            check_count("a width", width)
        for layers in residual:
            check_count("a number of residual layers", layers, least=0)
        if residual and len(residual) != len(widths):
            raise ArgumentError(
                "residual has a number for each of the {stages} stages of widths, or is left out; it has {found}.",
                stages=len(widths),
                found=len(residual),
            )
        if stem not in ("pool", "stride"):
            raise ArgumentError('stem is "pool" or "stride", not {value!r}.', value=stem)
        check_range("dropout", dropout, below=1)
        super().__init__()
        # What builds this model again; it is saved beside the weights.
        self.architecture = {
            "channels": channels,
            "widths": list(widths),
            "classes": classes,
            "residual": list(residual),
            "stem": stem,
            "dropout": dropout,
        }
        self.stages = nn.Sequential()
        for number, (width, layers) in enumerate(zip(widths, residual or [0] * len(widths), strict=True), start=1):
            stage = _strided(channels, width) if number == 1 and stem == "stride" else _pooled(channels, width)
            for _ in range(layers):
                stage.append(_Residual(width))
            self.stages.add_module(f"stage{number}", stage)
            channels = width
        self.pool = GlobalAveragePool()
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(channels, classes)
        # The channels of a pixel side by side in memory: a training step takes 0.6 of the time on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, c, h, w) to logits (b, k)."""
        features = self.pool(self.stages(images))  # (b, the last width)
        logits: Tensor = self.classifier(self.dropout(features))  # (b, k)
        return logits

    def in_graph(self, graph: Graph, x: str) -> str:
        """What `forward` computes, as operators of ONNX."""
        for layer in (self.stages, self.pool, self.dropout, self.classifier):
            x = graph.layer(layer, x)
        return x


# Batch norm has a shift of its own, so no convolution needs a bias.


def _pooled(channels: int, width: int) -> nn.Sequential:
    """(b, channels, h, w) to (b, width, ⌈h/2⌉, ⌈w/2⌉)."""
    return PoolingStage(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


def _strided(channels: int, width: int) -> nn.Sequential:
    """(b, channels, h, w) to (b, width, ⌊(h - 3)/2⌋, ⌊(w - 3)/2⌋)."""
    # No padding: what lies beyond the edge of the image has nothing to say, and 12 x 12 features of a digit
    # cost a quarter less than 14 x 14 in all that follows.
    return nn.Sequential(
        nn.Conv2d(channels, width, 5, stride=2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
    )


class GlobalAveragePool(nn.Module):
    """The mean over the image, (b, c, h, w) to (b, c).

    Taken so that its gradient lies in memory as channels_last features do. That of AdaptiveAvgPool2d does not, and
    makes a training step longer by a twentieth.
    """

    def forward(self, features: Tensor) -> Tensor:
        return features.permute(0, 2, 3, 1).flatten(1, 2).mean(1)

    def in_graph(self, graph: Graph, x: str) -> str:
        return graph.add("Flatten", graph.add("GlobalAveragePool", x), axis=1)


class _Residual(nn.Module):
    """x + f(x), with f a convolution, norm and activation that leave the shape as it is."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Features (b, width, h, w) to the same shape."""
        return x + relu(self.norm(self.convolution(x)))

    def in_graph(self, graph: Graph, x: str) -> str:
        return graph.add("Add", x, graph.add("Relu", graph.layer(self.norm, graph.layer(self.convolution, x))))
