"""Own pictures read into a store, beside Pillow alone on the same cores.

    python -m benchmarks.ingest
    python -m benchmarks.ingest --pictures 4000 --photographs 8 --json ingest.json

Pillow alone opens each file, decodes it and makes it an array, in as many processes as honshi has: nothing is scaled,
hashed, checked or written. honshi does all that from an empty home. Pictures of 64 x 64 stay that size; photographs of
12 megapixels become 224 x 224. The files are in the page cache for both. They take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import machine
from honshi.data.listing import UNDIVIDED, Files, Listing
from honshi.data.store import Settings, ingest
from honshi.data.store.workers import cores
from honshi.files import write_json
from honshi.messages import Message

SIDE = 64
PHOTOGRAPH = (4000, 3000)
SIZE_OF_PHOTOGRAPHS = 224
# A process of Pillow's: told which files, it decodes them and says how long that took.
PILLOW = """
import sys, time
import numpy as np
from PIL import Image
for line in sys.stdin:
    started = time.perf_counter()
    for path in open(line.strip(), encoding="utf-8").read().splitlines():
        with Image.open(path) as picture:
            np.asarray(picture.convert("RGB"))
    print(time.perf_counter() - started, flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000, help="small ones of each format (default: 20000)")
    parser.add_argument("--photographs", type=int, default=48, help="of 12 megapixels (default: 48)")
    parser.add_argument("--rounds", type=int, default=3, help="how often both take their turn (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    report: dict[str, Any] = {"machine": machine.describe(), "cores": cores()}
    print(f"{'files':<28}{'Pillow alone':>14}{'honshi':>10}   pictures a second    ratio")
    with tempfile.TemporaryDirectory() as folder:
        for title, files, size in _sets(Path(folder), arguments.pictures, arguments.photographs):
            alone, ours = _rates(files, size, arguments.rounds, Path(folder))
            report[title] = {"pillow": alone, "honshi": ours, "ratio": ours / alone}
            print(f"{title:<28}{alone:>14,.0f}{ours:>10,.0f}{'':>20}{ours / alone:>9.2f}")
        print(f"\n{_ready(files, size, Path(folder))}")
    print(machine.line())
    if arguments.json:
        write_json(arguments.json, report)


def _sets(folder: Path, pictures: int, photographs: int) -> list[tuple[str, list[Path], int | None]]:
    random = np.random.default_rng(0)
    found: list[tuple[str, list[Path], int | None]] = []
    for title, suffix, mode in (
        ("PNG, 64 x 64, colour", ".png", "RGB"),
        ("PNG, 64 x 64, grey", ".png", "L"),
        ("JPEG, 64 x 64, colour", ".jpg", "RGB"),
    ):
        place = folder / title.replace(" ", "-")
        place.mkdir()
        files = [place / f"{number}{suffix}" for number in range(pictures)]
        smooth = [_smooth(random, (SIDE, SIDE)).convert(mode) for _ in range(50)]
        for number, path in enumerate(files):
            smooth[number % 50].save(path)
        found.append((title, files, None))
    place = folder / "photographs"
    place.mkdir()
    files = [place / f"{number}.jpg" for number in range(photographs)]
    photograph = _smooth(random, PHOTOGRAPH)
    for path in files:
        photograph.save(path, quality=90)
    found.append(("JPEG, 12 megapixels", files, SIZE_OF_PHOTOGRAPHS))
    return found


def _smooth(random: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Something that compresses about as photographs do: soft shapes and a little noise."""
    coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    pixels = np.asarray(coarse, np.int16) + random.integers(-6, 7, (size[1], size[0], 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def _rates(files: list[Path], size: int | None, rounds: int, folder: Path) -> tuple[float, float]:
    """Pictures a second of Pillow alone and of honshi, medians."""
    alone, ours = [], []
    with _Pillow(cores(), folder) as pillow:
        pillow.seconds(files)  # every file is in the page cache, and all is imported
        for number in range(rounds):
            alone.append(len(files) / pillow.seconds(files))
            os.environ["HONSHI_HOME"] = str(folder / f"home-{files[0].parent.name}-{number}")
            started = time.perf_counter()
            ingest(_listing(files), Settings(size=size))
            ours.append(len(files) / (time.perf_counter() - started))
    return statistics.median(alone), statistics.median(ours)


def _ready(files: list[Path], size: int | None, folder: Path) -> str:
    listing = _listing(files)
    started = time.perf_counter()
    ingest(listing, Settings(size=size))
    return f"{len(files):,} of them ready again in {time.perf_counter() - started:.3f} s"


class _Pillow:
    """Processes that decode by Pillow alone."""

    def __init__(self, count: int, folder: Path) -> None:
        self.folder = folder
        self.processes = [
            subprocess.Popen([sys.executable, "-c", PILLOW], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(count)
        ]

    def __enter__(self) -> _Pillow:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.communicate()

    def seconds(self, files: list[Path]) -> float:
        """From the request to the last answer."""
        for number in range(len(self.processes)):
            part = self.folder / f"part-{number}.txt"
            part.write_text("\n".join(map(str, files[number :: len(self.processes)])), "utf-8")
        started = time.perf_counter()
        for number, process in enumerate(self.processes):
            assert process.stdin is not None
            process.stdin.write(f"{self.folder / f'part-{number}.txt'}\n")
            process.stdin.flush()
        for process in self.processes:
            assert process.stdout is not None
            process.stdout.readline()
        return time.perf_counter() - started


def _listing(files: list[Path]) -> Listing:
    names = [path.name for path in files]
    stats = [path.stat() for path in files]
    return Listing(
        name=str(files[0].parent),
        title=files[0].parent.name,
        kind=Message("files of a benchmark"),
        names=names,
        labels=np.zeros(len(files), dtype=np.int32),
        classes=("all",),
        parts=np.full(len(files), UNDIVIDED, dtype=np.int8),
        stamps=np.array([(stat.st_size, stat.st_mtime_ns) for stat in stats], dtype=np.int64),
        opener=Files(files[0].parent, names),
    )


if __name__ == "__main__":
    main()
