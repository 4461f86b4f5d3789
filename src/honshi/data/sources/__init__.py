"""From what ``--data`` says to labelled images: a file for each kind of source."""

from honshi.data.sources.named import NAMED, Source, lasting_name, open_source

__all__ = ["NAMED", "Source", "lasting_name", "open_source"]
