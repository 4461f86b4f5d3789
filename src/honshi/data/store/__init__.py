"""Own pictures as Examples: read once into a file of raw pixels, and mapped from it ever after.

    form = decide(listing, Settings(size=64))   # to which shape, grey or colour, in which scale
    images = ingest(listing, form)              # reads what is new, and maps the rest

What lies where is in `layout`; `build` writes a file of pixels whole or goes on with one; `workers` decode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from honshi.lazy import lazily

if TYPE_CHECKING:
    from honshi.data.store.deciding import decide
    from honshi.data.store.form import Form, Settings
    from honshi.data.store.mapped import Mapped
    from honshi.data.store.reading import Reading, contents, ingest

__all__ = ["Form", "Mapped", "Reading", "Settings", "contents", "decide", "ingest"]

__getattr__ = lazily(
    __name__,
    {
        "Form": "honshi.data.store.form",
        "Mapped": "honshi.data.store.mapped",
        "Reading": "honshi.data.store.reading",
        "Settings": "honshi.data.store.form",
        "contents": "honshi.data.store.reading",
        "decide": "honshi.data.store.deciding",
        "ingest": "honshi.data.store.reading",
    },
)
