"""A program with some compiled parts switched off, so that torch computes what they would.

python -m benchmarks.without pooling honshi train cnn
python -m benchmarks.without pooling,epochs honshi train mlp
"""

from __future__ import annotations

import importlib
import runpy
import sys

from honshi.messages import Message
from honshi.native.library import Library

# Where each part is asked for, and what it is answered there.
NOTHING = Library(None, Message("It is switched off."))
PARTS = {
    "epochs": ("honshi.training.loops.compiled", "library", NOTHING),
    "first stage": ("honshi.native.convolution", "kernels", None),
    "pooling": ("honshi.native.max_pool", "kernels", None),
    "sums": ("honshi.native.shared_sum", "library", NOTHING),
}


def switch_off(name: str) -> None:
    """Have nobody in this process find a part."""
    path, function, answer = PARTS[name]
    module = importlib.import_module(path)
    assert hasattr(module, function)
    setattr(module, function, lambda: answer)


if __name__ == "__main__":
    parts, program, *words = sys.argv[1:]
    for part in filter(None, parts.split(",")):
        switch_off(part)
    sys.argv = [program, *words]
    runpy.run_module(program, run_name="__main__", alter_sys=True)
