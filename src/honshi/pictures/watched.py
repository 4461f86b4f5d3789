"""A file that is read by somebody who trusts it, within bounds: neither endlessly nor in endless small steps.

A few bytes in a header can make a decoder read a gigabyte at once, and a file of a million empty chunks keeps it busy
for minutes. Whatever the format, all of it goes through here.
"""

from __future__ import annotations

import io
from typing import IO


class TooMuchError(Exception):
    """More was read of a file than any picture needs."""


class Watched(io.RawIOBase):
    """A file open for reading that ends what goes on too long.

    Attributes:
        calls, bytes: that may still be read.
    """

    def __init__(self, file: IO[bytes], *, calls: int, most: int) -> None:
        super().__init__()
        self._file = file
        self.calls, self.bytes = calls, most

    def read(self, size: int | None = -1, /) -> bytes:
        """
        Raises:
            TooMuchError: it is enough.
        """
        size = -1 if size is None else size
        self.calls -= 1
        if self.calls < 0 or size > self.bytes:
            raise TooMuchError
        content = self._file.read(size if size >= 0 else self.bytes + 1)
        self.bytes -= len(content)
        if self.bytes < 0:
            raise TooMuchError
        return content

    def allow(self, *, calls: int, most: int) -> None:
        """So much, and no more, may be read from here on."""
        self.calls, self.bytes = calls, most

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def fileno(self) -> int:
        return self._file.fileno()  # which decoders in C read by themselves, where there is such a thing

    def close(self) -> None:
        self._file.close()
        super().close()
