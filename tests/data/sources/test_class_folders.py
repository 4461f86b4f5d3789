"""Class folders, alone or in train, validation and test folders: each picture has the class of its folder."""

from __future__ import annotations

import os
import socket
import unicodedata
from pathlib import Path

import pytest
from tests.data.sources.made import answers, listing_of, make, parts, said

from honshi.data.listing import UNDIVIDED
from honshi.errors import DataNotFoundError, DataRefusedError, RequestError


class TestClasses:
    def test_each_picture_has_the_name_of_its_folder(self, tmp_path: Path) -> None:
        listing = listing_of(make(tmp_path, "cats/b.png", "dogs/c.png", "cats/a.png"))
        assert answers(listing) == {"cats/a.png": "cats", "cats/b.png": "cats", "dogs/c.png": "dogs"}
        assert set(listing.parts) == {UNDIVIDED}
        assert str(listing.kind) == "a folder of class folders"

    def test_a_picture_is_its_file(self, tmp_path: Path) -> None:
        listing = listing_of(make(tmp_path, "cats/a.png", "dogs/c.png"))
        assert listing.open(1) == tmp_path / "dogs" / "c.png"
        state = (tmp_path / "dogs" / "c.png").stat()
        assert listing.stamps[1].tolist() == [state.st_size, state.st_mtime_ns]

    def test_they_stand_as_people_count(self, tmp_path: Path) -> None:
        listing = listing_of(make(tmp_path, "10/a.png", "9/a.png", "x2/a.png", "x10/a.png", "-1/a.png"))
        assert listing.classes == ("-1", "9", "10", "x2", "x10")

    def test_names_are_text(self, tmp_path: Path) -> None:
        names = ("007", "7", "NA", "None", "1e5", "nan", "True")
        assert set(listing_of(make(tmp_path, *(f"{name}/a.png" for name in names))).classes) == set(names)

    def test_a_class_without_pictures_keeps_its_place_and_is_said(self, tmp_path: Path) -> None:
        make(tmp_path, "a/1.png", "a/2.png", "c/1.png", "c/2.png")
        (tmp_path / "b").mkdir()
        listing = listing_of(tmp_path)
        assert listing.classes == ("a", "b", "c")
        assert listing.counts() == [2, 0, 2]
        assert "Classes without a picture to train on: b." in said(listing)

    def test_a_class_with_one_picture_is_said(self, tmp_path: Path) -> None:
        assert "Classes with one picture to train on: a, b." in said(listing_of(make(tmp_path, "a/1.png", "b/1.png")))

    def test_one_class_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataRefusedError, match=r"all 2 pictures have one label, 'a'"):
            listing_of(make(tmp_path, "a/1.png", "a/2.png"))

    def test_folders_in_class_folders_belong_to_the_class(self, tmp_path: Path) -> None:
        listing = listing_of(make(tmp_path, "birds/owls/small/a.png", "birds/b.png", "fish/c.png"))
        assert answers(listing)["birds/owls/small/a.png"] == "birds"
        assert "birds/owls/small" in said(listing)

    def test_classes_that_differ_in_case_are_two_and_that_is_said(self, tmp_path: Path) -> None:
        listing = listing_of(make(tmp_path, "A/1.png", "a/2.png"))
        assert len(listing.classes) == 2
        assert "differ from another one only in case" in said(listing)

    @pytest.mark.skipif(os.name == "nt", reason="there such folders are one")
    def test_classes_that_differ_in_how_unicode_writes_them_are_refused(self, tmp_path: Path) -> None:
        name = "がか"
        make(tmp_path, f"{unicodedata.normalize('NFC', name)}/1.png", f"{unicodedata.normalize('NFD', name)}/2.png")
        with pytest.raises(DataRefusedError, match=r"two classes 'がか' that differ only in how Unicode writes them"):
            listing_of(tmp_path)

    def test_ten_thousand_are_many_and_no_trouble(self, tmp_path: Path) -> None:
        for place in range(10_000):
            (tmp_path / str(place)).mkdir()
        make(tmp_path, "7/a.png", "9999/b.png")
        listing = listing_of(tmp_path)
        assert len(listing.classes) == 10_000
        assert listing.labels.tolist() == [7, 9999]


