from __future__ import annotations

import platform
from itertools import pairwise

import pytest
import torch

from honshi.native.levels import ARM64, X86_64, levels_of, runnable


@pytest.mark.parametrize("machine", ["x86_64", "AMD64", "aarch64", "arm64"])
def test_the_last_level_of_a_machine_runs_on_all_of_them(machine: str) -> None:
    assert levels_of(machine)[-1].flags == ()


def test_of_other_machines_none_is_known() -> None:
    assert levels_of("s390x") == ()


@pytest.mark.parametrize(
    ("machine", "capability", "names"),
    [
        ("x86_64", "AVX512", ["avx512", "avx2", "baseline"]),
        ("AMD64", "AVX2", ["avx2", "baseline"]),
        ("x86_64", "DEFAULT", ["baseline"]),
        ("x86_64", "NO AVX", ["baseline"]),
        ("arm64", "DEFAULT", ["baseline"]),
        ("aarch64", "SVE256", ["baseline"]),
        ("ppc64le", "VSX", []),
    ],
)
def test_a_processor_runs_its_own_level_and_those_below(
    machine: str, capability: str, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)

    assert [level.name for level in runnable()] == names


def test_each_level_has_the_flags_of_the_one_below() -> None:
    for levels in (X86_64, ARM64):
        for better, worse in pairwise(levels):
            assert set(worse.flags) < set(better.flags)
