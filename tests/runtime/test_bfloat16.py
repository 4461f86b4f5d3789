"""Whether a device has instructions for bfloat16."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from honshi.runtime import bfloat16
from honshi.runtime.bfloat16 import has_bfloat16

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 avx512f avx512_bf16 avx512vl\n", True),
        ("flags\t\t: fpu avx512f amx_bf16 amx_tile\n", True),
        ("flags\t\t: fpu avx2 avx512f avx512_vnni avx512vl\n", False),
        ("processor\t: 0\nFeatures\t: fp asimd i8mm bf16 dgh\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd svebf16x\n", False),
    ],
)
def test_linux_says_what_a_processor_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, expected: bool
) -> None:
    (tmp_path / "cpuinfo").write_text(content)
    monkeypatch.setattr(bfloat16, "CPUINFO", tmp_path / "cpuinfo")

    assert has_bfloat16(CPU) is expected


@pytest.mark.parametrize(("machine", "expected"), [("AMD64", True), ("arm64", False)])
def test_elsewhere_torch_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, machine: str, expected: bool
) -> None:
    monkeypatch.setattr(bfloat16, "CPUINFO", tmp_path / "none")
    monkeypatch.setattr("honshi.runtime.bfloat16.platform.machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)

    assert has_bfloat16(CPU) is expected


def test_of_another_kind_of_device_nothing_is_known() -> None:
    assert not has_bfloat16(torch.device("meta"))
