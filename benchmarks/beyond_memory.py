"""Training on more pictures than memory holds: from the map, from memory, and by DataLoaders over files.

    python -m benchmarks.beyond_memory
    python -m benchmarks.beyond_memory --pictures 1000000 --loader-pictures 20000 --json beyond.json

Pictures of 64 x 64 in colour are drawn straight into a store, without files (1,000,000 take 12 GB on the disk). A
small network is trained on them for three epochs by a process of its own, which says after each what memory it has that
is no copy of a file (RssAnon) and how many pictures a second it took. Where control groups of version 2 or 1 can be
made, that process has a limit of memory, pages of files included; where they cannot, that is said, and RssAnon tells
alone.

Beside it, on fewer pictures in one run: the same from the map and from memory; a DataLoader over a Dataset that opens
PNG files; and one over an ImageFolder-like Dataset of JPEG files, two workers each.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks import machine
from honshi.data.batches import Batches
from honshi.data.examples import Examples
from honshi.data.listing import UNDIVIDED, Listing
from honshi.data.store import Form, ingest
from honshi.files import write_json
from honshi.messages import Message

SIDE, CLASSES, BATCH = 64, 10, 128
EPOCHS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=100_000, help="in the large store (default: 100000)")
    parser.add_argument("--loader-pictures", type=int, default=10_000, help="of the comparison (default: 10000)")
    parser.add_argument("--limit", type=float, default=4.0, help="GiB of memory for the training (default: 4)")
    parser.add_argument("--folder", type=Path, help="where the stores are made; they are removed (default: temporary)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    parser.add_argument("--train", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.train is not None:
        _train_and_tell(arguments.train)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        os.environ["HONSHI_HOME"] = folder
        size = arguments.pictures * 3 * SIDE * SIDE
        if shutil.disk_usage(folder).free < 1.2 * size:
            parser.error(f"{folder} has no room for {size / 1e9:.1f} GB: give fewer --pictures or another --folder")
        report: dict[str, Any] = {"machine": machine.describe(), "pictures": arguments.pictures, "bytes": size}
        started = time.perf_counter()
        ingest(_drawn(arguments.pictures), _form())
        seconds = time.perf_counter() - started
        print(f"{arguments.pictures:,} pictures, {size / 1e9:.1f} GB, drawn and written in {seconds:.0f} s")
        report["large"] = _limited(arguments.pictures, arguments.limit)
        report["beside"] = _beside(arguments.loader_pictures, Path(folder))
    print(machine.line())
    if arguments.json:
        write_json(arguments.json, report)


class _Noise:
    """Pixels that are drawn when they are asked for: the same for the same place."""

    def __call__(self, place: int) -> NDArray[np.uint8]:
        return np.random.default_rng(place).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


def _form() -> Form:
    return Form(shape=(3, SIDE, SIDE))


def _drawn(count: int) -> Listing:
    return Listing(
        name=f"benchmark-{count}",
        title="drawn",
        kind=Message("pictures that are drawn"),
        names=[str(place) for place in range(count)],
        labels=(np.arange(count) % CLASSES).astype(np.int32),
        classes=tuple(map(str, range(CLASSES))),
        parts=np.full(count, UNDIVIDED, dtype=np.int8),
        stamps=np.ones((count, 2), dtype=np.int64),
        opener=_Noise(),
    )


def _network() -> nn.Module:
    """Small, so that the data matter: 12,288 numbers to 10 by means of cells of 8 x 8."""
    torch.manual_seed(0)
    return nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(3 * (SIDE // 8) ** 2, CLASSES))


def _epoch(model: nn.Module, optimizer: torch.optim.Optimizer, batches: Any) -> float:
    """Pictures a second of one epoch."""
    criterion, count = nn.CrossEntropyLoss(), 0
    started = time.perf_counter()
    for inputs, labels in batches:
        optimizer.zero_grad()
        criterion(model(inputs), labels).backward()
        optimizer.step()
        count += len(labels)
    return count / (time.perf_counter() - started)


def _rates(batches: Any, epochs: int = EPOCHS) -> list[float]:
    model = _network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    return [_epoch(model, optimizer, batches) for _ in range(epochs)]


def _train_and_tell(count: int) -> None:
    """The process of its own: a line of JSON after each epoch."""
    images = ingest(_drawn(count), _form())
    batches = Batches(images, BATCH, shuffle=torch.Generator().manual_seed(0))
    model = _network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(EPOCHS):
        rate = _epoch(model, optimizer, batches)
        print(json.dumps({"epoch": epoch + 1, "rate": rate, **_memory()}), flush=True)


def _memory() -> dict[str, int]:
    """Bytes of this process that are no copy of a file, and that are."""
    found = {}
    for line in Path("/proc/self/status").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name in ("RssAnon", "RssFile"):
            found[name] = 1024 * int(value.split()[0])
    return found


def _limited(count: int, limit: float) -> dict[str, Any]:
    with _control_group(int(limit * 2**30)) as (join, said):
        # Pages that this process has written would be counted as its own, and the limit would not be felt.
        _out_of_memory(Path(os.environ["HONSHI_HOME"]))
        command = [sys.executable, "-m", "benchmarks.beyond_memory", "--train", str(count)]
        if join is not None:
            command = ["sh", "-c", f'echo $$ > "{join}" && exec "$@"', "sh", *command]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    epochs = [json.loads(line) for line in done.stdout.splitlines()]
    print(f"\ntrained from the map, {said}\nepoch   pictures a second   RssAnon MB   RssFile MB")
    for row in epochs:
        print(f"{row['epoch']:>5}{row['rate']:>20,.0f}{row['RssAnon'] / 1e6:>13,.0f}{row['RssFile'] / 1e6:>13,.0f}")
    anonymous = [row["RssAnon"] for row in epochs]
    print(f"RssAnon varies by {max(anonymous) / min(anonymous) - 1:.1%} over the epochs")
    return {"limit": said, "epochs": epochs}


def _out_of_memory(folder: Path) -> None:
    """Have the system forget what it holds of the files below a folder."""
    for path in folder.rglob("*.u8"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


@contextmanager
def _control_group(limit: int) -> Iterator[tuple[Path | None, str]]:
    """A group below this process's own, with a limit of memory: the file to join it by, and what it is."""
    for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
        _, controllers, own = line.split(":", 2)
        root = "/sys/fs/cgroup" if controllers == "" else "/sys/fs/cgroup/memory"
        if controllers not in ("", "memory"):
            continue
        group = Path(root) / own.strip("/") / f"honshi-benchmark-{os.getpid()}"
        try:
            group.mkdir()
            (group / ("memory.max" if controllers == "" else "memory.limit_in_bytes")).write_text(str(limit))
        except OSError:
            if group.is_dir():
                group.rmdir()
            continue
        try:
            yield group / "cgroup.procs", f"with at most {limit / 2**30:g} GiB of memory, pages of files included"
        finally:
            group.rmdir()
        return
    yield None, "without a limit: no control group can be made here"


