"""The test set before the exam: it can be named and handed on, and nothing else.

The images are not in the object. It holds a way to read them that only `honshi.exam` may ask for
(the tests look for anyone else who does). This is discipline and evidence, not protection: whoever
owns the machine can read the file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Never

from honshi.data.examples import Examples
from honshi.errors import DataError, SealedError


class Sealed:
    """A test set that no loop, report or search accepts; `honshi.test` opens it, on the record.

    Attributes:
        name: what the data set is called.
        shape: (c, h, w) of its images, where that can be told without reading them.
    """

    __slots__ = ("__read", "__shared", "name", "shape")

    def __init__(
        self,
        name: str,
        read: Callable[[], Examples],
        *,
        shape: tuple[int, int, int] | None = None,
        shared: Callable[[Examples], list[int]] | None = None,
    ) -> None:
        """
        Args:
            name: what the data set is called.
            read: gives the images; asked by the exam alone.
            shape: (c, h, w) of one of them, if it is known.
            shared: which of some training images the test set has a copy of, by their places. Whoever made the
                test set gives it, so that loading can leave them out and see nothing else.
        """
        self.name = name
        self.shape = shape
        self.__read = read
        self.__shared = shared

    def shared_with(self, train: Examples) -> list[int]:
        """The places of those training images of which the test set has an exact or a near copy.

        Raises:
            DataError: it cannot tell.
        """
        if self.__shared is None:
            raise DataError(
                "The test set of {name} cannot tell which images it shares with the training part: give Sealed(…, "
                "shared=…), or load without drop_leaks.",
                name=self.name,
            )
        return self.__shared(train)

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
