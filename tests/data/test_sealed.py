"""The sealed test set: it can be named and handed on, and nothing else."""

from __future__ import annotations

import ast
import copy
import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, random_split

import honshi
from honshi.cli import honshi as command_line
from honshi.data import sealed as sealed_module
from honshi.data.batches import make_batches
from honshi.data.sealed import Sealed, unseal
from honshi.errors import IdxError, SealedError

SOURCES = Path(honshi.__file__).parent


class Drawer:
    """What a sealed test set reads from; it remembers whether anyone looked inside."""

    def __init__(self, images: honshi.Images) -> None:
        self.images = images
        self.opened = False

    def read(self) -> honshi.Images:
        self.opened = True
        return self.images


@pytest.fixture
def drawer(mnist: honshi.Splits) -> Drawer:
    return Drawer(mnist.val.subset(range(20)))


@pytest.fixture
def sealed(drawer: Drawer) -> Sealed:
    return Sealed("mnist", drawer.read)


def train_on(sealed: Sealed) -> None:
    model = honshi.models.MLP(hidden=())
    honshi.fit(model, torch.nn.CrossEntropyLoss(), torch.optim.SGD(model.parameters()), sealed, sealed, epochs=1)  # type: ignore[arg-type]


def validate_on(sealed: Sealed, mnist: honshi.Splits) -> None:
    model = honshi.models.MLP(hidden=())
    optimizer = torch.optim.SGD(model.parameters())
    train = mnist.train.subset(range(20))
    honshi.fit(model, torch.nn.CrossEntropyLoss(), optimizer, train, sealed, epochs=1)  # type: ignore[arg-type]


ATTEMPTS: dict[str, Callable[[Sealed], object]] = {
    "len": len,
    "iter": iter,
    "list": list,
    "index": lambda sealed: sealed[0],
    "slice": lambda sealed: sealed[:10],
    "truth": bool,
    "reversed": lambda sealed: reversed(sealed),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "DataLoader": lambda sealed: list(DataLoader(sealed)),  # type: ignore[arg-type]
    "shuffled DataLoader": lambda sealed: list(DataLoader(sealed, shuffle=True)),  # type: ignore[arg-type]
    "random_split": lambda sealed: random_split(sealed, [0.5, 0.5]),  # type: ignore[arg-type]
    "ConcatDataset": lambda sealed: ConcatDataset([sealed]),  # type: ignore[list-item]
    "make_batches": lambda sealed: make_batches(sealed, 64),
    "evaluate": lambda sealed: honshi.evaluate(honshi.models.MLP(hidden=()), sealed),  # type: ignore[arg-type]
    "fit": train_on,
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=list(ATTEMPTS))
def test_whoever_reaches_for_the_images_is_sent_to_the_exam(
    attempt: Callable[[Sealed], object], sealed: Sealed, drawer: Drawer
) -> None:
    with pytest.raises(SealedError) as caught:
        attempt(sealed)
    assert isinstance(caught.value, TypeError)
    for way_out in ("honshi.test(model, splits.test)", "honshi test RUN", "splits.val", "honshi validate RUN"):
        assert way_out in str(caught.value)
    assert not drawer.opened


def test_it_is_no_validation_set(sealed: Sealed, drawer: Drawer, mnist: honshi.Splits) -> None:
    with pytest.raises(SealedError, match=r"fit\(val=…\) was given the test set"):
        validate_on(sealed, mnist)
    assert not drawer.opened


def test_the_splits_that_hold_it_are_not_copied_behind_its_back(mnist: honshi.Splits) -> None:
    with pytest.raises(SealedError):
        asdict(mnist)
    with pytest.raises(SealedError):
        pickle.dumps(mnist)


def test_its_text_is_its_name_and_no_more(sealed: Sealed, drawer: Drawer) -> None:
    assert repr(sealed) == str(sealed) == f"{sealed}" == "<the sealed test set of mnist>"
    assert sealed.name == "mnist"
    assert not drawer.opened


def test_it_has_no_attributes_to_look_through(sealed: Sealed) -> None:
    with pytest.raises(TypeError):
        vars(sealed)
    # What it tells, and the ways to the images, under names that no one writes by mistake.
    told, ways = {"name", "shape", "shared_with"}, {"_Sealed__read", "_Sealed__shared"}
    assert {name for name in dir(sealed) if not name.startswith("__")} == told | ways
    with pytest.raises(AttributeError):
        sealed.model = None  # type: ignore[attr-defined]


def test_only_breaking_the_seal_gives_the_images(sealed: Sealed, drawer: Drawer) -> None:
    assert unseal(sealed) is drawer.images


def test_no_image_is_within_its_reach_before_the_exam(mnist: honshi.Splits) -> None:
    """Beside its name it holds one function, and that one holds paths and names of classes."""
    read = mnist.test._Sealed__read  # type: ignore[attr-defined]
    held = [cell.cell_contents for cell in read.__closure__]
    assert held
    assert not [value for value in held if isinstance(value, (honshi.Images, torch.Tensor, Sealed))]


