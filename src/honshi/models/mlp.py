"""The multi-layer perceptron of the lecture.

Shapes: b images in a batch; (c, h, w) one image; k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.functional import relu

from honshi.arguments import check_count, check_range

if TYPE_CHECKING:
    from honshi.models.graph import Graph


class MLP(nn.Module):
    """Linear layers with ReLU between them; with the defaults the lecture's 784-128-64-10.

    The layers are ``layer1``, ``layer2``, …; batch norm (``norm1``, …) stands before the ReLU and
    dropout after it, as in the papers that introduced them (Ioffe and Szegedy 2015; Srivastava et
    al. 2014).
    """

    def __init__(
        self,
        inputs: int = 784,
        hidden: Sequence[int] = (128, 64),
        classes: int = 10,
        *,
        dropout: float = 0.0,
        batch_norm: bool = False,
    ) -> None:
        """
        Args:
            inputs: numbers in one image, c * h * w.
            hidden: the size of each hidden layer; none makes it a linear classifier.
            classes: k.
            dropout: probability of dropping an activation of a hidden layer.
            batch_norm: normalise the hidden layers.

        Raises:
            ArgumentError: there cannot be such layers.
        """
        check_count("inputs", inputs)
        check_count("classes", classes)
        for size in hidden:
            check_count("a size in hidden", size)
        check_range("dropout", dropout, below=1)
        super().__init__()
        # What builds this model again; it is saved beside the weights.
        self.architecture = {
            "inputs": inputs,
            "hidden": list(hidden),
            "classes": classes,
            "dropout": dropout,
            "batch_norm": batch_norm,
        }
        sizes = [inputs, *hidden, classes]
        self.depth = len(sizes) - 1
        for number in range(1, self.depth + 1):
            self.add_module(f"layer{number}", nn.Linear(sizes[number - 1], sizes[number]))
            if batch_norm and number < self.depth:
                self.add_module(f"norm{number}", nn.BatchNorm1d(sizes[number]))
        self.batch_norm = batch_norm
        self.dropout = nn.Dropout(dropout) if dropout else None

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, c, h, w), or already flat (b, c * h * w), to logits (b, k)."""
        x = images.flatten(1)  # (b, c * h * w)
        for number in range(1, self.depth):
            x = getattr(self, f"layer{number}")(x)  # (b, its size in hidden)
            if self.batch_norm:
                x = getattr(self, f"norm{number}")(x)
            x = relu(x)
            if self.dropout is not None:
                x = self.dropout(x)
        logits: Tensor = getattr(self, f"layer{self.depth}")(x)  # (b, k)
        return logits

    def in_graph(self, graph: Graph, x: str) -> str:
        """What `forward` computes, as operators of ONNX."""
        x = graph.add("Flatten", x, axis=1)
        for number in range(1, self.depth):
            x = graph.layer(getattr(self, f"layer{number}"), x)
            if self.batch_norm:
                x = graph.layer(getattr(self, f"norm{number}"), x)
            x = graph.add("Relu", x)
        return graph.layer(getattr(self, f"layer{self.depth}"), x)
