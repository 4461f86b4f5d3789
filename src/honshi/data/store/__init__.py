"""Own pictures as Examples: read once into a file of raw pixels, and mapped from it ever after.

    form = decide(listing, Settings(size=64))   # to which shape, grey or colour, in which scale
    images = ingest(listing, form)              # reads what is new, and maps the rest

What lies where is in `layout`; `build` writes a file of pixels whole or goes on with one; `workers` decode.
"""

from honshi.data.store.deciding import decide
from honshi.data.store.form import Form, Settings
from honshi.data.store.ingest import Reading, contents, ingest
from honshi.data.store.mapped import Mapped

__all__ = ["Form", "Mapped", "Reading", "Settings", "contents", "decide", "ingest"]
