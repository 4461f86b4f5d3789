"""Any picture as the pixels that a model knows.

Shapes: (c, h, w) one image as the model knows it.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from honshi.errors import ImageError
from honshi.messages import Message
from honshi.pictures.contract import InputContract, edges
from honshi.pictures.fitting import Prepared, Readable, fitted

# A picture's file, its content, or its pixels: PIL, numbers (h, w) or (h, w, 3) in numpy, uint8 (c, h, w) in torch.
Picture: TypeAlias = Readable | Tensor


def prepare(image: Picture, contract: InputContract, *, where: object = None, invert: bool = False) -> Tensor:
    """Any picture as the uint8 pixels (c, h, w) that a model knows: in training and prediction alike.

    Turned as its EXIF data say, laid on white where it is transparent, made grey or RGB, brought to 8 bits by the
    contract's scale, and to its size as ``contract.fit`` says. Where the training images had been brought into a
    form before, as MNIST's were, a picture that is not in it is brought into it instead.

    Args:
        image: a file, the bytes of one, or pixels; a tensor that has the model's shape and type already is left alone.
        contract: what the model wants; ``images.preprocessing`` is one. Without its form (``dataclasses.replace(…,
            form=None)``) a picture is taken as it is.
        invert: swap dark and light first.

    Raises:
        ImageError, DataNotFoundError: it cannot be read.
    """
    return prepared(image, contract, where=where, invert=invert).pixels


def prepared(
    image: Picture, contract: InputContract, *, where: object = None, invert: bool = False
) -> Prepared[Tensor]:
    """As `prepare`, and whether the picture was brought into a form."""
    if isinstance(image, Tensor) and image.dtype == torch.uint8 and image.shape == contract.shape and not invert:
        return Prepared(image, formed=False)
    found = fitted(_pixels_of(image) if isinstance(image, Tensor) else image, contract, where=where, invert=invert)
    return Prepared(torch.from_numpy(found.pixels), found.formed, found.several)


def look_inverted(pixels: Tensor, contract: InputContract) -> Tensor:
    """Whether images, uint8 (n, c, h, w), have a light border where training images had a dark one, or the reverse;
    bool (n,)."""
    brightness = torch.cat([edge.flatten(1) for edge in edges(pixels)], 1).float().mean(1) / 255  # (n,)
    return (brightness - contract.background).abs() > 0.6


def _pixels_of(image: Tensor) -> NDArray[Any]:
    """Of a picture in torch, whose channels come first: (h, w) or (h, w, c)."""
    if image.dtype != torch.uint8:
        raise ImageError(
            "Pixels are uint8 from 0 to 255, not {dtype}. Numbers from 0 to 1 are multiplied by 255, rounded and made "
            "uint8 for that.",
            dtype=image.dtype,
        )
    shape = tuple(image.shape)
    if 0 in shape or len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] not in (1, 3, 4)):
        raise ImageError(
            "The pixels of one image are (h, w) or (c, h, w) in torch, with 1, 3 or 4 channels, not {shape}.{hint}",
            shape=shape,
            hint=Message(" Put the channels first: image.permute(2, 0, 1).") if shape[2:] in ((1,), (3,), (4,)) else "",
        )
    pixels = image.cpu().numpy()  # (h, w) or (c, h, w)
    if pixels.ndim == 3:
        pixels = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
    return np.ascontiguousarray(pixels)
