from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.drawn import colours

from honshi.reports.curves import PARTS, VALIDATION

NET = """
import torch
from torch import nn
print("hello from the file")

class Net(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.fc1 = nn.Linear(784, hidden)
        self.fc2 = nn.Linear(hidden, 10)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x.flatten(1))))

class NoFlatten(Net):
    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))

def train(model, loader, criterion, optimizer, device):
    print("training")
    model.train()
    for x, y in loader:
        criterion(model(x), y).backward()
        optimizer.step()

def evaluate(model, loader, criterion, device):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            model(x)

data = torch.utils.data.TensorDataset(torch.randn(100, 784), torch.arange(100) % 10)
number = 3
"""


def test_the_lecture_passes_with_its_table_of_layers(honshi: Callable[..., Any], tmp_path: Path) -> None:
    finished = honshi("check")

    assert finished.code == 0, finished.err
    assert "Nothing failed." in finished.out
    assert "layer1  Linear                 128     100,480" in finished.out
    assert "gradient noise / signal" in finished.out
    assert {PARTS[0][2], VALIDATION} <= colours(tmp_path / "lr-range.png")
    assert not (tmp_path / "runs").exists()


def test_json_is_one_document_whatever_the_file_prints(honshi: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)

    finished = honshi("check", "--model", "net.py:Net", "--json")

    assert finished.json["passed"] is True
    assert {finding["level"] for finding in finished.json["findings"]} == {"pass"}
    assert finished.json["layers"][0] == {"name": "fc1", "kind": "Linear", "output": [32], "parameters": 25120}
    assert "hello from the file" in finished.err


def test_a_model_that_does_not_fit_fails_with_exit_code_1(honshi: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)

    finished = honshi("check", "--model", "net.py:NoFlatten")

    assert finished.code == 1
    assert "flatten is missing" in finished.out
    assert "net.py, line 17" in finished.out
    assert "1 failed" in finished.out


def test_functions_of_ones_own_are_checked_with_the_recipes_model(honshi: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)

    finished = honshi("check", "--train", "net.py:train", "--evaluate", "net.py:evaluate", "--json")

    assert finished.code == 1
    assert [(f["check"], f["level"]) for f in finished.json["findings"][-2:]] == [
        ("training function", "fail"),
        ("evaluation function", "pass"),
    ]
    assert "zero_grad() is missing" in finished.json["findings"][-2]["sentence"]


def test_a_data_set_of_ones_own_is_checked_with_the_model(honshi: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)

    finished = honshi("check", "--model", "net.py:Net", "--dataset", "net.py:data", "--json")

    assert "100 labels" in json.loads(finished.out)["findings"][0]["sentence"]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--model", "net.py:number"], 2, "not an nn.Module"),
        (["--model", "wrong.py:Net"], 1, "wrong.py, line 1"),
        (["--dataset", "net.py:data"], 2, "--model"),
        (["--train", "net.py:number"], 2, "not a function"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    honshi: Callable[..., Any], tmp_path: Path, arguments: list[str], code: int, told: str
) -> None:
    (tmp_path / "net.py").write_text(NET)
    (tmp_path / "wrong.py").write_text("import no_such_module\n")

    finished = honshi("check", *arguments)

    assert finished.code == code
    assert told in finished.err
    assert "Traceback" not in finished.err


def test_apply_writes_the_suggestion_to_a_recipe_of_ones_own(honshi: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("# my first\n[optimizer]\nlr = 0.0001 # too small\n")

    finished = honshi("check", "mine.toml", "--apply", "--json")

    suggestion = finished.json["lr_range"]["suggestion"]
    assert 0.01 < suggestion < 0.5
    assert (tmp_path / "mine.toml").read_text() == f"# my first\n[optimizer]\nlr = {suggestion} # too small\n"


def test_apply_leaves_a_built_in_recipe_and_a_file_of_its_name_alone(
    honshi: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "lecture.toml").write_text("")

    finished = honshi("check", "lecture", "--apply")

    assert finished.code == 2
    assert "honshi check lecture.toml --apply" in finished.err
    assert (tmp_path / "lecture.toml").read_text() == ""