class TestParts:
    @pytest.mark.parametrize("val", ["val", "valid", "validation", "dev", "Validation"])
    def test_folders_for_parts_are_known_by_their_names(self, tmp_path: Path, val: str) -> None:
        listing = listing_of(
            make(tmp_path, "Train/a/1.png", "Train/b/2.png", f"{val}/a/3.png", "TEST/b/4.png", "TEST/a/5.png")
        )
        assert parts(listing) == {
            "TEST/a/5.png": "test",
            "TEST/b/4.png": "test",
            "Train/a/1.png": "train",
            "Train/b/2.png": "train",
            f"{val}/a/3.png": "val",
        }
        assert str(listing.kind) == "a folder of train, validation and test folders"

    def test_a_class_that_a_part_lacks_moves_no_other(self, tmp_path: Path) -> None:
        names = [f"train/{name}/1.png" for name in "abc"] + ["val/a/2.png", "val/c/3.png", "test/c/4.png"]
        found = answers(listing_of(make(tmp_path, *names)))
        assert (found["val/c/3.png"], found["test/c/4.png"]) == ("c", "c")

    @pytest.mark.parametrize(("part", "said_there"), [("val", "validation"), ("test", "test")])
    def test_a_class_that_training_lacks_is_refused_by_name(self, tmp_path: Path, part: str, said_there: str) -> None:
        make(tmp_path, "train/a/1.png", "train/b/1.png", f"{part}/d/1.png")
        with pytest.raises(DataRefusedError, match=rf"In the {said_there} part there is a class 'd', which"):
            listing_of(tmp_path)

    def test_a_class_that_is_empty_in_training_is_known(self, tmp_path: Path) -> None:
        make(tmp_path, "train/a/1.png", "train/b/1.png", "val/c/1.png")
        (tmp_path / "train" / "c").mkdir()
        assert answers(listing_of(tmp_path))["val/c/1.png"] == "c"

    def test_names_that_differ_in_case_or_unicode_form_are_matched_where_one_fits(self, tmp_path: Path) -> None:
        decomposed, composed = unicodedata.normalize("NFD", "が"), unicodedata.normalize("NFC", "が")
        make(tmp_path, f"train/{composed}/1.png", "train/Cat/2.png", f"val/{decomposed}/3.png", "val/cat/4.png")
        listing = listing_of(tmp_path)
        found = answers(listing)
        assert (found[f"val/{decomposed}/3.png"], found["val/cat/4.png"]) == (composed, "Cat")
        assert "'cat' is taken for the class 'Cat'" in said(listing)

    def test_they_are_refused_where_two_fit(self, tmp_path: Path) -> None:
        make(tmp_path, "train/Cat/1.png", "train/cat/1.png", "val/CAT/1.png")
        with pytest.raises(DataRefusedError, match=r"a class 'CAT', and it may be 'Cat' or 'cat'"):
            listing_of(tmp_path)

    def test_an_exact_name_is_itself_though_another_is_alike(self, tmp_path: Path) -> None:
        make(tmp_path, "train/Cat/1.png", "train/cat/1.png", "val/cat/1.png")
        assert answers(listing_of(tmp_path))["val/cat/1.png"] == "cat"

    def test_a_part_that_is_there_twice_is_refused(self, tmp_path: Path) -> None:
        make(tmp_path, "train/a/1.png", "train/b/1.png", "val/a/1.png", "valid/a/1.png")
        with pytest.raises(DataRefusedError, match=r"'val' and 'valid' are both the val part"):
            listing_of(tmp_path)

    def test_test_pictures_without_class_folders_have_no_labels(self, tmp_path: Path) -> None:
        listing = listing_of(make(tmp_path, "train/a/1.png", "train/b/1.png", "test/8.png", "test/9.png"))
        assert answers(listing)["test/8.png"] == "-"
        assert parts(listing)["test/8.png"] == "test"
        assert "The 2 pictures in 'test' have no labels" in said(listing)

    def test_a_folder_called_as_a_part_beside_class_folders_may_be_either_and_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DataRefusedError, match=r"is the folder 'test' a class, or a part of the data\?"):
            listing_of(make(tmp_path, "a/1.png", "b/1.png", "test/a/1.png"))

    def test_what_lies_beside_the_parts_is_passed_over_and_listed(self, tmp_path: Path) -> None:
        make(tmp_path, "train/a/1.png", "train/b/1.png", "train/loose.png", "extra/c/1.png", "sample.png")
        skipped = {name: str(why) for name, why in listing_of(tmp_path).skipped}
        assert skipped == {
            "extra/c/1.png": "it lies beside the folders for training, validation and test",
            "sample.png": "it lies beside the folders for training, validation and test",
            "train/loose.png": "it lies in no class folder",
        }


