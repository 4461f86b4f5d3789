"""What is known of a picture before it is prepared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a picture is like.

    Attributes:
        width, height: in pixels, as it is shown: after it was turned as its EXIF data say.
        channels: 1 where it can only hold grey, 3 where it can hold colours.
        kind: of its values. "8 bit": up to 255; "integers": of more than 8 bits; "floats": floating-point numbers.
        lowest, highest: of its values; of 8 bits, and of formats that say what is white, what they can be.
        several: whether its file holds more than one picture, of which the first is taken: an animation, pages.
    """

    width: int
    height: int
    channels: Literal[1, 3]
    kind: Literal["8 bit", "integers", "floats"] = "8 bit"
    lowest: float = 0
    highest: float = 255
    several: bool = False
