"""The sealed test set: it can be named and handed on, and nothing else."""

from __future__ import annotations

import ast
import copy
import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, random_split

import honshi
from honshi.data.batches import make_batches
from honshi.data.sealed import Sealed, unseal
from honshi.errors import SealedError

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
    for name in ("pixels", "labels", "images", "data", "read"):
        assert not hasattr(sealed, name)
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


def names_of_the_seal(source: str) -> list[str]:
    """Every place of a program that names the way into a sealed test set, by code or by string."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.FunctionDef(name=name):
                found.append(name)
            case ast.alias(name=name) | ast.Constant(value=str(name)):
                found.append(name)
            case _:
                pass
    return sorted(name for name in found if name in ("unseal", "_Sealed__read"))


MODULES = sorted(path.relative_to(SOURCES).as_posix() for path in SOURCES.rglob("*.py"))


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("exam/")])
def test_no_module_but_the_exam_names_the_seal(module: str) -> None:
    # Where the seal is made, it is named twice: the definition, and the one reader in its body.
    allowed = ["_Sealed__read", "unseal"] if module == "data/sealed.py" else []
    assert names_of_the_seal((SOURCES / module).read_text("utf-8")) == allowed


@pytest.mark.parametrize(
    "source",
    [
        "from honshi.data.sealed import unseal",
        "from honshi.data.sealed import unseal as look",
        "from honshi.data import sealed\nsealed.unseal(splits.test)",
        "splits.test._Sealed__read()",
        "getattr(splits.test, '_Sealed__read')()",
        "getattr(sealed, 'unseal')(splits.test)",
    ],
)
def test_the_search_finds_every_way_to_name_it(source: str) -> None:
    assert len(names_of_the_seal(source)) == 1


def test_the_exam_is_where_the_seal_is_broken() -> None:
    exam = [name for name in MODULES if name.startswith("exam/")]
    assert any("unseal" in names_of_the_seal((SOURCES / module).read_text("utf-8")) for module in exam)
