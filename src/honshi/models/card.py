"""What honshi knows of a model beside its weights: the card that it carries, one attribute on the module.

Everything else on a user's module is the user's, whatever it is called.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from honshi.errors import ModelError
from honshi.pictures.contract import InputContract, Preprocessing

ATTRIBUTE = "_honshi_card"
# What a user may set on a model of his own.
_SAID = "preprocessing"


@dataclass(frozen=True)
class Card:
    """What must be known to ask a model about a picture and to understand its answer.

    Attributes:
        contract: what a picture must become before the model may see it.
        classes: the name of each class (k).
        temperature: by what its logits are divided when probabilities are made of them; 1 if it was not calibrated.
    """

    contract: InputContract
    classes: tuple[str, ...]
    temperature: float = 1.0


def card_of(model: nn.Module) -> Card | None:
    """The card of a model; None where nothing is known of it.

    ``model.preprocessing = images.preprocessing``, which a user may write, goes before what the model was
    trained on. Anything else of that name is the user's own.
    """
    layers = list(_wrappers(model))
    card: Card | None = vars(layers[-1]).get(ATTRIBUTE)
    for layer in layers:
        # Of the class and not of the module: a property of that name is none of our business, nor is what it does.
        said = vars(layer)[_SAID] if _SAID in vars(layer) else getattr(type(layer), _SAID, None)
        if isinstance(said, Preprocessing):
            return Card(said.contract, said.classes, card.temperature if card is not None else 1.0)
    return card


def needed_card(model: nn.Module) -> Card:
    """The card of a model that cannot be asked without one.

    Raises:
        ModelError: it was trained in a way that does not tell.
    """
    card = card_of(model)
    if card is None:
        raise ModelError(
            "Nothing is known of how this model wants its images. Train it with honshi.fit on honshi.Images, "
            "load it with honshi.load_model, or set it: model.preprocessing = images.preprocessing."
        )
    return card


def attach(model: nn.Module, card: Card) -> None:
    """Give a model its card, in place of all that was known of it before."""
    detach(model)
    for layer in _wrappers(model):
        if isinstance(vars(layer).get("preprocessing"), Preprocessing):
            del vars(layer)["preprocessing"]
    setattr(unwrapped(model), ATTRIBUTE, card)


def detach(model: nn.Module) -> None:
    """Take the card from a model, as when it is trained anew on what tells nothing of pictures."""
    vars(unwrapped(model)).pop(ATTRIBUTE, None)


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, without what computes it on several devices or compiled."""
    *_, inmost = _wrappers(model)
    return inmost


def _wrappers(model: nn.Module) -> Iterator[nn.Module]:
    """The module that was given, and what is wrapped in it, inwards to the model itself."""
    yield model
    while (inner := _wrapped(model)) is not None:
        model = inner
        yield model


def _wrapped(model: nn.Module) -> nn.Module | None:
    if isinstance(model, (DataParallel, DistributedDataParallel)):
        module: nn.Module = model.module
        return module
    # Whoever has such a module has loaded this; loading it for the question would take half a second.
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    return model._orig_mod if dynamo is not None and isinstance(model, dynamo.OptimizedModule) else None
