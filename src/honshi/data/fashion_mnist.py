"""Fashion-MNIST: found on this machine, or fetched from its public mirrors and verified.

Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking
Machine Learning Algorithms", 2017. MIT licence.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from honshi.data.verified import LARGEST_CONTENT, verify
from honshi.errors import DownloadError
from honshi.files import home, sha256, write_whole

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

# Where Debian's package dataset-fashion-mnist puts the files.
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")

MIRRORS = (
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
    "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
)

# SHA-256 of the uncompressed content: mirrors compress the same content in different ways.
SHA256 = {
    "train-images-idx3-ubyte.gz": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte.gz": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte.gz": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte.gz": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

# The largest of the files has 26 MB; nothing much longer is taken from a mirror.
LARGEST_DOWNLOAD = 40_000_000
TIMEOUT_SECONDS = 20


def find_folder(mirrors: Sequence[str] = MIRRORS, debian_folder: Path = DEBIAN_FOLDER) -> Path:
    """A folder with the four files: the cache, Debian's, or the cache after a download.

    Raises:
        DataError: a file that lies there is another one, as MNIST's of the same names.
        DownloadError: the files are not here and no mirror gave all of them intact.
    """
    cache = home() / "datasets" / "fashion-mnist"
    for folder in (cache, debian_folder):
        if all((folder / name).is_file() for name in SHA256):
            _verify(folder)
            return folder
    for name, expected in SHA256.items():
        if not (cache / name).is_file():
            write_whole(cache / name, _download(name, expected, mirrors, cache))
    _verify(cache)
    return cache


def _verify(folder: Path) -> None:
    verify(folder, SHA256, "Fashion-MNIST", "Move it away, and the right one is fetched; or put the right one there.")


def _download(name: str, expected: str, mirrors: Sequence[str], cache: Path) -> bytes:
    problems = []
    for mirror in mirrors:
        try:
            with urlopen(mirror + name, timeout=TIMEOUT_SECONDS) as response:
                content: bytes = response.read(LARGEST_DOWNLOAD + 1)
            with gzip.open(io.BytesIO(content)) as stream:
                found = sha256(stream.read(LARGEST_CONTENT))
        # Of the same weight here: no connection, no HTTP, an error page, a page that is not gzip, a cut-off stream.
        except (OSError, HTTPException, EOFError, zlib.error) as error:
            problems.append(f"{mirror}: {error}")
            continue
        if found == expected:
            return content
        problems.append(f"{mirror}: another file than expected (SHA-256 {found[:12]}…, not {expected[:12]}…)")
    raise DownloadError(
        "Fashion-MNIST is not on this machine and {name} could not be fetched:\n  {problems}\n"
        "Put the four files ({names}) into {cache}, or on Debian and Ubuntu run: sudo apt-get install "
        "dataset-fashion-mnist",
        name=name,
        problems="\n  ".join(problems),
        names=", ".join(SHA256),
        cache=cache,
    )