class TestWhatElseIsThere:
    def test_the_only_folder_in_a_folder_is_looked_into(self, tmp_path: Path) -> None:
        listing = listing_of(make(tmp_path, "set/images/a/1.png", "set/images/b/1.png"))
        assert listing.classes == ("a", "b")
        assert "The data are in the folder 'set/images'." in said(listing)

    def test_what_systems_and_trainings_leave_is_passed_over(self, tmp_path: Path) -> None:
        make(tmp_path, "a/1.PNG", "b/1.JPeG", "a/._1.png", "a/.ipynb_checkpoints/1-checkpoint.png", "__MACOSX/a/1.png")
        make(tmp_path, ".hidden/c.png", "runs/first/curves.png", "a/Thumbs.db", "a/.DS_Store")
        listing = listing_of(tmp_path)
        assert answers(listing) == {"a/1.PNG": "a", "b/1.JPeG": "b"}
        assert "'runs' is passed over" in said(listing)
        assert listing.skipped == ()

    def test_a_file_that_is_no_picture_is_listed(self, tmp_path: Path) -> None:
        make(tmp_path, "a/1.png", "b/1.png")
        (tmp_path / "a" / "notes.txt").write_text("on owls")
        assert [name for name, _ in listing_of(tmp_path).skipped] == ["a/notes.txt"]

    def test_a_picture_with_a_name_that_does_not_say_so_is_one(self, tmp_path: Path) -> None:
        assert "a/scan" in listing_of(make(tmp_path, "a/scan", "b/1.png")).names

    def test_links_are_followed_once_and_never_round(self, tmp_path: Path) -> None:
        make(tmp_path / "store", "x/1.png", "y/2.png")
        root = make(tmp_path / "data", "a/0.png")
        (root / "b").symlink_to(tmp_path / "store" / "x")
        (root / "c").symlink_to(tmp_path / "store" / "x")
        (root / "a" / "round").symlink_to(root)
        (root / "a" / "gone.png").symlink_to(tmp_path / "nowhere.png")
        (root / "a" / "self.png").symlink_to(root / "a" / "self.png")
        listing = listing_of(root)
        assert answers(listing) == {"a/0.png": "a", "b/1.png": "b"}
        assert {name: str(why) for name, why in listing.skipped} == {
            "a/gone.png": "it is a link that leads nowhere",
            "a/self.png": "it is a link that leads nowhere",
            "a/round": "it is a link to a folder that is looked through already",
            "c": "it is a link to a folder that is looked through already",
        }

    @pytest.mark.skipif(os.name == "nt", reason="there are no pipes there")
    def test_pipes_and_sockets_are_listed_and_never_opened(self, tmp_path: Path) -> None:
        make(tmp_path, "a/1.png", "b/1.png")
        os.mkfifo(tmp_path / "a" / "2.png")
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(os.path.relpath(tmp_path / "b" / "3.png"))
            assert [name for name, _ in listing_of(tmp_path).skipped] == ["a/2.png", "b/3.png"]

    @pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may look everywhere")
    def test_a_folder_without_permission_is_listed(self, tmp_path: Path) -> None:
        make(tmp_path, "a/1.png", "b/1.png", "c/1.png")
        (tmp_path / "c").chmod(0)
        try:
            assert [name for name, _ in listing_of(tmp_path).skipped] == ["c"]
        finally:
            (tmp_path / "c").chmod(0o755)

    @pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
    def test_a_name_that_is_not_utf_8_is_a_name(self, tmp_path: Path) -> None:
        make(tmp_path, "a/1.png", "b/1.png")
        (tmp_path / "a" / "1.png").rename(tmp_path / "a" / os.fsdecode(b"\xff.png"))
        assert listing_of(tmp_path).open(0) == tmp_path / "a" / os.fsdecode(b"\xff.png")

    def test_a_folder_of_nothing_says_what_was_found_and_what_is_expected(self, tmp_path: Path) -> None:
        make(tmp_path, "1.png", "2.png")
        (tmp_path / "notes.txt").touch()
        with pytest.raises(DataNotFoundError) as caught:
            listing_of(tmp_path)
        assert "There are 2 pictures, all of them in no class folder, 0 folders and 1 other files (1 .txt)" in str(
            caught.value
        )

    @pytest.mark.parametrize("folder", [".", "a"])
    def test_an_empty_folder_is_refused(self, tmp_path: Path, folder: str) -> None:
        (tmp_path / folder).mkdir(exist_ok=True)
        with pytest.raises(DataNotFoundError, match=r"There are 0 pictures"):
            listing_of(tmp_path)


class TestGroups:
    def test_what_the_brackets_enclose_is_the_group(self, tmp_path: Path) -> None:
        listing = listing_of(make(tmp_path, "a/p1_x.png", "a/p2_x.png", "b/p1_y.png"), group=r"([^/_]+)_[^/]*$")
        assert listing.groups == ["p1", "p2", "p1"]

    def test_pictures_whose_names_do_not_fit_are_in_no_group_and_counted(self, tmp_path: Path) -> None:
        listing = listing_of(make(tmp_path, "a/p1_x.png", "b/other.png"), group=r"p\d+")
        assert listing.groups == ["p1", ""]
        assert "1 of 2 pictures are in no group" in said(listing)

    @pytest.mark.parametrize(("pattern", "problem"), [("(", "is no regular expression"), ("zzz", "fits no name")])
    def test_a_pattern_that_means_nothing_is_refused(self, tmp_path: Path, pattern: str, problem: str) -> None:
        with pytest.raises(RequestError, match=problem):
            listing_of(make(tmp_path, "a/1.png", "b/1.png"), group=pattern)


def test_the_name_holds_from_every_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "pets/a/1.png", "pets/b/1.png")
    monkeypatch.chdir(tmp_path)
    listing = listing_of("pets")
    assert (listing.name, listing.title) == (str(tmp_path / "pets"), "pets")