class _Files(Dataset[tuple[Tensor, int]]):
    """Opens a file for each picture, as the tutorials do."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        with Image.open(self.files[index]) as picture:
            pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
        return pixels.float().div_(255).sub_(0.5).div_(0.5), index % CLASSES


def _beside(count: int, folder: Path) -> dict[str, float]:
    mapped = ingest(_drawn(count), _form())
    memory: Examples = mapped.in_memory()
    rates: dict[str, list[float]] = {"from memory": [], "from the map": []}
    for _ in range(3):  # in turn
        for name, images in (("from memory", memory), ("from the map", mapped)):
            rates[name] += _rates(Batches(images, BATCH, shuffle=torch.Generator().manual_seed(0)), 1)
    for suffix, name in ((".png", "DataLoader, PNG files"), (".jpg", "ImageFolder-like, JPEG files")):
        files = [folder / f"files{suffix}" / str(place % CLASSES) / f"{place}{suffix}" for place in range(count)]
        for place, path in enumerate(files):
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(_Noise()(place)).save(path)
        rates[name] = _rates(DataLoader(_Files(files), BATCH, shuffle=True, num_workers=2), 2)
    best = {name: max(found) for name, found in rates.items()}
    print(f"\n{count:,} pictures, the best epoch of each, pictures a second; beside memory")
    for name, rate in best.items():
        print(f"{name:<30}{rate:>12,.0f}{rate / best['from memory']:>8.2f}")
    return best


if __name__ == "__main__":
    main()
