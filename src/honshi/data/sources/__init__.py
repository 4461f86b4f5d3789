"""From what ``--data`` says to labelled images: a file for each kind of source."""

from honshi.data.sources.named import NAMED, Source, is_published
from honshi.data.sources.opening import lasting_name, open_published, open_source

__all__ = ["NAMED", "Source", "is_published", "lasting_name", "open_published", "open_source"]
