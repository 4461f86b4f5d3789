"""Archives, as if they were folders."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from honshi.data.listing import Listing
from honshi.data.sources import Source, open_source
from honshi.errors import DataRefusedError, HonshiError

CLASSES = ("犬", "猫")


def png(number: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (6, 5), dtype=np.uint8)).save(stream, "PNG")
    return stream.getvalue()


FILES = {f"all/{CLASSES[number % 2]}/{number}.png": png(number) for number in range(8)}


def zipped(path: Path, files: dict[str, bytes] = FILES) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(mode: str) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            for name, content in FILES.items():
                about = tarfile.TarInfo(name)
                about.size = len(content)
                archive.addfile(about, io.BytesIO(content))
        return path

    return write


def listing(path: Path) -> Listing:
    found = open_source(str(path))
    assert isinstance(found, Listing)
    return found


@pytest.mark.parametrize("write", [zipped, *map(tarred, ("w", "w:gz", "w:bz2", "w:xz"))])
def test_the_same_is_found_in_every_kind_of_archive(
    tmp_path: Path, honshi_home: Path, write: Callable[[Path], Path]
) -> None:
    path = write(tmp_path / "whatever it is called")

    for found in (listing(path), pickle.loads(pickle.dumps(listing(path)))):  # noqa: S301
        assert found.classes == CLASSES
        labels = [found.classes[label] for label in found.labels]
        assert labels == [name.split("/")[1] for name in found.names]
        assert [found.open(place) for place in range(8)] == [FILES[name] for name in found.names]
    assert {tuple(stamp) for stamp in found.stamps.tolist()} == {(path.stat().st_size, path.stat().st_mtime_ns)}


def test_names_that_lead_out_and_what_is_no_file_are_passed_over_and_listed(tmp_path: Path) -> None:
    path = tmp_path / "evil.tar"
    with tarfile.open(tarred("w")(path), "a") as archive:
        for name, kind in (
            ("../out.png", tarfile.REGTYPE),
            ("/etc/x.png", tarfile.REGTYPE),
            ("all/犬/l.png", tarfile.SYMTYPE),
        ):
            about = tarfile.TarInfo(name)
            about.type, about.linkname = kind, "/etc/passwd"
            archive.addfile(about)

    found = listing(path)

    assert len(found) == 8
    assert {skipped.name.lstrip("/") for skipped in found.skipped} == {"../out.png", "etc/x.png", "all/犬/l.png"}
    assert not (tmp_path / "out.png").exists()


class WindowsName(zipfile.ZipInfo):
    """A name as Windows writes it in Japan, without saying in which encoding."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802
        return self.filename.encode("cp932"), 0


def test_windows_names_in_japanese_are_read(tmp_path: Path) -> None:
    path = tmp_path / "windows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FILES.items():
            archive.writestr(WindowsName(name.replace("/", "\\")), content)

    assert listing(path).classes == CLASSES


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (zipped, "damaged"),
        (tarred("w:gz"), "damaged"),
        (tarred("w:xz"), "damaged"),
    ],
)
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, content: Callable[[Path], Path], said: str) -> None:
    path = content(tmp_path / "cut")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])

    with pytest.raises(DataRefusedError, match=said):
        listing(path)
    assert not list((tmp_path / "home").rglob("*.tar"))


def test_an_archive_that_grows_beyond_measure_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar.gz"
    with gzip.open(path, "wb") as packed:
        header = tarfile.TarInfo("a/zeros.png")
        header.size = 1 << 28
        packed.write(header.tobuf())
        for _ in range(200):
            packed.write(bytes(1 << 20))

    with pytest.raises(DataRefusedError, match="times those of the archive"):
        listing(path)
    assert not [file for file in (tmp_path / "home").rglob("*") if file.is_file()]


def test_a_file_that_is_compressed_and_no_archive_is_said_to_be_that(tmp_path: Path) -> None:
    path = tmp_path / "table.csv.gz"
    path.write_bytes(gzip.compress(b"path,label\na.png,b\n" * 100))

    with pytest.raises(HonshiError, match="no tar archive is in it"):
        listing(path)


def test_arrays_and_idx_files_in_an_archive_are_read_too(tmp_path: Path, idx_folder: Path) -> None:
    arrays = io.BytesIO()
    np.savez(arrays, x=np.random.default_rng(0).integers(0, 256, (8, 6, 5), dtype=np.uint8), y=np.arange(8) % 2)
    found = listing(zipped(tmp_path / "arrays.zip", {"deep/some.npz": arrays.getvalue()}))
    assert (len(found), found.classes, found.title) == (8, ("0", "1"), "arrays.zip")

    files = {f"MNIST/raw/{path.name}": path.read_bytes() for path in idx_folder.iterdir()}
    source = open_source(str(zipped(tmp_path / "idx.zip", files)))
    assert isinstance(source, Source)
    assert len(source.train) == 120
