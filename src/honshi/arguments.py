"""What a function of the library is given: refused in a sentence where it cannot mean anything."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from honshi.errors import ArgumentError


def check_count(name: str, value: Any, least: int = 1) -> None:
    """See that a value is a whole number of at least so much.

    Raises:
        ArgumentError: it is not.
    """
    if type(value) is bool or not isinstance(value, Integral) or int(value) < least:
        raise ArgumentError(
            "{name} is a whole number and at least {least}, not {value!r}.", name=name, least=least, value=value
        )


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
