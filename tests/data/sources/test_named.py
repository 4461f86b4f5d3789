"""What ``--data`` names: published data sets, or a folder of IDX files; the test images stay unread."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

import honshi
from honshi.data import Sealed, idx
from honshi.data.sources import NAMED, open_published
from honshi.errors import DataError, DataNotFoundError, IdxError


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
        source = open_published("mnist")
        assert source.name == source.test.name == "mnist"
        assert len(source.train) == 60_000
        assert isinstance(source.test, Sealed)

    @pytest.mark.parametrize(
        ("name", "meant"), [("mnits", "mnist"), ("fashion_mnist", "fashion-mnist"), ("MNIST-fashion", None)]
    )
    def test_an_unknown_name_leads_to_the_nearest(self, name: str, meant: str | None) -> None:
        with pytest.raises(DataNotFoundError) as caught:
            open_published(name)
        hint = f" Did you mean {meant!r}?" if meant else ""
        assert str(caught.value) == (
            f"There is no data set called {name!r}, and nothing lies at that path.{hint} --data takes mnist, "
            "fashion-mnist, or the path of a folder, a table, an array file or an archive."
        )

    def test_a_folder_with_four_idx_files_needs_no_prefix(self, folder: Path) -> None:
        source = open_published(str(folder))
        assert (source.name, source.title, len(source.train)) == (str(folder), "letters", 120)

    def test_a_path_may_be_one_of_pathlib(self, folder: Path) -> None:
        assert torch.equal(honshi.load(folder).train.pixels, honshi.load(str(folder)).train.pixels)

    def test_a_path_of_pathlib_is_never_taken_for_a_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(DataNotFoundError, match="nothing lies at that path"):
            honshi.load(Path("mnist"))


class TestFolders:
    def test_hidden_files_beside_the_four_do_not_count(self, folder: Path) -> None:
        (folder / "._train-images-idx3-ubyte").write_bytes(b"what a system left")
        assert len(open_published(f"idx:{folder}").train) == 120

    def test_an_idx_folder_is_read(self, folder: Path) -> None:
        source = open_published(f"idx:{folder}")
        assert source.train.pixels.shape == (120, 1, 5, 4)
        assert source.train.classes == ("0", "1", "2", "3")

    def test_its_name_holds_from_every_working_directory(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(folder.parent)
        source = open_published("idx:letters")
        assert source.name == f"idx:{folder}"
        assert source.title == source.test.name == "idx:letters"

    def test_a_tilde_is_the_users_home(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(folder.parent))
        assert open_published("idx:~/letters").name == f"idx:{folder}"

    def test_a_missing_folder_is_not_found(self, tmp_path: Path) -> None:
        with pytest.raises(DataNotFoundError, match=r"nowhere: there is no such folder"):
            open_published(f"idx:{tmp_path / 'nowhere'}")

    @pytest.mark.parametrize("name", ["idx:" + "a" * 300, "idx:" + "a/" * 3000, "idx:\0", "a" * 300, ""])
    def test_of_a_name_that_no_folder_can_have_there_is_none(self, name: str) -> None:
        with pytest.raises(DataNotFoundError, match=r"there is no such folder|There is no data set called"):
            open_published(name)

    def test_a_missing_test_file_is_noticed_at_once(self, folder: Path) -> None:
        (folder / "t10k-labels-idx1-ubyte").unlink()
        with pytest.raises(DataNotFoundError, match=r"no file with the test labels"):
            open_published(f"idx:{folder}")

    def test_damaged_training_images_are_noticed_at_once(self, folder: Path) -> None:
        (folder / "train-images-idx3-ubyte").write_bytes(b"")
        with pytest.raises(IdxError):
            open_published(f"idx:{folder}")


class TestTheTestSet:
    def test_its_size_is_seen_from_its_header_and_told(self, folder: Path) -> None:
        assert open_published(f"idx:{folder}").test.shape == (1, 5, 4)

    def test_images_of_another_size_than_those_of_training_are_refused_at_once(self, folder: Path) -> None:
        images = folder / "t10k-images-idx3-ubyte"
        content = images.read_bytes()
        images.write_bytes(content[:8] + content[12:16] + content[8:12] + content[16:])
        with pytest.raises(DataError, match=r"t10k-images.* are 4×5 pixels and the training images 5×4"):
            open_published(f"idx:{folder}")

    def test_it_tells_which_training_images_it_shares_and_no_more(self, folder: Path) -> None:
        source = open_published(f"idx:{folder}")
        pixels = idx.read(folder / "t10k-images-idx3-ubyte", 3)[2]
        train = honshi.Images(
            pixels=torch.cat([source.train.pixels[:3], torch.tensor(pixels).view(1, 1, 5, 4)]),
            labels=source.train.labels[:4],
            classes=source.train.classes,
        )
        assert source.test.shared_with(train) == [3]

    def test_its_images_are_not_read_before_the_exam(self, folder: Path) -> None:
        images = folder / "t10k-images-idx3-ubyte"
        images.write_bytes(images.read_bytes()[:-1])
        source = open_published(f"idx:{folder}")
        with pytest.raises(IdxError, match=r"t10k-"):
            honshi.test(linear(20, 4), source.test)

    def test_its_images_come_out_in_the_exam(self, folder: Path) -> None:
        assert honshi.test(linear(20, 4), open_published(f"idx:{folder}").test).n == 10

    def test_it_has_the_classes_of_the_training_images(self, folder: Path) -> None:
        labels = folder / "t10k-labels-idx1-ubyte"
        labels.write_bytes(labels.read_bytes()[:-1] + b"\x04")
        source = open_published(f"idx:{folder}")
        with pytest.raises(IdxError, match=r"label 4 of image 9; the classes are 0 to 3"):
            honshi.test(linear(20, 4), source.test)
