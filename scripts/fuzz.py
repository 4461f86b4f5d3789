"""`make fuzz`: every parser is given damaged files, and answers with what they hold or with a sentence.

    python -m scripts.fuzz
    python -m scripts.fuzz --inputs 2000 --seed 1 --only png,csv

Each input is a good file of a kind with some of its bytes changed, cut out, doubled, put in from elsewhere in it or cut
off. What a parser raises must be one of honshi's own errors, after at most five seconds and with at most 512 MB more
than before. What is not is written beside the report, to be read again: build/fuzz/KIND-NUMBER.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import resource
import shutil
import struct
import sys
import tarfile
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import honshi
from honshi.data.listing import Listing
from honshi.data.sources import open_source
from honshi.errors import HonshiError
from honshi.models import MLP
from honshi.models.card import Card, attach
from honshi.pictures import InputContract, Normalization
from honshi.pictures.prepare import prepare
from honshi.pictures.probe import probe
from honshi.recipe import Recipe

INPUTS = 100_000
SECONDS, MEGABYTES = 5.0, 512
FAILED = Path("build") / "fuzz"
CONTRACT = InputContract(shape=(3, 16, 16), normalization=Normalization(mean=(0.5,) * 3, std=(0.5,) * 3))

# Reads a file, whatever has become of it.
Read = Callable[[], object]
# Writes a good file and what belongs to it into a folder: the file that is to be damaged, and what reads it.
Make = Callable[[Path], tuple[Path, Read]]


def picture(form: str, **options: object) -> Make:
    def make(folder: Path) -> tuple[Path, Read]:
        path = folder / f"picture.{form.lower()}"
        pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path, form, **options)

        def read() -> None:
            probe(path)
            prepare(path, CONTRACT)

        return path, read

    return make


def pictures_of(folder: Path) -> None:
    for name in ("a.png", "b.png", "c.png", "d.png"):
        Image.new("L", (6, 5), ord(name[0])).save(folder / name)


def table(name: str, content: str, columns: dict[str, str | int] | None = None) -> Make:
    def make(folder: Path) -> tuple[Path, Read]:
        pictures_of(folder)
        path = folder / name
        path.write_bytes(content.encode())
        return path, lambda: open_source(str(path), columns=columns)

    return make


def parquet(folder: Path) -> tuple[Path, Read]:
    import pyarrow
    import pyarrow.parquet

    pictures_of(folder)
    path = folder / "table.parquet"
    columns = {"path": [f"{name}.png" for name in "abcd"], "label": ["x", "y"] * 2}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path, lambda: open_source(str(path))


def arrays(name: str) -> Make:
    def make(folder: Path) -> tuple[Path, Read]:
        path = folder / name
        pixels, labels = np.arange(6 * 25, dtype=np.uint8).reshape(6, 5, 5), np.arange(6) % 2
        if name.endswith(".npz"):
            np.savez_compressed(path, x_train=pixels, y_train=labels)
        else:
            np.save(folder / "labels.npy", labels)
            np.save(path, pixels)

        def read() -> None:
            listing = open_source(str(path))
            assert isinstance(listing, Listing)
            listing.open(0)

        return path, read

    return make


def archive(name: str) -> Make:
    def make(folder: Path) -> tuple[Path, Read]:
        inside = folder / "inside"
        for label in ("cat", "dog"):
            (inside / label).mkdir(parents=True)
            pictures_of(inside / label)
        path = folder / name
        files = sorted(file for file in inside.rglob("*") if file.is_file())
        if name.endswith(".zip"):
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
                for file in files:
                    packed.write(file, file.relative_to(inside))
        else:
            with tarfile.open(path, "w:gz" if name.endswith("gz") else "w") as packed_tar:
                for file in files:
                    packed_tar.add(file, file.relative_to(inside))

        def read() -> None:
            listing = open_source(str(path))
            assert isinstance(listing, Listing)
            for place in range(len(listing)):
                prepare(listing.open(place), CONTRACT)

        return path, read

    return make


def idx(folder: Path) -> tuple[Path, Read]:
    for part, count in (("train", 12), ("t10k", 4)):
        images = struct.pack(">4B3I", 0, 0, 8, 3, count, 3, 3) + bytes(range(9)) * count
        labels = struct.pack(">4BI", 0, 0, 8, 1, count) + bytes(place % 2 for place in range(count))
        (folder / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
        (folder / f"{part}-images-idx3-ubyte").write_bytes(images)
    (folder / "train-images-idx3-ubyte.gz").unlink()
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    return folder / "train-images-idx3-ubyte", lambda: open_source(f"idx:{folder}")


def model(which: str) -> Make:
    def make(folder: Path) -> tuple[Path, Read]:
        torch.manual_seed(0)
        net = MLP(9, (4,), 2)
        contract = InputContract(shape=(1, 3, 3), normalization=Normalization(mean=(0.5,), std=(0.5,)))
        attach(net, Card(contract, ("a", "b")))
        honshi.save(net, folder / "model.safetensors")
        return folder / which, lambda: honshi.load_model(folder / "model.safetensors")

    return make


def recipe(folder: Path) -> tuple[Path, Read]:
    path = folder / "mine.toml"
    path.write_text(Recipe.read("cnn").to_toml())
    return path, lambda: Recipe.read(str(path))


def shards(which: str) -> Make:
    def make(folder: Path) -> tuple[Path, Read]:
        from honshi.data.shards import write_shards

        numbers = np.random.default_rng(0)
        pixels = numbers.integers(0, 256, (40, 4, 4), dtype=np.uint8)
        np.savez(folder / "data.npz", x_train=pixels, y_train=np.arange(40) % 2)
        written = folder / "shards"
        write_shards(honshi.load(str(folder / "data.npz"), val=0.25), written)

        def read() -> None:
            splits: honshi.Splits = honshi.load(str(written))
            with splits.train.reading(torch.arange(len(splits.train))) as gather:
                gather(torch.arange(len(splits.train)), None)
            splits.train.gather(torch.arange(4))

        return written / which, read

    return make


KINDS: dict[str, Make] = {
    "png": picture("PNG"),
    "jpeg": picture("JPEG"),
    "progressive": picture("JPEG", progressive=True),
    "webp": picture("WEBP"),
    "gif": picture("GIF"),
    "bmp": picture("BMP"),
    "tiff": picture("TIFF"),
    "tiff-lzw": picture("TIFF", compression="tiff_lzw"),
    "ppm": picture("PPM"),
    "avif": picture("AVIF"),
    "jpeg2000": picture("JPEG2000"),
    "csv": table("table.csv", 'path,label,split\na.png,"x, y",train\nb.png,z,train\nc.png,z,val\nd.png,猫,train\n'),
    "tsv": table("table.tsv", "file\tclass\tgroup\na.png\t007\t1\nb.png\tNA\t1\nc.png\tNA\t2\n"),
    "white-space": table("table.txt", "a.png 1.0 mono\nb.png  0.0 poly\nc.png 0.0 mono\n", {"path": 1, "label": 2}),
    "parquet": parquet,
    "npz": arrays("data.npz"),
    "npy": arrays("images.npy"),
    "zip": archive("data.zip"),
    "tar": archive("data.tar"),
    "tar.gz": archive("data.tar.gz"),
    "idx": idx,
    "model.json": model("model.json"),
    "safetensors": model("model.safetensors"),
    "recipe": recipe,
    "shards.json": shards("shards.json"),
    "shard": shards("train-000000.tar"),
    "shards.npz": shards("train.npz"),
}


def damaged(content: bytes, draws: random.Random) -> bytes:
    """The same with one to eight changes."""
    changed = bytearray(content)
    for _ in range(draws.choice((1, 1, 1, 2, 4, 8))):
        if not changed:
            break
        at, length = draws.randrange(len(changed)), draws.choice((1, 1, 2, 4, 16, 64))
        match draws.randrange(7):
            case 0:
                changed[at] ^= 1 << draws.randrange(8)
            case 1:
                changed[at] = draws.choice((0, 1, 0x7F, 0x80, 0xFF, 0x22, 0x2C, 0x0A, draws.randrange(256)))
            case 2:
                del changed[at : at + length]
            case 3:
                changed[at:at] = changed[at : at + length]
            case 4:
                other = draws.randrange(len(changed))
                changed[at : at + length] = changed[other : other + length]
            case 5:
                changed[at : at + length] = draws.randbytes(length)
            case 6:
                del changed[at:]
    return bytes(changed)


def memory() -> float:
    """The most that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tried(kind: str, count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """What became of each input of a kind: "read", "refused", or what is wrong."""
    draws = random.Random(f"{kind} {seed}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, read = KINDS[kind](folder)
        read()  # as it was it is read
        good = path.read_bytes()
        for _ in range(count):
            content = damaged(good, draws)
            path.write_bytes(content)
            before, started = memory(), time.perf_counter()
            try:
                read()
                outcome = "read"
            except HonshiError as error:
                outcome = "refused" if str(error).strip() else "an empty sentence"
            except Exception:
                outcome = traceback.format_exc()
            if (seconds := time.perf_counter() - started) > SECONDS:
                outcome = f"{seconds:.1f} s"
            if (more := memory() - before) > MEGABYTES:
                outcome = f"{more:,.0f} MB"
            yield outcome, content


def fuzz(kinds: list[str], inputs: int, seed: int, failed: Path) -> dict[str, dict[str, int]]:
    """How many inputs of each kind were read, refused and answered wrongly; the last are kept."""
    shutil.rmtree(failed, ignore_errors=True)
    counts = {}
    for kind in kinds:
        counts[kind] = {"read": 0, "refused": 0, "wrong": 0}
        for number, (outcome, content) in enumerate(tried(kind, -(-inputs // len(kinds)), seed)):
            counts[kind][outcome if outcome in ("read", "refused") else "wrong"] += 1
            if outcome not in ("read", "refused"):
                failed.mkdir(parents=True, exist_ok=True)
                (failed / f"{kind}-{number}").write_bytes(content)
                print(f"{kind} {number}: {outcome}", file=sys.stderr)
        print(f"{kind:12} {counts[kind]['read']:7,} read {counts[kind]['refused']:7,} refused", flush=True)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=INPUTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(KINDS), help="kinds, separated by commas")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["HONSHI_HOME"] = home
        counts = fuzz(given.only.split(","), given.inputs, given.seed, FAILED)
    total = {what: sum(of[what] for of in counts.values()) for what in ("read", "refused", "wrong")}
    print(json.dumps(total))
    if total["wrong"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
