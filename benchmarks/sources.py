"""Data that other people have made, read as they lie there.

    python -m benchmarks.sources --folder ../real

elpv      PyPI's `elpv-dataset`: 2,624 photographs of solar cells, a table separated by white space without names of
          columns (CC BY-NC-SA 4.0)
stamps    Debian's `tuxpaint-stamps-default`: drawings and photographs in nested folders, of all modes and many sizes
          (several free licences)
emoji     npm's `emoji-datasource-google`: people, with transparency; the same person in several colours of skin is a
          group (fonts of Apache-2.0 and SIL OFL)

They are fetched and never kept in the repository. Each is read twice, from its files and from the cache, in a home of
its own, and it is told what was found, what was passed over, and whether the rules of the division hold.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import honshi
from benchmarks import machine
from benchmarks.photographs import elpv, people

STAMPS = "tuxpaint-stamps-default"


def cells(folder: Path) -> tuple[Path, dict[str, Any]]:
    return elpv(folder) / "labels.csv", {"columns": {"path": 1, "label": 2}}


def stamps(folder: Path) -> tuple[Path, dict[str, Any]]:
    unpacked = folder / "stamps"
    if not unpacked.exists():
        subprocess.run(["apt-get", "download", "-qq", STAMPS], check=True, cwd=folder, stderr=subprocess.DEVNULL)
        (package,) = folder.glob(f"{STAMPS}_*.deb")
        subprocess.run(["dpkg-deb", "-x", str(package), str(unpacked)], check=True)
    return unpacked / "usr" / "share" / "tuxpaint" / "stamps", {}


def emoji(folder: Path) -> tuple[Path, dict[str, Any]]:
    return people(folder), {}


SOURCES: dict[str, Callable[[Path], tuple[Path, dict[str, Any]]]] = {"elpv": cells, "stamps": stamps, "emoji": emoji}


def read(name: str, folder: Path) -> None:
    """Tell what becomes of one source.

    Raises:
        AssertionError: a rule of the division does not hold.
    """
    path, options = SOURCES[name](folder)
    seconds = []
    with tempfile.TemporaryDirectory() as home:
        os.environ["HONSHI_HOME"] = home
        for _ in range(2):
            started = time.perf_counter()
            splits: honshi.Splits[Any] = honshi.load(str(path), **options)
            seconds.append(time.perf_counter() - started)
    train, val = splits.train, splits.val
    print(f"\n{name}: first {seconds[0]:.2f} s, then {seconds[1]:.2f} s")
    for told in splits.told:
        for text in told.texts:
            print(f"    {text}"[:240])
    for note in splits.notes:
        print(f"    note: {note}"[:240])
    print(f"    {len(train):,} train, {len(val):,} val, {splits.exam_size or 0:,} exam; {len(train.classes)} classes")
    assert splits.units is not None
    assert len(splits.units) == len(train)
    assert train.contents is not None
    assert val.contents is not None
    assert not {bytes(one) for one in train.contents} & {bytes(one) for one in val.contents}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where what is fetched is kept; thrown away if left out")
    parser.add_argument("--only", default=",".join(SOURCES), help="sources, separated by commas")
    given = parser.parse_args()
    print(machine.line())
    with tempfile.TemporaryDirectory() as own:
        folder = Path(own) if given.folder is None else given.folder.resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for name in given.only.split(","):
            read(name, folder)


if __name__ == "__main__":
    main()
