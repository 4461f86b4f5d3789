"""The one shape that all pictures of a store have, as it is asked for and as it is decided."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, TypeAlias

import PIL
from PIL import features

from honshi.arguments import check_count
from honshi.errors import ArgumentError
from honshi.files import sha256
from honshi.messages import Message
from honshi.pictures.contract import InputContract, Normalization, Scale

# Counted up whenever the same picture is read as other pixels.
READER = 1
# The largest side that one may ask for.
LARGEST = 4096

Fit: TypeAlias = Literal["pad", "crop", "stretch"]
FITS = ("pad", "crop", "stretch")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is asked for; `decide` fills in what is not.

    Attributes:
        size: the side of a square, in pixels.
        fit: how a picture of other proportions gets this shape.
        channels: 1 grey, 3 colour.
        scale: what counts as white in pictures of more than 8 bits.
    """

    size: int | None = None
    fit: Fit = "pad"
    channels: int | None = None
    scale: Scale | None = None

    def __post_init__(self) -> None:
        """
        Raises:
            ArgumentError: one of these cannot be.
        """
        if self.size is not None and check_count("size", self.size) > LARGEST:
            raise ArgumentError("size is at most {most:,} pixels, and not {size:,}.", most=LARGEST, size=self.size)
        if self.fit not in FITS:
            raise ArgumentError("fit is one of {fits}, not {fit!r}.", fits=", ".join(FITS), fit=self.fit)
        if self.channels not in (None, 1, 3):
            raise ArgumentError("channels is 1 (grey) or 3 (colour), not {value!r}.", value=self.channels)


@dataclass(frozen=True, kw_only=True)
class Form:
    """The one shape that all pictures of a store have, and how they come to it.

    Attributes:
        shape: (c, h, w).
        fit: how a picture of other proportions gets it.
        scale: what counts as white in pictures of more than 8 bits.
        reader: what read them: another version may give other pixels of the same file.
    """

    shape: tuple[int, int, int]
    fit: Fit = "pad"
    scale: Scale = Scale()  # noqa: RUF009  # frozen
    reader: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "reader", self.reader or reader())

    @property
    def bytes(self) -> int:
        """Of one picture."""
        channels, height, width = self.shape
        return channels * height * width

    @property
    def contract(self) -> InputContract:
        """As what a picture is prepared; the normalisation plays no part in that."""
        shown = Normalization(mean=(0.0,), std=(1.0,))
        return InputContract(shape=self.shape, normalization=shown, fit=self.fit, scale=self.scale)

    @property
    def key(self) -> str:
        return sha256(json.dumps(self.to_dict(), sort_keys=True).encode())[:16]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """
        Raises:
            TypeError, ValueError, KeyError: these are not what `to_dict` gave.
        """
        channels, height, width = map(int, values["shape"])
        scale = Scale(**values["scale"])
        return cls(shape=(channels, height, width), fit=values["fit"], scale=scale, reader=str(values["reader"]))

    @property
    def sentence(self) -> Message:
        """For a plan: to what the pictures are brought."""
        channels, height, width = self.shape
        kind = Message("colour") if channels == 3 else Message("grey")
        return Message("{width} x {height} pixels, {kind}", width=width, height=height, kind=kind)


def reader() -> str:
    """What reads pictures here: honshi's own version of it, Pillow's and that of its JPEG decoder."""
    jpeg = features.version_feature("libjpeg_turbo") or features.version_codec("jpg")
    return f"{READER}, Pillow {PIL.__version__}, JPEG {jpeg}"
