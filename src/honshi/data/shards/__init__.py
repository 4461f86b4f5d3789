"""Prepared images in WebDataset shards: tar files that are read from their beginning, on as many machines as there are.

1. layout.py: what is in a folder of shards.
2. writing.py: a division of a data set as shards.
3. images.py: their images, one by one or in the order of an epoch (honshi.data.order).
4. dividing.py: the parts again, as `honshi.load` gives them.
"""

from honshi.data.shards.dividing import divide, divide_again
from honshi.data.shards.images import Sharded
from honshi.data.shards.writing import Written, write_shards

__all__ = ["Sharded", "Written", "divide", "divide_again", "write_shards"]
