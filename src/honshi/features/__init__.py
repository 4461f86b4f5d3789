"""What a frozen backbone sees in examples: computed once, kept, and given to the head in place of the images."""

from honshi.features.seen import Features
from honshi.features.stage import Seen, at_the_head, see

__all__ = ["Features", "Seen", "at_the_head", "see"]
