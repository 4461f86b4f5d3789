"""IDX files: what was written is read back, and damage of any kind is named with its place."""

from __future__ import annotations

import contextlib
import gzip
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray

from honshi.data import idx
from honshi.errors import DataNotFoundError, IdxError

# How the uncompressed bytes of a file come to the disk.
Packing: TypeAlias = Callable[[bytes], bytes]


def as_is(content: bytes) -> bytes:
    return content


def zipped(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def encoded(values: NDArray[np.uint8]) -> bytes:
    sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes((0, 0, 0x08, values.ndim)) + sizes + values.tobytes()


IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = encoded(IMAGES)
HEADER_LENGTH = 4 + 4 * 3

packings = pytest.mark.parametrize("pack", [as_is, zipped])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One file that each example of a property writes anew."""
    return tmp_path_factory.mktemp("idx") / "train-images-idx3-ubyte"


def error_of(file: Path, content: bytes, dimensions: int = 3) -> IdxError:
    """What reading this content raises; anything else than an IdxError passes through."""
    file.write_bytes(content)
    with pytest.raises(IdxError) as caught:
        idx.read(file, dimensions)
    error = caught.value
    assert error.path == file
    assert str(error).startswith(f"{file}: byte {error.offset}: ")
    return error


class TestReading:
    @given(
        values=arrays(np.uint8, array_shapes(min_dims=1, max_dims=4, max_side=6)), pack=st.sampled_from([as_is, zipped])
    )
    def test_what_was_written_is_read_back(self, file: Path, values: NDArray[np.uint8], pack: Packing) -> None:
        file.write_bytes(pack(encoded(values)))
        found = idx.read(file, values.ndim)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, values, strict=True)

    def test_a_file_is_known_as_gzip_by_its_content_and_not_by_its_name(self, tmp_path: Path) -> None:
        plain, compressed = tmp_path / "images.gz", tmp_path / "images"
        plain.write_bytes(CONTENT)
        compressed.write_bytes(zipped(CONTENT))
        np.testing.assert_array_equal(idx.read(plain, 3), IMAGES)
        np.testing.assert_array_equal(idx.read(compressed, 3), IMAGES)

    @pytest.mark.parametrize("chunk", [1, 5, 8, IMAGES.size])
    def test_a_file_longer_than_one_chunk_is_read_to_its_end(
        self, file: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
    ) -> None:
        monkeypatch.setattr(idx, "CHUNK", chunk)
        file.write_bytes(zipped(CONTENT))
        np.testing.assert_array_equal(idx.read(file, 3), IMAGES)
        error_of(file, zipped(CONTENT + b"x"))
        error_of(file, zipped(CONTENT)[:-1])  # all values are there, their checksum is not

    @packings
    def test_a_header_that_claims_more_than_any_memory_allocates_little(self, file: Path, pack: Packing) -> None:
        claim = bytes((0, 0, 0x08, 3)) + b"\xff" * 12
        tracemalloc.start()
        try:
            error = error_of(file, pack(claim + bytes(10)))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert error.offset == HEADER_LENGTH
        assert peak < 64 << 20

    def test_a_missing_file_is_not_found(self, tmp_path: Path) -> None:
        with pytest.raises(DataNotFoundError, match=r"nowhere: there is no such file"):
            idx.read(tmp_path / "nowhere", 3)

    def test_a_folder_is_not_read_as_a_file(self, tmp_path: Path) -> None:
        with pytest.raises(DataNotFoundError, match=r"this is not a file"):
            idx.read(tmp_path, 3)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no such files")
    def test_a_pipe_is_refused_and_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DataNotFoundError, match=r"this is not a file"):
            idx.read(tmp_path / "pipe", 3)


class TestDamage:
    @given(
        position=st.integers(0, HEADER_LENGTH - 1),
        value=st.integers(0, 255),
        pack=st.sampled_from([as_is, zipped]),
    )
    def test_a_changed_byte_of_the_header_is_noticed(
        self, file: Path, position: int, value: int, pack: Packing
    ) -> None:
        changed = bytearray(CONTENT)
        changed[position] = value if value != CONTENT[position] else value ^ 0xFF
        error = error_of(file, pack(bytes(changed)))
        # The magic number is judged byte by byte; a size is judged by the content that follows it.
        expected = {0: [0], 1: [0], 2: [2], 3: [3]}.get(position, range(4, len(CONTENT) + 1))
        assert error.offset in expected

    @pytest.mark.parametrize(
        ("position", "value", "words"),
        [
            (0, 0x89, "begins with two zero bytes"),
            (2, 0x0D, "type byte 0x0d; only 0x08"),
            (3, 1, "1 dimensions where images have 3. Are images and labels exchanged?"),
            (7, 0, "dimension 1 of 3 has size 0"),
            (7, 3, "promises 3 x 3 x 4 = 36 values and only 24 are there"),
            (7, 1, "goes on after the 12 values"),
        ],
        ids=["magic", "type", "dimensions", "size 0", "size too large", "size too small"],
    )
    def test_what_is_wrong_is_said_in_words(self, file: Path, position: int, value: int, words: str) -> None:
        changed = bytearray(CONTENT)
        changed[position] = value
        assert words in str(error_of(file, bytes(changed)))

    def test_labels_where_images_belong_are_noticed(self, file: Path) -> None:
        assert error_of(file, encoded(np.zeros(30, np.uint8))).offset == 3

    @pytest.mark.parametrize("length", range(len(CONTENT)))
    @packings
    def test_content_that_ends_early_is_noticed_where_it_ends(self, file: Path, length: int, pack: Packing) -> None:
        assert error_of(file, pack(CONTENT[:length])).offset == length

    @given(tail=st.binary(min_size=1), pack=st.sampled_from([as_is, zipped]))
    def test_content_that_goes_on_is_noticed_where_it_should_end(self, file: Path, tail: bytes, pack: Packing) -> None:
        assert error_of(file, pack(CONTENT + tail)).offset == len(CONTENT)

    @pytest.mark.parametrize("length", range(len(zipped(CONTENT))))
    def test_a_gzip_stream_cut_off_anywhere_is_noticed(self, file: Path, length: int) -> None:
        error_of(file, zipped(CONTENT)[:length])

    def test_something_behind_the_gzip_stream_is_noticed(self, file: Path) -> None:
        assert "gzip stream is damaged" in str(error_of(file, zipped(CONTENT) + b"something else"))

    @pytest.mark.parametrize("position", range(len(zipped(CONTENT))))
    def test_a_flipped_bit_in_a_gzip_stream_never_gives_other_values(self, file: Path, position: int) -> None:
        for bit in range(8):
            damaged = bytearray(zipped(CONTENT))
            damaged[position] ^= 1 << bit
            file.write_bytes(damaged)
            # The time and the operating system in a gzip header may change and do no harm.
            with contextlib.suppress(IdxError):
                np.testing.assert_array_equal(idx.read(file, 3), IMAGES)

    @given(start=st.sampled_from([b"", b"\0\0\x08\x01", b"\0\0\x08\x01\0\0\0", b"\x1f\x8b\x08"]), rest=st.binary())
    def test_bytes_of_any_kind_are_values_or_an_idx_error(self, file: Path, start: bytes, rest: bytes) -> None:
        file.write_bytes(start + rest)
        with contextlib.suppress(IdxError):
            assert encoded(idx.read(file, 1)) == start + rest


class TestPairs:
    def pair(self, folder: Path, labels: list[int]) -> tuple[Path, Path]:
        (folder / "images").write_bytes(CONTENT)
        (folder / "labels").write_bytes(encoded(np.array(labels, np.uint8)))
        return folder / "images", folder / "labels"

    def test_images_come_with_their_labels(self, tmp_path: Path) -> None:
        images = idx.read_pair(*self.pair(tmp_path, [1, 0]), classes=("cat", "dog"))
        assert images.pixels.shape == (2, 1, 3, 4)
        assert torch.equal(images.pixels.squeeze(1), torch.from_numpy(IMAGES))
        assert images.labels.tolist() == [1, 0]
        assert images.classes == ("cat", "dog")

    def test_classes_without_names_are_the_labels_that_there_are(self, tmp_path: Path) -> None:
        images = idx.read_pair(*self.pair(tmp_path, [3, 0]))
        assert images.classes == ("0", "3")
        assert images.labels.tolist() == [1, 0]

    def test_an_image_is_known_by_the_label_in_its_file(self, tmp_path: Path) -> None:
        paths = self.pair(tmp_path, [26, 1])
        images, as_at_first = idx.read_pair(*paths), idx.read_pair(*paths, gaps=True)
        assert as_at_first.classes == tuple(map(str, range(27)))
        assert images.identity == as_at_first.identity
        assert images.subset([1]).sha256() == as_at_first.subset([1]).sha256()

    def test_the_labels_of_a_test_set_are_read_as_those_of_training(self, tmp_path: Path) -> None:
        images, labels = self.pair(tmp_path, [26, 1])
        read = idx.read_pair(images, labels, classes=("1", "2", "26"), numbers=(1, 2, 26))
        assert read.labels.tolist() == [2, 0]
        with pytest.raises(IdxError, match=r"label 26 of image 0; the classes are 1, 2"):
            idx.read_pair(images, labels, classes=("1", "2"), numbers=(1, 2))

    def test_images_that_no_memory_holds_are_not_read_for_their_labels(self, tmp_path: Path) -> None:
        images, labels = self.pair(tmp_path, [1, 0])
        claim = bytes((0, 0, 0x08, 3)) + (5_000_000).to_bytes(4, "big") + (28).to_bytes(4, "big") * 2
        images.write_bytes(gzip.compress(claim + bytes(20_000_000), mtime=0))
        tracemalloc.start()
        try:
            with pytest.raises(IdxError, match="2 labels, and 5000000 images"):
                idx.read_pair(images, labels)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000

    def test_a_label_outside_the_classes_is_named_with_its_image(self, tmp_path: Path) -> None:
        images, labels = self.pair(tmp_path, [1, 2])
        with pytest.raises(IdxError, match=r"label 2 of image 1; the classes are 0 to 1") as caught:
            idx.read_pair(images, labels, classes=("cat", "dog"))
        assert (caught.value.path, caught.value.offset) == (labels, 8 + 1)

    @pytest.mark.parametrize("labels", [[0], [0, 1, 0]], ids=["fewer", "more"])
    def test_as_many_labels_as_images_are_wanted(self, tmp_path: Path, labels: list[int]) -> None:
        paths = self.pair(tmp_path, labels)
        with pytest.raises(IdxError, match=rf"{len(labels)} labels, and 2 images in images") as caught:
            idx.read_pair(*paths)
        assert (caught.value.path, caught.value.offset) == (paths[1], 4)


MNIST_NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def folder_with(folder: Path, names: list[str]) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


class TestFindingFiles:
    @pytest.mark.parametrize(
        "names",
        [
            MNIST_NAMES,
            [f"{name}.gz" for name in MNIST_NAMES],
            [name.replace("-idx", ".idx") for name in MNIST_NAMES],
            [f"emnist-letters-{name.replace('t10k', 'test')}.gz" for name in MNIST_NAMES],
        ],
        ids=["plain", "gz", "dotted", "emnist"],
    )
    def test_the_names_in_use_are_all_known(self, tmp_path: Path, names: list[str]) -> None:
        found = idx.find_files(folder_with(tmp_path, [*names, "readme.txt", "emnist-letters-mapping.txt"]))
        parts = [("train", "images"), ("train", "labels"), ("test", "images"), ("test", "labels")]
        assert found == {part: tmp_path / name for part, name in zip(parts, names, strict=True)}

    def test_the_uncompressed_file_is_taken_where_both_are_there(self, tmp_path: Path) -> None:
        found = idx.find_files(folder_with(tmp_path, [*MNIST_NAMES, *(f"{name}.gz" for name in MNIST_NAMES)]))
        assert sorted(path.name for path in found.values()) == sorted(MNIST_NAMES)

    def test_a_folder_named_like_a_file_is_passed_over(self, tmp_path: Path) -> None:
        folder_with(tmp_path, [f"{name}.gz" for name in MNIST_NAMES])
        (tmp_path / MNIST_NAMES[0]).mkdir()
        assert idx.find_files(tmp_path)["train", "images"].name == f"{MNIST_NAMES[0]}.gz"

    @pytest.mark.parametrize("missing", MNIST_NAMES)
    def test_a_missing_file_is_named(self, tmp_path: Path, missing: str) -> None:
        folder_with(tmp_path, [name for name in MNIST_NAMES if name != missing])
        with pytest.raises(DataNotFoundError, match=rf"no file with the .*; one named like {missing} or {missing}\.gz"):
            idx.find_files(tmp_path)

    def test_two_files_for_the_same_part_are_both_named(self, tmp_path: Path) -> None:
        folder_with(tmp_path, [*MNIST_NAMES, "test-labels-idx1-ubyte"])
        with pytest.raises(DataNotFoundError, match=r"more than one file with the test labels") as caught:
            idx.find_files(tmp_path)
        assert "(t10k-labels-idx1-ubyte, test-labels-idx1-ubyte)" in str(caught.value)

    def test_a_missing_folder_is_not_found(self, tmp_path: Path) -> None:
        with pytest.raises(DataNotFoundError, match=r"nowhere: there is no such folder"):
            idx.find_files(tmp_path / "nowhere")
