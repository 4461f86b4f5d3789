"""Whether the compiled kernels have computed something, seen at the calls themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from honshi.native.kernels import Kernels

FORWARD = ("conv_pool", "max_pool")
BACKWARD = ("conv_pool_gradient", "max_pool_gradient")


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often each kernel of the layers is called inside."""
    calls: Counter[str] = Counter()

    def counting(name: str) -> Any:
        kernel = getattr(Kernels, name)

        def call(*arguments: Any, **options: Any) -> Any:
            calls[name] += 1
            return kernel(*arguments, **options)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in (*FORWARD, *BACKWARD):
            patch.setattr(Kernels, name, counting(name))
        yield calls
