"""Bad, odd and harmful files: each is read right or refused in one sentence, in bounded time and memory."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.pictures.hostile import Case, cases, scene

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="measures processes as Linux does")

CASES = cases()
SECONDS, MEGABYTES = 5, 512


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What became of each case; all of them in one go, because loading honshi takes longer than any of them."""
    command = [sys.executable, "-m", "tests.pictures.hostile", str(tmp_path_factory.mktemp("hostile"))]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=root)
    assert done.returncode == 0, done.stderr.splitlines()[-3:]
    found: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return found


def problem(case: Case, found: dict[str, Any]) -> str | None:
    """What is not as it has to be."""
    if "said" in found:
        said = found["said"]
        if case.refused is None or not re.search(case.refused, said) or not said.isprintable():
            return f"it was said: {said}"
        return None
    if case.refused is not None:
        return "it was read"
    pixels = np.array(found["pixels"], np.uint8)
    if case.close is not None:
        difference = np.abs(pixels.astype(int) - scene()).mean()
        return None if difference <= case.close else f"it is {difference:.1f} away from what it shows"
    return None if case.check is None or case.check(pixels) else "it does not show what it has to"


@pytest.mark.parametrize("name", CASES)
def test_it_is_read_right_or_refused_in_a_sentence(name: str, outcomes: dict[str, dict[str, Any]]) -> None:
    assert problem(CASES[name], outcomes[name]) is None


def test_none_takes_long_or_much_memory(outcomes: dict[str, dict[str, Any]]) -> None:
    assert len(outcomes) >= 60
    assert {name: one["seconds"] for name, one in outcomes.items() if one["seconds"] > SECONDS} == {}
    assert {name: one["megabytes"] for name, one in outcomes.items() if one["megabytes"] > MEGABYTES} == {}
