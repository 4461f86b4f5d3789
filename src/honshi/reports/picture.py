"""How every report becomes a file, and the words in it."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

from matplotlib import font_manager, rcParams
from matplotlib.figure import Figure
from matplotlib.text import Text

from honshi.files import write_whole
from honshi.language import language
from honshi.messages import Message

# Fonts with Japanese that systems come with, or that a package of theirs brings.
JAPANESE = (
    "Noto Sans CJK JP",
    "Noto Sans JP",
    "Hiragino Sans",
    "Yu Gothic",
    "Meiryo",
    "IPAexGothic",
    "IPAGothic",
    "TakaoGothic",
    "VL Gothic",
    "MS Gothic",
)


def drawn(sentence: str, /, **parameters: Any) -> str:
    """Words for a picture: in the language that is spoken, or in English where no font here has its letters."""
    message = Message(sentence, **parameters)
    return message.english if language() == "ja" and _japanese() is None else str(message)


def save_picture(figure: Figure, path: Path) -> None:
    """Write a figure, whole or not at all; the suffix tells the kind (png, svg, pdf).

    Names of classes may be Japanese whatever is spoken, so a font that has its letters stands behind the usual one.
    """
    if (font := _japanese()) is not None:
        for text in figure.findobj(Text):
            text.set_fontfamily([*rcParams["font.family"], font])
    picture = io.BytesIO()
    figure.savefig(picture, format=path.suffix.lstrip(".") or "png", dpi=150)
    write_whole(path, picture.getvalue())


@cache
def _japanese() -> str | None:
    """A font that has Japanese, where one is installed."""
    installed = set(font_manager.get_font_names())
    return next((name for name in JAPANESE if name in installed), None)
