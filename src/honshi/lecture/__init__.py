"""What the lecture's listings take from torchvision, for them to run as they are printed but for this import

from honshi.lecture import datasets, transforms

It is for learning: `honshi.load` gives the same pictures to `honshi.fit`, in a fraction of the time.
"""

from honshi.lecture import datasets, transforms

__all__ = ["datasets", "transforms"]
