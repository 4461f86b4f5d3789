"""Many pictures' files, some of which cannot be read.

They are read and asked about in blocks, so that of any number of them no more than two blocks are held.

Shapes: n images; (c, h, w) one image as the model knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from honshi.errors import DataNotFoundError, ImageError
from honshi.evaluation.evaluate import BATCH_SIZE
from honshi.pictures.contract import InputContract
from honshi.pictures.fitting import Prepared
from honshi.pictures.prepare import look_inverted, prepared
from honshi.prediction.answers import Answer, Prediction, Predictions

# A picture of so few bytes is decoded in less time than it takes to hand it over to another thread: most of that is
# Python, of which two threads do no more than one.
SMALL_BYTES = 1 << 16
# What the content of a picture without a name is called.
UNNAMED = Path("-")

Reading: TypeAlias = Callable[[], Prepared[Tensor] | ImageError]


def answer_files(
    ask: Callable[[Tensor], Predictions],
    pictures: Iterable[Path | bytes],
    contract: InputContract,
    *,
    invert: bool = False,
    seen: Callable[[Path, Tensor], None] | None = None,
) -> Iterator[Answer]:
    """What a model takes each of many pictures for, in their order; one that cannot be read is reported in its place.

    Args:
        ask: the model, of prepared images, uint8 (n, c, h, w).
        pictures: their files, or the content of one.
        contract: what each must become; the model's own, or that without its form.
        invert: swap dark and light.
        seen: called with each picture's name and what the model saw of it, uint8 (c, h, w), before its answer.

    Raises:
        ModelError: by the model.
    """
    remaining = iter(pictures)
    threads = ThreadPoolExecutor(torch.get_num_threads())

    def next_block() -> list[tuple[Path, Reading]]:
        """Pictures of which the large ones are being read."""
        return [begun(picture) for picture in islice(remaining, BATCH_SIZE)]

    def begun(picture: Path | bytes) -> tuple[Path, Reading]:
        read = partial(_read, picture, contract, invert)
        name = picture if isinstance(picture, Path) else UNNAMED
        return name, threads.submit(read).result if _is_large(picture) else read

    try:
        block = next_block()
        while block:
            following = next_block()
            yield from _answers([(name, read()) for name, read in block], ask, contract, seen)
            block = following
    finally:
        threads.shutdown(cancel_futures=True)


def _is_large(picture: Path | bytes) -> bool:
    if isinstance(picture, bytes):
        return len(picture) >= SMALL_BYTES
    try:
        return picture.stat().st_size >= SMALL_BYTES
    except (OSError, ValueError):  # reading it will say why
        return False


def _read(picture: Path | bytes, contract: InputContract, invert: bool) -> Prepared[Tensor] | ImageError:
    try:
        return prepared(picture, contract, invert=invert)
    except ImageError as error:
        return error
    except DataNotFoundError as error:
        return ImageError(error.message)


def _answers(
    block: list[tuple[Path, Prepared[Tensor] | ImageError]],
    ask: Callable[[Tensor], Predictions],
    contract: InputContract,
    seen: Callable[[Path, Tensor], None] | None,
) -> Iterator[Answer]:
    readable = [one for _, one in block if isinstance(one, Prepared)]
    found: Iterator[tuple[Prediction, bool]] = iter(())
    if readable:
        pixels = torch.stack([one.pixels for one in readable])  # (n, c, h, w)
        found = zip(ask(pixels), look_inverted(pixels, contract).tolist(), strict=True)
    for name, one in block:
        if isinstance(one, ImageError):
            yield Answer(name, None, one)
        else:
            prediction, inverted = next(found)
            if seen is not None:
                seen(name, one.pixels)
            yield Answer(name, prediction, formed=one.formed, inverted=inverted)
