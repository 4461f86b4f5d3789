"""Any picture as the pixels that a model knows.

Shapes: (c, h, w) one image as the model knows it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from honshi.errors import DataNotFoundError, ImageError
from honshi.pictures.contract import InputContract, border_brightness

# A picture's file, or its pixels: PIL, uint8 (h, w) or (h, w, 3) in numpy, uint8 (c, h, w) in torch.
Picture: TypeAlias = str | Path | Image.Image | NDArray[np.uint8] | Tensor


def prepare(image: Picture, contract: InputContract, *, invert: bool = False) -> Tensor:
    """Any picture as the uint8 pixels (c, h, w) that a model knows.

    Turned as its EXIF data say, laid on white where it is transparent, made grey or
    RGB, scaled to fit, and centred on a canvas of its border colour where the proportions differ.

    Raises:
        ImageError, DataNotFoundError: it cannot be read.
    """
    if isinstance(image, Tensor) and image.dtype == torch.uint8 and image.shape == contract.shape and not invert:
        return image  # it is what it shall become
    channels, height, width = contract.shape
    picture = _open(image).convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        picture = ImageOps.pad(picture, (width, height), Image.Resampling.LANCZOS, color=_border(picture))
    if invert:
        picture = ImageOps.invert(picture)
    pixels = torch.from_numpy(np.array(picture))
    return pixels.unsqueeze(0) if pixels.dim() == 2 else pixels.permute(2, 0, 1)


def looks_inverted(pixels: Tensor, contract: InputContract) -> bool:
    """Whether an image, uint8 (c, h, w), has a light border where the training images had a dark one, or reverse."""
    return abs(border_brightness(pixels) - contract.background) > 0.6


def _open(image: Picture) -> Image.Image:
    if isinstance(image, Tensor):
        image = image.cpu().numpy()
        if image.ndim == 3:
            image = image[0] if len(image) == 1 else image.transpose(1, 2, 0)
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8:
            raise ImageError(f"Pixels are uint8 from 0 to 255, not {image.dtype}.")
        if not image.size or image.ndim < 2 or image.shape[2:] not in ((), (3,), (4,)):
            raise ImageError(f"The pixels of one image are (h, w) or (h, w, 3), not {image.shape}.")
        image = Image.fromarray(image)
    if isinstance(image, Image.Image):
        return _flattened(ImageOps.exif_transpose(image))
    try:
        with Image.open(image) as opened:
            return _flattened(ImageOps.exif_transpose(opened))
    except FileNotFoundError:
        raise DataNotFoundError(f"{image}: there is no such file.") from None
    except UnidentifiedImageError:
        raise ImageError(f"{image}: this is not an image that can be read.") from None
    # Pillow reports damage by many kinds of error, SyntaxError for a broken PNG among them.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{image}: the image cannot be read: {error}.") from error


def _flattened(picture: Image.Image) -> Image.Image:
    """Without transparency: what shows through is white, as where the picture was drawn."""
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        # More than 8 bits a pixel; Pillow's own conversion would cut off instead of scaling.
        values = np.asarray(picture, dtype=np.float64)
        largest = 65535.0 if values.max(initial=0) > 255 else 255.0
        return Image.fromarray((values * (255 / largest)).clip(0, 255).astype(np.uint8))
    if picture.has_transparency_data:
        layered = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), layered).convert("RGB")
    return picture


def _border(picture: Image.Image) -> int | tuple[int, ...]:
    """The median colour of the four corners."""
    width, height = picture.size
    corners = [picture.getpixel((x, y)) for x in (0, width - 1) for y in (0, height - 1)]
    median = np.median(np.array(corners), axis=0).astype(int)
    return int(median) if median.ndim == 0 else tuple(int(value) for value in median)
