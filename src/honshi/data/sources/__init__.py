"""From what ``--data`` says to labelled images: a file for each kind of source."""

from honshi.data.sources.named import NAMED, Source, is_published, is_sharded
from honshi.data.sources.opening import lasting_name, open_published, open_source

__all__ = ["NAMED", "Source", "is_published", "is_sharded", "lasting_name", "open_published", "open_source"]
