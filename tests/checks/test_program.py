from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torch import nn

from honshi.checks.program import load_object, make
from honshi.errors import HonshiError, ModelError, RequestError

PROGRAM = """
import sys
from torch import nn
from beside import WIDTH

print("hello from the file")

class Net(nn.Linear):
    def __init__(self, hidden=WIDTH):
        super().__init__(hidden, 10)

class Sized(nn.Linear):
    def __init__(self, hidden, classes=10):
        super().__init__(hidden, classes)

def broken():
    raise ValueError("no weights here")

made = Net(5)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("WIDTH = 3\n")
    path = tmp_path / "net.py"
    path.write_text(PROGRAM)
    return path


def test_a_class_is_made_and_an_object_taken_as_it_is(program: Path) -> None:
    net = make(load_object(f"{program}:Net"), "net.py:Net")
    made = make(load_object(f"{program}:made"), "net.py:made")

    assert isinstance(net, nn.Linear)
    assert (net.in_features, made.in_features) == (3, 5)


def test_what_the_file_prints_goes_to_stderr(program: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_object(f"{program}:Net")

    assert capsys.readouterr() == ("", "hello from the file\n")


def test_the_search_path_is_left_as_it_was(program: Path) -> None:
    before = list(sys.path)

    load_object(f"{program}:Net")

    assert sys.path == before


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("net.py", "file.py:NAME"),
        (":Net", "file.py:NAME"),
        ("nett.py:Net", "There is no file"),
        ("net.py:Nett", "Did you mean 'Net'"),
    ],
)
def test_a_reference_that_leads_nowhere_is_a_wrong_request(
    program: Path, monkeypatch: pytest.MonkeyPatch, reference: str, told: str
) -> None:
    monkeypatch.chdir(program.parent)

    with pytest.raises(RequestError, match=told):
        load_object(reference)


def test_a_class_that_needs_arguments_is_told_how_to_go_without(program: Path) -> None:
    with pytest.raises(RequestError, match=r"needs arguments \(hidden\).*def make\(\): return Sized\(…\)"):
        make(load_object(f"{program}:Sized"), "net.py:Sized")


def test_an_error_of_the_file_is_told_with_its_line(program: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("\nimport no_such_module\n")

    with pytest.raises(ModelError, match=r"net.py, line 17\) ValueError: no weights here"):
        make(load_object(f"{program}:broken"), "net.py:broken")
    with pytest.raises(HonshiError, match=r"wrong.py, line 2\): ModuleNotFoundError.*__main__"):
        load_object(f"{tmp_path / 'wrong.py'}:Net")
