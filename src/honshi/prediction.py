"""One image, or a folder of them, and what the model takes them for.

Shapes: n images; (c, h, w) one image as the model knows it; k classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor, nn

from honshi.data.images import Preprocessing, border_brightness
from honshi.errors import DataNotFoundError, ImageError, ModelError
from honshi.evaluation.evaluate import BATCH_SIZE
from honshi.models.modes import evaluating
from honshi.native.layers import compiled_layers
from honshi.runtime import device_of

# A picture's file, or its pixels: PIL, uint8 (h, w) or (h, w, 3) in numpy, uint8 (c, h, w) in torch.
Picture: TypeAlias = str | Path | Image.Image | NDArray[np.uint8] | Tensor

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}


@dataclass(frozen=True)
class Prediction:
    """What a model takes an image for.

    Attributes:
        label: the most probable class.
        confidence: its probability.
        probabilities: of every class, adding up to 1.
    """

    label: str
    confidence: float
    probabilities: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Predictions(Sequence[Prediction]):
    """What a model takes each of many images for: a sequence of `Prediction`, and all of them as arrays.

    Attributes:
        classes: their names (k).
        probabilities: of each image and class, float64 (n, k).
    """

    def __init__(self, classes: tuple[str, ...], probabilities: Tensor) -> None:
        self.classes = classes
        self.probabilities = probabilities

    @property
    def labels(self) -> list[str]:
        """The most probable class of each image (n)."""
        return [self.classes[best] for best in self.probabilities.argmax(1).tolist()]

    @property
    def confidences(self) -> list[float]:
        """Its probability (n)."""
        confidences: list[float] = self.probabilities.amax(1).tolist()
        return confidences

    def __len__(self) -> int:
        return len(self.probabilities)

    @overload
    def __getitem__(self, place: int) -> Prediction: ...
    @overload
    def __getitem__(self, place: slice) -> Predictions: ...
    def __getitem__(self, place: int | slice) -> Prediction | Predictions:
        if isinstance(place, slice):
            return Predictions(self.classes, self.probabilities[list(range(len(self))[place])])
        row = self.probabilities[place].tolist()
        best = row.index(max(row))
        return Prediction(self.classes[best], row[best], dict(zip(self.classes, row, strict=True)))


def predict(model: nn.Module, image: Picture, *, invert: bool = False) -> Prediction:
    """The class of one image, with its confidence.

    Args:
        model: one that was trained by `honshi.fit` on `Images`, or loaded with `honshi.load_model`.
        image: a file, a PIL image, or uint8 pixels. Any size: it is scaled to what the model knows.
        invert: swap dark and light, for ink on paper where the model learnt chalk on a board.

    Raises:
        ModelError: nothing is known of how this model wants its images.
        ImageError: the file is no image that can be read.
        DataNotFoundError: there is no such file.
    """
    pixels = prepare(image, preprocessing_of(model), invert=invert)
    return predict_pixels(model, pixels.unsqueeze(0))[0]


def predict_pixels(model: nn.Module, pixels: Tensor) -> Predictions:
    """The classes of many prepared images, uint8 (n, c, h, w).

    Raises:
        ModelError: nothing is known of how this model wants its images.
    """
    preprocessing = preprocessing_of(model)
    device = device_of(model)
    temperature = temperature_of(model)
    # For one image it would take longer to look for such layers than they save.
    compiled = compiled_layers(model) if len(pixels) > 1 else nullcontext()
    with evaluating(model), compiled:
        logits = [model(preprocessing.normalization(part.to(device))) for part in pixels.split(BATCH_SIZE)]
    probabilities = (torch.cat(logits).cpu() / temperature).softmax(1, dtype=torch.float64)
    return Predictions(preprocessing.classes, probabilities)


def temperature_of(model: nn.Module) -> float:
    """By what this model's logits are divided when probabilities are made of them; 1 if it was not calibrated."""
    return float(getattr(model, "temperature", 1.0))


def preprocessing_of(model: nn.Module) -> Preprocessing:
    """How this model wants its images.

    Raises:
        ModelError: it was trained in a way that does not tell.
    """
    preprocessing = getattr(model, "preprocessing", None)
    if not isinstance(preprocessing, Preprocessing):
        raise ModelError(
            "Nothing is known of how this model wants its images. Train it with honshi.fit on honshi.Images, "
            "load it with honshi.load_model, or say it: model.preprocessing = images.preprocessing."
        )
    return preprocessing


def prepare(image: Picture, preprocessing: Preprocessing, *, invert: bool = False) -> Tensor:
    """Any picture as the uint8 pixels (c, h, w) that a model knows.

    Turned as its EXIF data say, laid on white where it is transparent, made grey or
    RGB, scaled to fit, and centred on a canvas of its border colour where the proportions differ.

    Raises:
        ImageError, DataNotFoundError: it cannot be read.
    """
    if isinstance(image, Tensor) and image.dtype == torch.uint8 and image.shape == preprocessing.shape and not invert:
        return image  # it is what it shall become
    channels, height, width = preprocessing.shape
    picture = _open(image).convert("L" if channels == 1 else "RGB")
    if picture.size != (width, height):
        picture = ImageOps.pad(picture, (width, height), Image.Resampling.LANCZOS, color=_border(picture))
    if invert:
        picture = ImageOps.invert(picture)
    pixels = torch.from_numpy(np.array(picture))
    return pixels.unsqueeze(0) if pixels.dim() == 2 else pixels.permute(2, 0, 1)


def looks_inverted(pixels: Tensor, preprocessing: Preprocessing) -> bool:
    """Whether an image, uint8 (c, h, w), has a light border where the training images had a dark one, or reverse."""
    return abs(border_brightness(pixels) - preprocessing.background) > 0.6


def find_images(paths: Sequence[Path]) -> list[Path]:
    """The files themselves, and in the place of a folder the images below it, sorted.

    Raises:
        DataNotFoundError: there is no such file, or a folder has no image.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
            if not inside:
                raise DataNotFoundError(f"{path}: there is no image in this folder ({', '.join(sorted(SUFFIXES))}).")
            found += inside
        elif path.exists():
            found.append(path)
        else:
            raise DataNotFoundError(f"{path}: there is no such file or folder.")
    return found


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
