"""EfficientNet-Lite (Tan and Le, "EfficientNet: rethinking model scaling", 2019; Google's Lite variants, 2020).

Batch norm is folded into the convolutions, so that nothing of it can drift while the network is frozen. No squeeze and
excitation, and ReLU6 everywhere: that is what makes it "Lite".

Shapes: b images in a batch; (c, h, w) features of one image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad, relu6

from honshi.models.cnn import GlobalAveragePool

# Of the stages between stem and head: layers, kernel, stride of the first layer, expansion, output channels.
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, FEATURES = 32, 1280
# What batch norm adds to a variance.
EPSILON = 1e-3


class EfficientNetLite(nn.Module):
    """From normalised RGB images to the features that its classifier on ImageNet was given.

    Attributes:
        features: numbers of each image.
    """

    features = FEATURES

    def __init__(self, width: float = 1.0, depth: float = 1.0) -> None:
        """
        Args:
            width: factor of the channels; 1.0 for Lite0, 1.1 for Lite2.
            depth: factor of the layers; 1.0 for Lite0, 1.2 for Lite2.
        """
        super().__init__()
        self.stem = _Convolution(3, STEM, 3, stride=2)
        self.blocks = nn.Sequential()
        channels = STEM
        for place, (layers, kernel, stride, expansion, outputs) in enumerate(STAGES):
            # The first and the last stage have one layer in each variant.
            inner = 0 < place < len(STAGES) - 1
            for layer in range(math.ceil(layers * depth) if inner else layers):
                wide = _to_eight(outputs * width)
                self.blocks.append(_Block(channels, wide, kernel, stride if layer == 0 else 1, expansion))
                channels = wide
        self.head = _Convolution(channels, FEATURES, 1)
        self.pool = GlobalAveragePool()
        # The channels of a pixel side by side in memory: less than half of the time on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, 3, h, w) to features (b, 1280)."""
        x = images.contiguous(memory_format=torch.channels_last)
        features: Tensor = self.pool(self.head(self.blocks(self.stem(x))))
        return features

    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of the reference package, batch norms folded into the convolutions before them.

        Args:
            weights: its state dict, in the order of its layers: of each convolution the filters, then scale, shift,
                mean and variance of its batch norm.
        """
        tensors = list(weights.items())
        filters = [place for place, (_, tensor) in enumerate(tensors) if tensor.dim() == 4]
        convolutions = [module for module in self.modules() if isinstance(module, _Convolution)]
        with torch.no_grad():
            for convolution, place in zip(convolutions, filters, strict=True):
                weight, scale, shift, mean, variance = (tensor.double() for _, tensor in tensors[place : place + 5])
                factor = scale / (variance + EPSILON).sqrt()  # (output channels)
                convolution.weight.copy_(weight * factor.view(-1, 1, 1, 1))
                convolution.bias.copy_(shift - mean * factor)


class _Convolution(nn.Module):
    """A convolution as TensorFlow pads it, and ReLU6 unless it is linear."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs // groups, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs))
        # Uniform: shapes without memory, by which a network is compared with its kind, know how to draw that.
        nn.init.kaiming_uniform_(self.weight, mode="fan_out")
        self.stride, self.groups, self.linear = stride, groups, linear

    def forward(self, x: Tensor) -> Tensor:
        """Features (b, inputs, h, w) to (b, outputs, ⌈h / stride⌉, ⌈w / stride⌉)."""
        (top, bottom), (left, right) = (self._padding(side) for side in x.shape[2:])
        if top == bottom and left == right:
            x = conv2d(x, self.weight, self.bias, self.stride, (top, left), groups=self.groups)
        else:
            x = conv2d(pad(x, (left, right, top, bottom)), self.weight, self.bias, self.stride, groups=self.groups)
        return x if self.linear else relu6(x, inplace=not self.training)

    def _padding(self, side: int) -> tuple[int, int]:
        """Rows before and after, so that so many remain as strides fit in; of an odd number the more are after."""
        kernel = self.weight.shape[2]
        total = max((math.ceil(side / self.stride) - 1) * self.stride + kernel - side, 0)
        return total // 2, total - total // 2


class _Block(nn.Module):
    """Wider by a 1x1 convolution, each channel by itself through a larger one, narrow again; around it where it can."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.layers = nn.Sequential()
        if expansion > 1:
            self.layers.append(_Convolution(inputs, inner, 1))
        self.layers.append(_Convolution(inner, inner, kernel, stride, groups=inner))
        self.layers.append(_Convolution(inner, outputs, 1, linear=True))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Features (b, inputs, h, w) to (b, outputs, ⌈h / stride⌉, ⌈w / stride⌉)."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


def _to_eight(channels: float) -> int:
    """The nearest multiple of eight, and never less than nine tenths."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest
