"""What can go wrong in an exam is tried before it is opened: on pictures of noise, which tell nothing of the test set.

Shapes: b pictures in a batch, each (c, h, w); k outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from honshi.data.examples import Examples
from honshi.errors import ModelError
from honshi.evaluation.evaluate import BATCH_SIZE
from honshi.messages import Message
from honshi.models.card import card_of
from honshi.models.modes import evaluating, full_precision
from honshi.models.outputs import is_binary
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
    _check_numbers(model)
    if not len(images):
        raise _refused(Message("the test set has no images"))
    count = min(BATCH_SIZE, len(images))
    try:
        device = device_of(model)
        # Not black: what divides by the contrast of a picture answers to those with one.
        generator = torch.Generator().manual_seed(0)
        noise = torch.randint(0, 256, (count, *images.shape), dtype=torch.uint8, generator=generator).to(device)
        with evaluating(model) as scored, compiled_layers(scored):
            answers = scored(images.normalization(noise))
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
    # Of two classes one number is enough.
    as_logits = answers.dim() == 2 or (answers.dim() == 1 and len(images.classes) == 2)
    if not as_logits or len(answers) != count or not answers.is_floating_point() or answers.is_sparse:
        raise _refused(
            Message(
                "for {count} pictures it answers with {kind} of shape {shape} and not with logits, a row for each "
                "picture",
                count=count,
                kind=str(answers.dtype).removeprefix("torch."),
                shape=tuple(answers.shape),
            )
        )
    outputs = 2 if is_binary(answers) else answers.shape[1]
    if outputs < len(images.classes):
        raise _refused(
            Message(
                "it has {outputs} outputs and the test set {classes} classes",
                outputs=answers[0].numel(),
                classes=len(images.classes),
            )
        )
    # A class that is ruled out has a logit of minus infinity; one that is left has a number.
    if not bool(full_precision(answers).reshape(count, -1).logsumexp(1).isfinite().all()):
        raise _refused(Message("its answers to pictures of noise are not finite numbers"))


def _check_numbers(model: nn.Module) -> None:
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    for name, tensor in model.state_dict().items():
        if not isinstance(tensor, Tensor):
            continue
        if is_lazy(tensor):
            raise _refused(Message("{name} is not initialised: it has seen no picture yet", name=name))
        if tensor.is_meta:
            raise _refused(Message("{name} is on the device meta, where tensors hold no numbers", name=name))
        if not tensor.is_floating_point():
            continue
        # A mask, as attention has it, is a buffer with infinities.
        if bool((~tensor.isfinite() if name in parameters else tensor.isnan()).any()):
            raise _refused(Message("{name} holds values that are not finite numbers", name=name))


def _refused(why: Message) -> ModelError:
    return ModelError("The exam is not opened: this model cannot sit it, because {why}. Nothing was recorded.", why=why)
