"""Any picture as the pixels that a model knows.

Shapes: (c, h, w) one image as the model knows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from honshi.errors import ImageError
from honshi.messages import Message
from honshi.pictures.contract import InputContract, edges
from honshi.pictures.digits import bring_into_form, in_form
from honshi.pictures.opening import Source, called
from honshi.pictures.reader import Reading, in_8_bits, plain, read

# A picture's file, its content, or its pixels: PIL, numbers (h, w) or (h, w, 3) in numpy, uint8 (c, h, w) in torch.
Picture: TypeAlias = Source | Image.Image | NDArray[Any] | Tensor


@dataclass(frozen=True)
class Prepared:
    """A picture as a model knows it.

    Attributes:
        pixels: uint8 (c, h, w).
        formed: whether it was brought into the form that the training images had (``contract.form``).
        several: whether its file holds more pictures, of which the first was taken.
    """

    pixels: Tensor
    formed: bool
    several: bool = False


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


def prepared(image: Picture, contract: InputContract, *, where: object = None, invert: bool = False) -> Prepared:
    """As `prepare`, and whether the picture was brought into a form."""
    if isinstance(image, Tensor) and image.dtype == torch.uint8 and image.shape == contract.shape and not invert:
        return Prepared(image, formed=False)
    reading = _read(image, contract, where)
    picture = reading.picture
    if invert:
        picture = ImageOps.invert(picture)
    if formed := contract.form is not None and not in_form(_pixels(picture)):
        digit = bring_into_form(picture.convert("L"))
        formed = digit is not None
        picture = picture if digit is None else Image.fromarray(digit).convert(picture.mode)
    return Prepared(_pixels(_fitted(picture, contract)), formed, reading.several)


def _fitted(picture: Image.Image, contract: InputContract) -> Image.Image:
    """In the size that the contract wants."""
    size = contract.shape[2], contract.shape[1]
    if picture.size == size:
        return picture
    match contract.fit:
        case "pad":
            return ImageOps.pad(picture, size, Image.Resampling.LANCZOS, color=_border(picture))
        case "crop":
            return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)
        case "stretch":
            return picture.resize(size, Image.Resampling.LANCZOS)


def look_inverted(pixels: Tensor, contract: InputContract) -> Tensor:
    """Whether images, uint8 (n, c, h, w), have a light border where training images had a dark one, or the reverse;
    bool (n,)."""
    brightness = torch.cat([edge.flatten(1) for edge in edges(pixels)], 1).float().mean(1) / 255  # (n,)
    return (brightness - contract.background).abs() > 0.6


def _read(image: Picture, contract: InputContract, where: object) -> Reading:
    """In the mode that the contract wants, upright."""
    if isinstance(image, (str, Path, bytes)):
        return read(image, contract, where)
    name = called(image, where)
    try:
        picture = image if isinstance(image, Image.Image) else _from_pixels(image, contract, name)
        return Reading(plain(picture, contract, name))
    except (ValueError, OSError) as error:
        raise ImageError("{where}: the image cannot be read: {problem}.", where=name, problem=error) from error


def _from_pixels(image: NDArray[Any] | Tensor, contract: InputContract, where: str) -> Image.Image:
    """Pixels as a picture; in torch channels come first, in numpy last."""
    if isinstance(image, Tensor):
        return _from_tensor(image)
    if not isinstance(image, np.ndarray):
        raise ImageError(
            "A picture is the path of a file, its bytes, a PIL image, or pixels as a NumPy array or a tensor, not a "
            "{kind}.",
            kind=type(image).__name__,
        )
    if 0 in image.shape or image.ndim < 2 or image.shape[2:] not in ((), (1,), (3,), (4,)):
        raise ImageError("The pixels of one image are (h, w) or (h, w, 3) in numpy, not {shape}.", shape=image.shape)
    pixels = image[..., 0] if image.shape[2:] == (1,) else image
    if pixels.dtype == np.bool_:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    elif pixels.dtype.kind not in "iuf":
        raise ImageError("Pixels are numbers, and not {dtype}: uint8 from 0 to 255 is usual.", dtype=image.dtype)
    elif pixels.dtype != np.uint8:
        pixels = in_8_bits(pixels, contract.scale, where)
    return Image.fromarray(np.ascontiguousarray(pixels))


def _from_tensor(image: Tensor) -> Image.Image:
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
    return Image.fromarray(np.ascontiguousarray(pixels))


def _pixels(picture: Image.Image) -> Tensor:
    """A picture of the mode "L" or "RGB" as uint8 (c, h, w)."""
    pixels = torch.from_numpy(np.array(picture))
    return pixels.unsqueeze(0) if pixels.dim() == 2 else pixels.permute(2, 0, 1)


def _border(picture: Image.Image) -> int | tuple[int, ...]:
    """The median colour of the four corners."""
    width, height = picture.size
    corners = [picture.getpixel((x, y)) for x in (0, width - 1) for y in (0, height - 1)]
    median = np.median(np.array(corners), axis=0).astype(int)  # of (4,) or (4, 3)
    return int(median) if median.ndim == 0 else tuple(int(value) for value in median)
