"""A program that reads pictures slowly, and says how far it is: to be killed, or to be run twice at once.

python -m tests.data.store.slow_ingest FOLDER SECONDS_FOR_EACH
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

from tests.data.store.pictures import listed

from honshi.data.listing import Raw
from honshi.data.store import Form, Reading, ingest
from honshi.messages import Message


class Slow:
    """Opens pictures as another opener does, and takes its time."""

    def __init__(self, opener: object, seconds: float) -> None:
        self.opener = opener
        self.seconds = seconds
        self.opened = 0

    def __call__(self, place: int) -> Raw:
        self.opened += 1
        time.sleep(self.seconds)
        return self.opener(place)  # type: ignore[operator, no-any-return]


def say(event: Reading | Message) -> None:
    print(event if isinstance(event, Message) else f"{event.done}/{event.total}", flush=True)


if __name__ == "__main__":
    listing = listed(Path(sys.argv[1]))
    slow = Slow(listing.opener, float(sys.argv[2]))
    images = ingest(replace(listing, opener=slow), Form(shape=(3, 8, 9)), tell=say)
    print("identity", images.identity, slow.opened, flush=True)
