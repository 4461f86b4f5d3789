"""What ``--data`` names: published data sets, or a folder of IDX files; the test images stay unread."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import honshi
from honshi.data import Sealed
from honshi.data.sources import NAMED, open_source
from honshi.errors import DataNotFoundError, IdxError


@pytest.fixture
def folder(idx_folder: Path, tmp_path: Path) -> Path:
    """An IDX folder that a test may damage."""
    return Path(shutil.copytree(idx_folder, tmp_path / "letters"))


def linear(inputs: int, classes: int) -> honshi.models.MLP:
    return honshi.models.MLP(inputs=inputs, hidden=(), classes=classes)


class TestNames:
    def test_the_published_data_sets_have_names(self) -> None:
        assert list(NAMED) == ["mnist", "fashion-mnist"]

    def test_a_source_has_training_images_and_a_sealed_test_set_of_its_name(self) -> None:
        source = open_source("mnist")
        assert source.name == source.test.name == "mnist"
        assert len(source.train) == 60_000
        assert isinstance(source.test, Sealed)

    @pytest.mark.parametrize(
        ("name", "meant"), [("mnits", "mnist"), ("fashion_mnist", "fashion-mnist"), ("MNIST-fashion", None)]
    )
    def test_an_unknown_name_leads_to_the_nearest(self, name: str, meant: str | None) -> None:
        with pytest.raises(DataNotFoundError) as caught:
            open_source(name)
        hint = f" Did you mean {meant!r}?" if meant else ""
        assert str(caught.value) == (
            f"There is no data set called {name!r}.{hint} --data takes mnist, fashion-mnist, or idx:FOLDER."
        )

    def test_a_folder_without_its_prefix_leads_to_the_prefix(self, folder: Path) -> None:
        with pytest.raises(DataNotFoundError, match=rf"is a folder: .* write idx:{re.escape(str(folder))}\."):
            open_source(str(folder))


class TestFolders:
    def test_an_idx_folder_is_read(self, folder: Path) -> None:
        source = open_source(f"idx:{folder}")
        assert source.train.pixels.shape == (120, 1, 5, 4)
        assert source.train.classes == ("0", "1", "2", "3")

    def test_its_name_holds_from_every_working_directory(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder.parent)
        source = open_source("idx:letters")
        assert source.name == source.test.name == f"idx:{folder}"

    def test_a_tilde_is_the_users_home(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(folder.parent))
        assert open_source("idx:~/letters").name == f"idx:{folder}"

    def test_a_missing_folder_is_not_found(self, tmp_path: Path) -> None:
        with pytest.raises(DataNotFoundError, match=r"nowhere: there is no such folder"):
            open_source(f"idx:{tmp_path / 'nowhere'}")

    def test_a_missing_test_file_is_noticed_at_once(self, folder: Path) -> None:
        (folder / "t10k-labels-idx1-ubyte").unlink()
        with pytest.raises(DataNotFoundError, match=r"no file with the test labels"):
            open_source(f"idx:{folder}")

    def test_damaged_training_images_are_noticed_at_once(self, folder: Path) -> None:
        (folder / "train-images-idx3-ubyte").write_bytes(b"")
        with pytest.raises(IdxError):
            open_source(f"idx:{folder}")


class TestTheTestSet:
    def test_its_images_are_not_read_before_the_exam(self, folder: Path) -> None:
        for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
            (folder / name).write_bytes(b"damaged")
        source = open_source(f"idx:{folder}")
        with pytest.raises(IdxError, match=r"t10k-"):
            honshi.test(linear(20, 4), source.test)

    def test_its_images_come_out_in_the_exam(self, folder: Path) -> None:
        assert honshi.test(linear(20, 4), open_source(f"idx:{folder}").test).n == 10

    def test_it_has_the_classes_of_the_training_images(self, folder: Path) -> None:
        labels = folder / "t10k-labels-idx1-ubyte"
        labels.write_bytes(labels.read_bytes()[:-1] + b"\x04")
        source = open_source(f"idx:{folder}")
        with pytest.raises(IdxError, match=r"label 4 of image 9; the classes are 0 to 3"):
            honshi.test(linear(20, 4), source.test)
