"""What can go wrong in an exam is tried before it is opened: on black pictures, which tell nothing of the test set.

Shapes: b pictures in a batch, each (c, h, w); k outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from honshi.data.examples import Examples
from honshi.errors import ModelError
from honshi.evaluation.evaluate import BATCH_SIZE
from honshi.messages import Message
from honshi.models.card import card_of
from honshi.models.modes import evaluating, full_precision
from honshi.native.layers import compiled_layers
from honshi.runtime import device_of


def rehearse(model: nn.Module, images: Examples) -> None:
    """See that a model can be scored on such images. None of them is shown to it.

    Raises:
        ModelError: it cannot; the message says why. Nothing has been opened.
    """
    card = card_of(model)
    if card is not None and card.contract.shape != images.shape:
        raise _refused(
            Message(
                "it was trained on images of {trained} (channels × height × width) and those of the test set have "
                "{tested}",
                trained="×".join(map(str, card.contract.shape)),
                tested="×".join(map(str, images.shape)),
            )
        )
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, Tensor) and tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise _refused(Message("{name} holds values that are not finite numbers", name=name))
    if not len(images):
        raise _refused(Message("the test set has no images"))
    count = min(BATCH_SIZE, len(images))
    try:
        device = device_of(model)
        black = torch.zeros(count, *images.shape, dtype=torch.uint8, device=device)
        with evaluating(model) as scored, compiled_layers(scored):
            answers = scored(images.normalization(black))
    # Whatever a model of the user's own raises: the exam must not be begun with it.
    except Exception as error:
        raise _refused(
            Message(
                "when asked about pictures of the test set's shape it raised {kind}: {problem}",
                kind=type(error).__name__,
                problem=error,
            )
        ) from error
    if not isinstance(answers, Tensor):
        raise _refused(
            Message("it answers with a {kind} and not with one tensor of logits", kind=type(answers).__name__)
        )
    if answers.dim() != 2 or len(answers) != count or not answers.is_floating_point():
        raise _refused(
            Message(
                "for {count} pictures it answers with {kind} of shape {shape} and not with logits, a row for each "
                "picture",
                count=count,
                kind=str(answers.dtype).removeprefix("torch."),
                shape=tuple(answers.shape),
            )
        )
    if answers.shape[1] < len(images.classes):
        raise _refused(
            Message(
                "it has {outputs} outputs and the test set {classes} classes",
                outputs=answers.shape[1],
                classes=len(images.classes),
            )
        )
    if not bool(full_precision(answers).isfinite().all()):
        raise _refused(Message("its answers to black pictures are not finite numbers"))


def _refused(why: Message) -> ModelError:
    return ModelError("The exam is not opened: this model cannot sit it, because {why}. Nothing was recorded.", why=why)
