"""What a function of the library is given: refused in a sentence where it cannot mean anything."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from honshi.errors import ArgumentError

# What torch can count to.
LARGEST = 2**63 - 1


def check_count(name: str, value: Any, least: int = 1) -> int:
    """See that a value is a whole number of at least so much.

    Returns:
        It as Python's own whole number, which NumPy's are not everywhere taken for.

    Raises:
        ArgumentError: it is not.
    """
    if type(value) is bool or not isinstance(value, Integral) or int(value) < least:
        raise ArgumentError(
            "{name} is a whole number and at least {least}, not {value!r}.", name=name, least=least, value=value
        )
    if int(value) > LARGEST:
        raise ArgumentError("{name} is at most {most:,}, and not {value}.", name=name, most=LARGEST, value=value)
    return int(value)


def check_range(name: str, value: Any, least: float = 0.0, below: float = math.inf) -> None:
    """See that a value is a number from one end up to, and without, the other.

    Raises:
        ArgumentError: it is not.
    """
    if type(value) is not bool and isinstance(value, Real) and least <= float(value) < below:
        return
    if math.isinf(below):
        raise ArgumentError(
            "{name} is a number and at least {least:g}, not {value!r}.", name=name, least=least, value=value
        )
    raise ArgumentError(
        "{name} is a number from {least:g} to below {below:g}, not {value!r}.",
        name=name,
        least=least,
        below=below,
        value=value,
    )
