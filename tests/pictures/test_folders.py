from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from honshi.errors import DataNotFoundError
from honshi.pictures.folders import find_pictures


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_pictures_are_found_at_every_depth_and_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.png", "a.JPG", "deep/er/c.webp", "d.jfif", "e.avif", "f.jp2", "g.apng", "h.pgm")
    (tmp_path / "a folder.png").mkdir()

    found = find_pictures([tmp_path])

    assert [str(path.relative_to(tmp_path)) for path in found.pictures] == [
        "a.JPG",
        "b.png",
        "d.jfif",
        str(Path("deep/er/c.webp")),
        "e.avif",
        "f.jp2",
        "g.apng",
        "h.pgm",
    ]


def test_a_picture_without_a_name_that_says_so_is_known_by_its_content(tmp_path: Path) -> None:
    Image.new("L", (3, 3)).save(tmp_path / "scan", format="PNG")

    assert find_pictures([tmp_path]).pictures == [tmp_path / "scan"]


def test_what_is_no_picture_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "notes.txt", "deep/d.csv")
    (tmp_path / "figure.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")

    assert find_pictures([tmp_path]).others == [
        tmp_path / "deep/d.csv",
        tmp_path / "figure.eps",
        tmp_path / "notes.txt",
    ]


def test_what_systems_hide_in_folders_is_passed_over(tmp_path: Path) -> None:
    touch(
        tmp_path, "a.png", "._a.png", ".DS_Store", ".ipynb_checkpoints/a-checkpoint.png", "__MACOSX/a.png", "Thumbs.db"
    )

    found = find_pictures([tmp_path])

    assert (found.pictures, found.others) == ([tmp_path / "a.png"], [])


def test_a_hidden_folder_that_was_named_is_looked_into(tmp_path: Path) -> None:
    touch(tmp_path, ".mine/a.png")

    assert find_pictures([tmp_path / ".mine"]).pictures == [tmp_path / ".mine/a.png"]


def test_a_file_that_was_named_is_taken_whatever_it_is_and_the_order_is_kept(tmp_path: Path) -> None:
    touch(tmp_path, "scan", ".hidden", "folder/a.png")

    paths = [tmp_path / "scan", tmp_path / "folder", tmp_path / ".hidden"]

    assert find_pictures(paths).pictures == [tmp_path / "scan", tmp_path / "folder/a.png", tmp_path / ".hidden"]


def test_links_to_folders_are_followed_and_never_round(tmp_path: Path) -> None:
    touch(tmp_path, "here/a.png", "there/b.png")
    (tmp_path / "here/other").symlink_to(tmp_path / "there")
    (tmp_path / "there/back").symlink_to(tmp_path / "here")

    assert find_pictures([tmp_path / "here"]).pictures == [tmp_path / "here/a.png", tmp_path / "here/other/b.png"]


def test_a_link_that_leads_nowhere_is_kept_to_be_told(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")

    assert tmp_path / "b.png" in find_pictures([tmp_path]).pictures


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_not_utf_8_is_a_name(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path / "a") + b"\xff.png"
    Path(os.fsdecode(name)).touch()

    assert [os.fsencode(path) for path in find_pictures([tmp_path]).pictures] == [name]


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")

    with pytest.raises(DataNotFoundError, match="there is no image in this folder, and 1 other file"):
        find_pictures([tmp_path])


def test_a_path_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError, match="nowhere: there is no such file or folder"):
        find_pictures([tmp_path / "nowhere"])


def test_a_phones_heic_is_kept_to_be_told_what_to_do(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.HEIC")

    assert find_pictures([tmp_path]).pictures == [tmp_path / "a.png", tmp_path / "b.HEIC"]
