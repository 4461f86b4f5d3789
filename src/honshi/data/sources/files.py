"""What a single file is: a table, an array file or an archive, told by its first bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from honshi.data.listing import Listing
from honshi.data.sources.tables import open_tables
from honshi.data.sources.tree import FolderTree
from honshi.errors import DataNotFoundError
from honshi.files import is_file
from honshi.pictures.formats import begins_as_picture


def open_file(path: Path, columns: Mapping[str, str | int] | None) -> Listing:
    """What a file holds.

    Raises:
        DataNotFoundError: it is nothing that holds a data set.
        DataRefusedError: it does not hold together.
    """
    if not is_file(path):
        raise DataNotFoundError(
            "{path}: this is neither a file nor a folder but a pipe, a device or a link that leads nowhere.", path=path
        )
    if begins_as_picture(path):
        raise DataNotFoundError(
            "{path}: this is a single picture. Data are a folder, a table, an array file or an archive with many of "
            "them; to ask a trained model about one: honshi predict RUN {path}",
            path=path,
        )
    return open_tables(FolderTree(path.parent), {path.name: None}, columns)