def ways_in(source: str) -> list[str]:
    """Everything in a program that leads to the inside of a sealed test set.

    Of the module of the seal only the class may be known: whoever has the module, or anything else out of it, has
    the way in, whatever it is called afterwards.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.rpartition(".")[2] == "sealed":
                found += [f"{module}.{name.name}" for name in names if name.name != "Sealed"]
            case ast.ImportFrom(names=names):
                found += [f"{node.module}.{name.name}" for name in names if name.name in ("sealed", "unseal")]
            case ast.Import(names=names):
                found += [name.name for name in names if name.name == SEAL]
            case ast.Attribute(attr=name) | ast.Constant(value=str(name)) if name in WAYS:
                found.append(name)
            case _:
                pass
    return found


SEAL = sealed_module.__name__
WAYS = {"unseal", "_Sealed__read", "_Sealed__shared", SEAL}
MODULES = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.py"))


@pytest.mark.parametrize(
    "module", [name for name in MODULES if not name.startswith("exam/") and name != "data/sealed.py"]
)
def test_no_module_but_the_exam_has_a_way_in(module: str) -> None:
    assert ways_in((SOURCES / module).read_text("utf-8")) == []


def test_what_it_shares_with_the_training_part_is_asked_by_nobody_but_the_one_who_leaves_it_out() -> None:
    asked = [module for module in MODULES if "shared_with" in names_in((SOURCES / module).read_text("utf-8"))]
    assert asked == ["data/leak_policy.py"]


def names_in(source: str) -> set[str]:
    """The attributes that a program asks for, by code or by string."""
    nodes = list(ast.walk(ast.parse(source)))
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return strings | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_the_module_of_the_seal_has_one_way_in_and_no_other() -> None:
    own = [name for name, value in vars(sealed_module).items() if getattr(value, "__module__", None) == SEAL]
    assert own == ["Sealed", "unseal"]


@pytest.mark.parametrize(
    "source",
    [
        "from honshi.data.sealed import unseal",
        "from honshi.data.sealed import unseal as look",
        "from honshi.data.sealed import *",
        "from .sealed import unseal as look",
        "from honshi.data import sealed as other",
        "import honshi.data.sealed as other",
        "importlib.import_module('honshi.data.sealed')",
        "honshi.data.sealed.unseal(splits.test)",
        "splits.test._Sealed__read()",
        "getattr(splits.test, '_Sealed__read')()",
    ],
)
def test_the_search_finds_every_way_in(source: str) -> None:
    assert len(ways_in(source)) == 1


def test_the_search_takes_no_mere_word_for_a_way_in() -> None:
    assert ways_in("from honshi.data.sealed import Sealed\nunseal = 'the exam may unseal it'") == []


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """A command line in a folder whose data set has test files that no one can read; gives the exit code.

    Whatever looks at the test set, by whichever way, meets them.
    """
    random = np.random.default_rng(0)
    labels = np.arange(200) % 2
    pixels = random.integers(0, 100, (200, 8, 8)) + 100 * labels[:, None, None]
    data = tmp_path / "data"
    data.mkdir()
    for name, values in (("images-idx3", pixels), ("labels-idx1", labels)):
        header = bytes((0, 0, 8, values.ndim)) + b"".join(size.to_bytes(4, "big") for size in values.shape)
        (data / f"train-{name}-ubyte").write_bytes(header + values.astype(np.uint8).tobytes())
        # What it promises may be looked at; there is nothing behind it.
        (data / f"t10k-{name}-ubyte").write_bytes(header)
    monkeypatch.chdir(tmp_path)

    def honshi_command(*arguments: str) -> int:
        return int(command_line.main(list(arguments), prog_name="honshi", standalone_mode=False) or 0)

    return honshi_command


QUICK = ("--data", "idx:data", "--epochs", "2", "--hidden", "8", "--batch-size", "16", "--lr", "0.02")
COMMANDS = {
    "check": [("check", *QUICK)],
    "train": [("train", *QUICK, "--out", "runs/first")],
    "train --seeds": [("train", *QUICK, "--seeds", "2", "--out", "runs/seeds")],
    "tune": [("tune", *QUICK, "--trials", "1", "--seeds", "2", "--workers", "1", "--out", "runs/search")],
    "validate": [("train", *QUICK, "--out", "runs/first"), ("validate", "first")],
    "diagnose": [("train", *QUICK, "--out", "runs/first"), ("diagnose", "first")],
    "improve": [("train", *QUICK, "--out", "runs/first"), ("improve", "first", "--budget", "0.01", "--seeds", "3")],
    "compare": [("train", *QUICK, "--out", "runs/first"), ("compare", "first", "first")],
    "runs": [("train", *QUICK, "--out", "runs/first"), ("runs",)],
    "ledger": [("ledger",)],
    "doctor": [("doctor",)],
}


@pytest.mark.parametrize("commands", COMMANDS.values(), ids=list(COMMANDS))
def test_no_command_but_the_exam_reads_the_test_files(
    guarded: Callable[..., int], commands: list[tuple[str, ...]]
) -> None:
    assert [guarded(*command) for command in commands] == [0] * len(commands)


@pytest.mark.parametrize(
    "command", [("train", *QUICK, "--drop-leaks"), ("test", "first", "--yes")], ids=["train --drop-leaks", "test"]
)
def test_the_exam_and_what_it_is_asked_for_do(guarded: Callable[..., int], command: tuple[str, ...]) -> None:
    """So what is read there would be met by the commands above too."""
    guarded("train", *QUICK, "--out", "runs/first")

    with pytest.raises(IdxError, match="t10k-"):
        guarded(*command)
