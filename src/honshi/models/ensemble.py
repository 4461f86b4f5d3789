"""Several networks that learn side by side and answer together.

Shapes: b images in a batch, each (c, h, w); k classes; m members.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from honshi.arguments import check_count
from honshi.models.modes import full_precision
from honshi.models.outputs import is_binary

if TYPE_CHECKING:
    from honshi.models.graph import Graph


class Ensemble(nn.Module):
    """Independent networks, of which each makes other mistakes, so that their mean makes fewer.

    In training each member learns from its own share of every mini-batch, so an epoch costs what it costs
    for one network, each member sees other images, and the loop is the same. In eval mode all answer
    every image (Lakshminarayanan et al., "Simple and scalable predictive uncertainty estimation using deep
    ensembles", 2017).
    """

    # In eval mode; in train mode the members answer for themselves.
    composes_answers = True
    # No share of a single image: batch norm has nothing to compare it with. With 0 every member has a share, and
    # be it empty, as training on several processes needs it.
    smallest_share = 2

    def __init__(self, members: Sequence[nn.Module]) -> None:
        """
        Args:
            members: each from images (b, c, h, w) to logits (b, k), with first weights of its own.

        Raises:
            ArgumentError: there is none.
        """
        check_count("the number of members", len(members))
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        """Images (b, c, h, w) to (b, k): logits of the shares in training, in eval mode the logarithm of the
        mean of the members' probabilities, of which softmax makes these again."""
        if self.training:
            members = len(self.members)
            if self.smallest_share:
                members = max(1, min(members, len(images) // self.smallest_share))
            shares = images.tensor_split(members)
            # Each share is about (b / m, c, h, w); their answers in order are (b, k) again.
            return torch.cat([member(share) for member, share in zip(self.members, shares, strict=False)])
        return log_mean_probability([member(images) for member in self.members])

    def in_graph(self, graph: Graph, x: str) -> str:
        """What `forward` computes in eval mode, as operators of ONNX."""
        return log_mean_probability_in_graph(graph, [graph.layer(member, x) for member in self.members])


def log_mean_probability(logits: Sequence[Tensor]) -> Tensor:
    """Several answers (b, k) to the same images as one: the logarithm of the mean probability, (b, k).

    Of one output, (b,) or (b, 1), what a sigmoid makes the mean probability of.
    """
    answers = torch.stack([full_precision(answer) for answer in logits])  # (m, b, k)
    if is_binary(answers[0]):
        return logsigmoid(answers).logsumexp(0) - logsigmoid(-answers).logsumexp(0)
    return answers.log_softmax(-1).logsumexp(0) - math.log(len(answers))


def log_mean_probability_in_graph(graph: Graph, logits: Sequence[str]) -> str:
    """The same as operators of ONNX, of answers with an output for each class."""
    first = graph.places(0)
    answers = [graph.add("Unsqueeze", graph.add("LogSoftmax", answer, axis=1), first) for answer in logits]
    together = graph.add("ReduceLogSumExp", graph.add("Concat", *answers, axis=0), first, keepdims=0)
    return graph.add("Sub", together, graph.weight(torch.tensor(math.log(len(logits)))))
