from __future__ import annotations

import sys

import pytest

from honshi.messages import Message
from honshi.native import parts
from honshi.native.library import Library
from honshi.native.parts import Part


def by_name() -> dict[str, Part]:
    return {part.name: part for part in parts.parts()}


def test_here_all_are_used() -> None:
    assert [part.used for part in parts.parts()] == [True] * 3


def test_what_is_not_compiled_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    why = Message("The compiler was on holiday.")
    monkeypatch.setattr("honshi.native.mlp_sgd.library", lambda: Library(None, why))

    name = "epochs of the lecture's network"
    assert by_name()[name] == Part(name, False, why)


def test_layers_that_find_no_threads_are_not_used_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "parallel", lambda: None)
    monkeypatch.setattr("torch.get_num_threads", lambda: 3)
    part = by_name()["layers of convolutional networks"]

    assert not part.used
    assert "3 threads" in str(part.why)


def test_elsewhere_than_on_linux_processes_share_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    assert not by_name()["sums between processes"].used
