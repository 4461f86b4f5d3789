"""Pictures in arrays."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from honshi.data.listing import TEST, TRAIN, Listing
from honshi.data.sources import open_source
from honshi.errors import DataRefusedError, HonshiError

N = 12
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 6, 5), dtype=np.uint8)
LABELS = np.arange(N) % 3
TYPES: list[np.dtype[Any]] = [np.dtype(kind) for kind in ("u1", "i8", "f4", "U2", "?", "c8")]


def listing(path: Path) -> Listing:
    found = open_source(str(path))
    assert isinstance(found, Listing)
    return found


def pictures(found: Listing) -> NDArray[Any]:
    return np.stack([np.asarray(found.open(place)) for place in range(N)])


def npz(path: Path, **content: Any) -> Path:
    np.savez(path, **content)
    return path


@pytest.mark.parametrize(
    ("pixels", "labels"),
    [("x", "y"), ("X", "Y"), ("images", "labels"), ("data", "target"), ("train_images", "train_labels")],
)
def test_pixels_and_labels_are_known_by_their_names(tmp_path: Path, pixels: str, labels: str) -> None:
    found = listing(npz(tmp_path / "some.npz", **{pixels: PIXELS, labels: LABELS}))

    assert found.classes == ("0", "1", "2")
    assert found.labels.tolist() == LABELS.tolist()
    assert np.array_equal(pictures(found), PIXELS)


def test_keras_mnist_has_its_parts(tmp_path: Path) -> None:
    path = npz(tmp_path / "mnist.npz", x_train=PIXELS, y_train=LABELS, x_test=PIXELS[:3] + 1, y_test=LABELS[:3])

    found = pickle.loads(pickle.dumps(listing(path)))  # noqa: S301

    assert found.parts.tolist() == [TRAIN] * N + [TEST] * 3
    assert np.array_equal(found.open(N + 1), PIXELS[1] + 1)
    assert found.names[N] == "mnist.npz:x_test[0]"


@pytest.mark.parametrize(
    "shape", [(N, 36), (N, 6, 6, 3), (N, 3, 6, 6), (N, 6, 6, 1), (N, 1, 6, 6)], ids=lambda shape: str(shape[1:])
)
def test_every_usual_shape_is_taken(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    picture = listing(npz(tmp_path / "some.npz", x=pixels, y=LABELS)).open(5)

    assert isinstance(picture, np.ndarray)
    assert picture.shape[:2] == (6, 6)
    assert sorted(picture.ravel()) == sorted(pixels[5].ravel())


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (LABELS + 1, ("1", "2", "3")),
        (LABELS.astype(np.float32), ("0", "1", "2")),
        (np.eye(3)[LABELS], ("0", "1", "2")),
        (LABELS[:, None], ("0", "1", "2")),
        (LABELS > 0, ("0", "1")),
        (np.array(["007", "NA", "1e5"])[LABELS], ("007", "1e5", "NA")),
        (np.array([b"a", b"b", b"c"])[LABELS], ("a", "b", "c")),
    ],
    ids=["from 1", "floats", "one-hot", "a column", "booleans", "texts", "bytes"],
)
def test_labels_are_names_however_they_are_written(
    tmp_path: Path, labels: NDArray[Any], classes: tuple[str, ...]
) -> None:
    assert set(listing(npz(tmp_path / "some.npz", x=PIXELS, y=labels)).classes) == set(classes)


def test_npy_files_beside_each_other_are_mapped(tmp_path: Path) -> None:
    folder = tmp_path / "arrays"
    folder.mkdir()
    np.save(folder / "images.npy", np.asfortranarray(PIXELS))
    np.save(folder / "labels.npy", LABELS)

    for path in (folder, folder / "images.npy"):
        found = pickle.loads(pickle.dumps(listing(path)))  # noqa: S301
        assert np.array_equal(pictures(found), PIXELS)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"x": np.array([PIXELS, None], dtype=object), "y": LABELS}, "Python objects"),
        ({"x": PIXELS, "y": np.array([*"abcabcabcab", None], dtype=object)}, "Python objects"),
        ({"x": PIXELS, "y": LABELS[:5]}, "labels for another number"),
        ({"x": PIXELS, "y": np.ones((N, 3))}, "one class for each picture"),
        ({"x": PIXELS, "y": LABELS + 0.5}, "not whole"),
        ({"x": PIXELS[:, :, 0], "y": LABELS}, "has the shape"),
        ({"x": PIXELS.astype("U3"), "y": LABELS}, "pixels are numbers"),
        ({"x": PIXELS[:0], "y": LABELS[:0]}, "has the shape"),
        ({"x": PIXELS, "y": LABELS * 0}, "one label"),
        ({"x": PIXELS}, "no array of pixels has one of labels beside it"),
        ({"weights": PIXELS.astype(float)}, "no array of pixels"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_does_not_hold_together_is_a_sentence(tmp_path: Path, content: dict[str, Any], said: str) -> None:
    with pytest.raises(HonshiError, match=said):
        listing(npz(tmp_path / "some.npz", **content))


def test_an_array_that_claims_more_than_there_is_takes_no_memory(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (15_000, 1000, 1000)}
    )
    path = tmp_path / "claims.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + bytes(1000))
        labels = io.BytesIO()
        np.save(labels, LABELS)
        archive.writestr("y.npy", labels.getvalue())
    with pytest.raises(DataRefusedError, match=r"claims 15,000,000,000 bytes, and there are 1,000"):
        listing(path)

    (tmp_path / "images.npy").write_bytes(header.getvalue() + bytes(1000))
    with pytest.raises(DataRefusedError, match="claims 15,000,000,000 bytes"):
        listing(tmp_path / "images.npy")


@given(
    content=st.dictionaries(
        st.sampled_from(["x", "y", "x_train", "y_test", "images", "labels", "weights"]),
        arrays.arrays(
            st.sampled_from(TYPES),
            arrays.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
        ),
        max_size=4,
    ),
    cut=st.floats(0, 1),
    damaged=st.integers(0, 10**6),
)
def test_whatever_an_npz_holds_it_is_a_listing_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], cut: float, damaged: int
) -> None:
    path = npz(tmp_path_factory.mktemp("npz") / "some.npz", **content)
    whole = bytearray(path.read_bytes())
    if cut < 0.5:
        whole[damaged % len(whole)] ^= 0xFF
    path.write_bytes(whole[: int(len(whole) * max(cut, 0.5)) + 1] if cut < 0.9 else whole)

    try:
        found = listing(path)
        for place in range(min(len(found), 3)):
            found.open(place)
    except HonshiError:
        pass
