"""The test set before the exam: it can be named and handed on, and nothing else.

The images are not in the object. It holds a way to read them that only `honshi.exam` may ask for
(the tests look for anyone else who does). This is discipline and evidence, not protection: whoever
owns the machine can read the file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Never

from honshi.data.examples import Examples
from honshi.errors import SealedError


class Sealed:
    """A test set that no loop, report or search accepts; `honshi.test` opens it, on the record.

    Attributes:
        name: what the data set is called, as ``--data`` takes it.
    """

    __slots__ = ("__read", "name")

    def __init__(self, name: str, read: Callable[[], Examples]) -> None:
        self.name = name
        self.__read = read

    def __repr__(self) -> str:
        return f"<the sealed test set of {self.name}>"

    def __len__(self) -> Never:
        raise SealedError("Asked for the length of the test set")

    def __iter__(self) -> Never:
        raise SealedError("Tried to iterate over the test set")

    def __getitem__(self, index: object) -> Never:
        raise SealedError("Tried to take an image out of the test set")

    def __reduce__(self) -> Never:
        raise SealedError("Tried to copy or pickle the test set")


def unseal(sealed: Sealed) -> Examples:
    """The images of the test set. For `honshi.exam`, which records that it asked, and no one else."""
    read: Callable[[], Examples] = sealed._Sealed__read  # type: ignore[attr-defined]
    return read()
