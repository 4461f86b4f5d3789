"""Groups of pictures by their names, as ``--group PATTERN`` asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from honshi.errors import RequestError

# Of the names that a pattern does not match, so many are shown.
NAMED = 3


def groups_by_name(names: Sequence[str], pattern: str) -> list[str]:
    """What a pattern's one group holds in each name.

    Args:
        names: of the pictures, with "/".
        pattern: a regular expression with one group, searched anywhere in the name: ``(patient\\d+)``.

    Raises:
        RequestError: it is no such pattern, or a name does not match it.
    """
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise RequestError(
            "--group {pattern}: this is not a regular expression: {problem}.", pattern=pattern, problem=error
        ) from None
    if compiled.groups != 1:
        raise RequestError(
            "--group {pattern}: a pattern has one group in parentheses, which says what pictures of the same group "
            "have in common, and this has {count}. For names like patient07_left.png: --group '(patient\\d+)'.",
            pattern=pattern,
            count=compiled.groups,
        )
    found = [compiled.search(name) for name in names]
    without = [name for name, match in zip(names, found, strict=True) if match is None or match[1] is None]
    if without:
        raise RequestError(
            "--group {pattern}: {count:,} of {n:,} names do not match it, among them {names}. It is searched in the "
            "whole name, with folders.",
            pattern=pattern,
            count=len(without),
            n=len(names),
            names=", ".join(without[:NAMED]),
        )
    return [match[1] for match in found if match is not None]
