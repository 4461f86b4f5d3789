"""What Python's readers of archives and compressed files raise where one is damaged: each library something else."""

from __future__ import annotations

import lzma
import struct
import tarfile
import zipfile
import zlib

# NotImplementedError, of a way to compress that they do not know, is a RuntimeError; json's errors are ValueErrors.
DAMAGED = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    LookupError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
    tarfile.TarError,
)
