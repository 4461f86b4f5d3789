"""Tables: whatever way they are written, each picture gets the label of its row, as text."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.data.sources.made import answers, listing_of, make, parts, said

from honshi.data.sources.text_tables import Written, how_written, rows
from honshi.errors import DataNotFoundError, DataRefusedError, RequestError


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return make(tmp_path, "a.png", "b.png", "c.png", "deep/d.png", "猫.png")


def table(folder: Path, content: str | bytes, name: str = "labels.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


EXPECTED = {"a.png": "cat", "b.png": "dog"}


class TestWriting:
    @pytest.mark.parametrize(
        ("name", "content"),
        [
            ("l.csv", "path,label\na.png,cat\nb.png,dog\n"),
            ("l.csv", "path,label\r\na.png,cat\r\nb.png,dog\r\n"),
            ("l.csv", "path,label\ra.png,cat\rb.png,dog"),
            ("l.csv", "\n\npath,label\n\na.png,cat\n\n\nb.png,dog\n\n"),
            ("l.csv", "\ufeffpath,label\na.png,cat\nb.png,dog\n"),
            ("l.csv", "path;label\na.png;cat\nb.png;dog\n"),
            ("l.csv", "label|path\ncat|a.png\ndog|b.png\n"),
            ("l.tsv", "path\tlabel\na.png\tcat\nb.png\tdog\n"),
            ("l.csv", "path\tlabel\na.png\tcat\nb.png\tdog\n"),
            ("l.txt", "path label\na.png    cat\nb.png\t dog\n"),
            ("l.csv", '"path","label"\n"a.png","cat"\n"b.png","dog"\n'),
            ("l.csv", "path, label\na.png, cat\nb.png, dog\n"),
            ("l.csv", "path,label,\na.png,cat,\nb.png,dog,\n"),
            ("l.csv", "id,File Name,x,Class\n1,a.png,0.5,cat\n2,b.png,0.1,dog\n"),
            ("l.csv", "ファイル名,ラベル\na.png,cat\nb.png,dog\n"),
            ("l.csv", "path,label\n./a.png,cat\ndeep/../b.png,dog\n"),
            ("l.csv", "a.png,cat\nb.png,dog\n"),
            ("l.csv", "cat,a.png\ndog,b.png\n"),
            ("l.csv", "path,label\n a.png , cat \n b.png ,dog\n"),
        ],
    )
    def test_all_of_these_are_one_table(self, pictures: Path, name: str, content: str) -> None:
        assert answers(listing_of(table(pictures, content, name))) == EXPECTED

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932"])
    def test_encodings_are_told_apart(self, pictures: Path, encoding: str) -> None:
        content = "path,label\na.png,犬\n猫.png,ねこ\n".encode(encoding)
        listing = listing_of(table(pictures, content))
        assert answers(listing) == {"a.png": "犬", "猫.png": "ねこ"}
        assert ("Shift-JIS" in said(listing)) == (encoding == "cp932")

    def test_an_encoding_that_is_neither_is_refused(self, pictures: Path) -> None:
        with pytest.raises(DataRefusedError, match=r"neither in UTF-8 nor in Shift-JIS: byte 18 fits neither"):
            listing_of(table(pictures, b"path,label\na.png,c\xff\xff\nb.png,d\n"))

    def test_a_quote_that_is_not_closed_swallows_no_rows(self, pictures: Path) -> None:
        with pytest.raises(DataRefusedError, match=r"Is a quote opened there and not closed\?"):
            listing_of(table(pictures, 'path,label\na.png,cat\nb.png,"dog\nc.png,cat\n'))

    def test_a_row_with_more_fields_is_refused(self, pictures: Path) -> None:
        with pytest.raises(
            DataRefusedError, match=r"line 3 has 3 fields and the first one 2: \['b', ' c.png', 'dog'\]|line 3"
        ):
            listing_of(table(pictures, "path,label\na.png,cat\nb, c.png,dog\n"))

    @pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", ",,\n", "path,label\n"])
    def test_an_empty_table_is_refused(self, pictures: Path, content: str) -> None:
        with pytest.raises(DataRefusedError, match=r"the table is empty|no row below"):
            listing_of(table(pictures, content))

    def test_what_is_no_text_is_refused(self, pictures: Path) -> None:
        with pytest.raises(DataRefusedError, match=r"no table of text: it has zero bytes"):
            listing_of(table(pictures, b"\0\1\2\3" * 100))

    def test_a_single_picture_is_no_data_set(self, pictures: Path) -> None:
        with pytest.raises(DataNotFoundError, match=r"this is a single picture"):
            listing_of(pictures / "a.png")


FIELDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
TABLES = st.lists(st.lists(FIELDS, min_size=2, max_size=2), min_size=1, max_size=8)


def without_spaces(table: list[list[str]]) -> list[list[str]]:
    stripped = [[field.lstrip(" ") for field in row] for row in table]
    return [row for row in stripped if any(row)]


class TestParsing:
    @given(
        content=TABLES,
        separator=st.sampled_from(",\t;|"),
        encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp932"]),
        end=st.sampled_from(["\n", "\r\n"]),
        quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    )
    def test_what_csv_has_written_comes_back(
        self, content: list[list[str]], separator: str, encoding: str, end: str, quoting: int
    ) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=separator, lineterminator=end, quoting=quoting).writerows(content)  # type: ignore[arg-type]
        try:
            stream = io.BytesIO(text.getvalue().encode(encoding))
        except UnicodeEncodeError:
            assume(False)
        found = [row for _, row in rows(stream, Written(encoding, separator), "t")]
        if quoting == csv.QUOTE_ALL:
            assert found == [row for row in content if any(row)]
        else:  # white space behind a separator belongs to no field
            assert without_spaces(found) == without_spaces(content)

    @given(names=TABLES, separator=st.sampled_from(",\t;|"))
    def test_the_separator_is_known_by_the_names_of_columns(self, names: list[list[str]], separator: str) -> None:
        text = io.StringIO(newline="")
        csv.writer(text, delimiter=separator).writerows([["label", "path"], *names])
        assert how_written(io.BytesIO(text.getvalue().encode()), "t.csv").separator == separator


class TestLabels:
    def test_they_are_text(self, pictures: Path) -> None:
        content = "path,label\na.png,007\nb.png,7\nc.png,NA\ndeep/d.png,1e5\n猫.png,nan\n"
        assert sorted(answers(listing_of(table(pictures, content))).values()) == ["007", "1e5", "7", "NA", "nan"]

    def test_a_row_without_one_is_listed(self, pictures: Path) -> None:
        listing = listing_of(table(pictures, "path,label\na.png,cat\nb.png,dog\nc.png,\n"))
        assert [(name, str(why)) for name, why in listing.skipped] == [("c.png", "the row has no label")]

    def test_rows_that_agree_are_taken_once_and_counted(self, pictures: Path) -> None:
        listing = listing_of(table(pictures, "path,label\na.png,cat\nb.png,dog\n./a.png,cat\n"))
        assert answers(listing) == EXPECTED
        assert "1 rows say again" in said(listing)

    def test_rows_that_do_not_agree_are_refused_with_both(self, pictures: Path) -> None:
        with pytest.raises(DataRefusedError, match=r"'a.png' .* its label is 'cat' in line 2 and 'dog' in line 4"):
            listing_of(table(pictures, "path,label\na.png,cat\nb.png,dog\na.png,dog\n"))

    def test_one_label_only_is_refused(self, pictures: Path) -> None:
        with pytest.raises(DataRefusedError, match=r"all 2 pictures have one label, 'cat'"):
            listing_of(table(pictures, "path,label\na.png,cat\nb.png,cat\n"))


class TestParts:
    def test_a_column_says_them(self, pictures: Path) -> None:
        content = "path,label,split\na.png,cat,train\nb.png,dog,Training\nc.png,cat,valid\ndeep/d.png,dog,test\n"
        assert list(parts(listing_of(table(pictures, content))).values()) == ["train", "train", "val", "test"]

    @pytest.mark.parametrize("value", ["", "0", "fold 1"])
    def test_what_is_no_part_is_refused(self, pictures: Path, value: str) -> None:
        with pytest.raises(DataRefusedError, match=rf"line 3: '{value}' is no part of a data set"):
            listing_of(table(pictures, f"path,label,split\na.png,cat,train\nb.png,dog,{value}\n"))

    def test_a_class_that_training_lacks_is_refused(self, pictures: Path) -> None:
        content = "path,label,split\na.png,cat,train\nb.png,dog,train\nc.png,cow,val\n"
        with pytest.raises(DataRefusedError, match=r"validation part there is a class 'cow'"):
            listing_of(table(pictures, content))

    def test_a_test_part_without_labels_is_a_competitions(self, pictures: Path) -> None:
        listing = listing_of(table(pictures, "path,label,split\na.png,cat,train\nb.png,dog,train\nc.png,,test\n"))
        assert answers(listing)["c.png"] == "-"
        assert "have no labels" in said(listing)

    def test_where_some_of_it_has_labels_the_others_are_listed(self, pictures: Path) -> None:
        content = "path,label,split\na.png,cat,train\nb.png,dog,train\nc.png,,test\ndeep/d.png,cat,test\n"
        assert [name for name, _ in listing_of(table(pictures, content)).skipped] == ["c.png"]

    def test_a_table_for_each_part_is_known_by_its_name(self, pictures: Path) -> None:
        table(pictures, "path,label\na.png,cat\nb.png,dog\n", "train.csv")
        table(pictures, "path,label\nc.png,dog\n", "test_labels.csv")
        listing = listing_of(pictures)
        assert parts(listing) == {"a.png": "train", "b.png": "train", "c.png": "test"}

    def test_a_picture_in_two_parts_is_refused(self, pictures: Path) -> None:
        table(pictures, "path,label\na.png,cat\nb.png,dog\n", "train.csv")
        table(pictures, "path,label\na.png,cat\n", "val.csv")
        with pytest.raises(
            DataRefusedError, match=r"its split is 'train' in line 2 of .*train\.csv and 'val' in line 2"
        ):
            listing_of(pictures)


class TestGroups:
    def test_a_column_says_them(self, pictures: Path) -> None:
        listing = listing_of(table(pictures, "path,label,patient_id\na.png,cat,007\nb.png,dog,7\n"))
        assert listing.groups == ["007", "7"]


class TestColumns:
    def test_they_can_be_named(self, pictures: Path) -> None:
        content = "path,id,kind,label\nx,a.png,cat,1\ny,b.png,dog,2\n"
        found = listing_of(table(pictures, content), columns={"path": "id", "label": "kind"})
        assert answers(found) == EXPECTED

    @pytest.mark.parametrize("first", ["", "file prob type\n"])
    def test_they_can_be_numbered_with_or_without_names(self, pictures: Path, first: str) -> None:
        content = first + "a.png 1.0   cat\nb.png 0.3333   dog\n"
        found = listing_of(table(pictures, content), columns={"path": 1, "label": "3"})
        assert answers(found) == EXPECTED

    def test_one_that_was_named_is_enough_where_the_other_is_known(self, pictures: Path) -> None:
        content = "path,label,kind\na.png,1,cat\nb.png,2,dog\n"
        assert answers(listing_of(table(pictures, content), columns={"label": "kind"})) == EXPECTED

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            ("path,class,label\na.png,1,cat\n", r"both 'class' and 'label' may be the column of the label"),
            ("a.png,1.0,cat\nb.png,2.0,dog\n", r"it is not certain which columns hold the paths and the labels"),
            ("name,kind\na.png,cat\nb.png,dog\n", r"it is not certain"),
            ("path,kind\na.png,cat\n", r"it is not certain"),
        ],
    )
    def test_what_is_not_certain_is_asked(self, pictures: Path, content: str, problem: str) -> None:
        with pytest.raises(DataRefusedError, match=problem):
            listing_of(table(pictures, content))

    @pytest.mark.parametrize(
        ("columns", "problem"),
        [
            ({"path": "path", "label": "kind"}, r"there is no column 'kind'; the columns are path, label"),
            ({"path": "path", "label": 3}, r"there is no column 3"),
            ({"path": "path", "lable": "label"}, r"there is no 'lable'"),
        ],
    )
    def test_one_that_is_not_there_is_named(self, pictures: Path, columns: dict[str, str | int], problem: str) -> None:
        with pytest.raises((DataRefusedError, RequestError), match=problem):
            listing_of(table(pictures, "path,label\na.png,cat\n"), columns=columns)

    def test_they_are_for_tables_only(self, tmp_path: Path) -> None:
        with pytest.raises(RequestError, match=r"--columns is for tables"):
            listing_of(make(tmp_path, "a/1.png", "b/1.png"), columns={"path": "a"})


class TestPaths:
    def test_backslashes_of_windows_are_resolved(self, pictures: Path) -> None:
        found = listing_of(table(pictures, "path,label\ndeep\\d.png,cat\n.\\a.png,dog\n"))
        assert answers(found) == {"deep/d.png": "cat", "a.png": "dog"}

    def test_absolute_ones_below_the_root_are_taken(self, pictures: Path) -> None:
        found = listing_of(table(pictures, f"path,label\n{pictures}/a.png,cat\nb.png,dog\n"))
        assert answers(found) == EXPECTED

    @pytest.mark.parametrize(
        "path", ["../x.png", "/etc/passwd", "deep/../../x.png", "..\\x.png", "C:\\x.png", "\\\\s\\x"]
    )
    def test_one_out_of_the_root_is_refused_by_name(self, pictures: Path, path: str) -> None:
        with pytest.raises(DataRefusedError, match=r"line 3: the path '.*' leads out of"):
            listing_of(table(pictures, f"path,label\na.png,cat\n{path},dog\n"))

    def test_one_without_a_file_is_listed(self, pictures: Path) -> None:
        listing = listing_of(table(pictures, "path,label\na.png,cat\nb.png,dog\ngone.png,cat\ndeep,dog\n,dog\n"))
        assert [name for name, _ in listing.skipped] == ["gone.png", "deep", "labels.csv:6"]

    def test_where_all_are_missing_the_table_is_refused(self, pictures: Path) -> None:
        with pytest.raises(
            DataRefusedError, match=r"none of the 2 rows names a picture that is there; the first is 'x/a"
        ):
            listing_of(table(pictures, "path,label\nx/a.png,cat\nx/b.png,dog\n"))


class TestFoldersWithATable:
    def test_the_table_is_taken_where_there_are_no_class_folders(self, tmp_path: Path) -> None:
        make(tmp_path, "set/images/1.png", "set/images/2.png")
        table(tmp_path / "set", "path,label\nimages/1.png,cat\nimages/2.png,dog\n")
        listing = listing_of(tmp_path)
        assert answers(listing) == {"set/images/1.png": "cat", "set/images/2.png": "dog"}

    def test_one_that_agrees_with_class_folders_is_not_read_and_that_is_said(self, tmp_path: Path) -> None:
        make(tmp_path, "cat/1.png", "dog/2.png")
        table(tmp_path, "path,label\ncat/1.png,cat\ndog/2.png,dog\n")
        assert "'labels.csv' lies there too" in said(listing_of(tmp_path))

    def test_one_that_does_not_agree_is_refused(self, tmp_path: Path) -> None:
        make(tmp_path, "left/1.png", "right/2.png")
        table(tmp_path, "path,label\nleft/1.png,cat\nright/2.png,dog\n")
        with pytest.raises(DataRefusedError, match=r"here are class folders, and the table 'labels.csv'"):
            listing_of(tmp_path)
