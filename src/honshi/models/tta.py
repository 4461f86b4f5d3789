"""Test-time augmentation: ask the model several times about the same image, each time moved a little.

Shapes: b images in a batch, each (c, h, w); k classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.functional import pad

from honshi.arguments import check_count
from honshi.models.ensemble import log_mean_probability, log_mean_probability_in_graph

if TYPE_CHECKING:
    from honshi.models.graph import Graph


class TTA(nn.Module):
    """A model that in eval mode answers by the mean over moved copies of an image (Krizhevsky et al., 2012).

    The copies are the image itself and it shifted by some pixels up, down, left and right; and all of
    them mirrored. What moves in repeats the image's edge, which is its background where it has one,
    whatever number the normalisation has given to that. In training it is the plain model.
    """

    # In eval mode; in train mode the model answers for the image alone.
    composes_answers = True

    def __init__(self, model: nn.Module, *, shift: int = 0, flip: bool = False) -> None:
        """
        Args:
            model: images (b, c, h, w) to logits (b, k).
            shift: pixels, less than a side; 0 for no shifted copies.
            flip: ask about mirrored copies as well. Not for digits and letters.

        Raises:
            ArgumentError: shift is not a number of pixels.
        """
        check_count("shift", shift, least=0)
        super().__init__()
        self.model = model
        self.shift = shift
        self.flip = flip

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, c, h, w) to logits (b, k): in eval mode the logarithm of the mean of the copies'
        probabilities, of which softmax makes these again."""
        if self.training:
            logits: Tensor = self.model(images)
            return logits
        return log_mean_probability([self.model(copy) for copy in self.copies(images)])

    def copies(self, images: Tensor) -> list[Tensor]:
        """What the model is asked about in eval mode, each (b, c, h, w), the images themselves first."""
        copies = [images]
        if self.shift:
            s, (height, width) = self.shift, images.shape[2:]
            wide = pad(images, (s, s, s, s), mode="replicate")  # (b, c, h + 2s, w + 2s)
            copies += [
                wide[..., top : top + height, left : left + width]
                for top, left in ((0, s), (2 * s, s), (s, 0), (s, 2 * s))
            ]
        return copies + [copy.flip(-1) for copy in copies] if self.flip else copies

    def in_graph(self, graph: Graph, x: str) -> str:
        """What `forward` computes in eval mode, as operators of ONNX."""
        copies = [x]
        if self.shift:
            s, (height, width) = self.shift, graph.shape[1:]
            wide = graph.add("Pad", x, graph.places(0, 0, s, s, 0, 0, s, s), mode="edge")
            axes = graph.places(2, 3)
            copies += [
                graph.add("Slice", wide, graph.places(top, left), graph.places(top + height, left + width), axes)
                for top, left in ((0, s), (2 * s, s), (s, 0), (s, 2 * s))
            ]
        if self.flip:
            # From the last column to the one before the first, backwards.
            ends = graph.places(-1), graph.places(-graph.shape[2] - 1), graph.places(3), graph.places(-1)
            copies += [graph.add("Slice", copy, *ends) for copy in copies]
        return log_mean_probability_in_graph(graph, [graph.layer(self.model, copy) for copy in copies])
