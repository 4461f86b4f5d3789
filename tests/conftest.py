"""What all tests share: a home of their own for the ledger and the cache, and MNIST read once."""

from __future__ import annotations

import os
import random
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

import honshi

# The tests run side by side, one process a core, and so do the processes they start: more threads than
# cores would only wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

# A shell that starts a job in its background has it ignore Ctrl-C, and all that it starts; some tests send it one.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A verdict depends on the code alone: the same examples at each run, however slow the machine is.
settings.register_profile("gate", deadline=None, derandomize=True)
settings.load_profile("gate")


@pytest.fixture(autouse=True)
def honshi_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's ledger and downloads would go; not made before something is written there."""
    home = tmp_path / "home"
    monkeypatch.setenv("HONSHI_HOME", str(home))
    # Whatever the machine's locale.
    monkeypatch.setenv("HONSHI_LANG", "en")
    return home


@pytest.fixture(autouse=True)
def same_draws() -> None:
    """First weights and noise are the same at each run, whichever tests ran before."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def mnist() -> honshi.Splits:
    """MNIST as the lecture normalises it. Its tensors are shared: no test writes to them."""
    return honshi.load("mnist", normalize=(0.5, 0.5))


@pytest.fixture(scope="session")
def idx_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data set named as MNIST is: images of 5 x 4, 120 to train (60, 30, 20, 10 a class), 10 to test."""
    folder = tmp_path_factory.mktemp("idx-folder")
    random = np.random.default_rng(0)
    all_labels = random.permutation(np.repeat([0, 1, 2, 3], [60, 30, 20, 10]))
    for part, count in (("train", 120), ("t10k", 10)):
        images, labels = random.integers(0, 256, (count, 5, 4)), all_labels[:count]
        for name, values in (("images-idx3", images), ("labels-idx1", labels)):
            sizes = b"".join(size.to_bytes(4, "big") for size in values.shape)
            header = bytes((0, 0, 0x08, values.ndim)) + sizes
            (folder / f"{part}-{name}-ubyte").write_bytes(header + values.astype(np.uint8).tobytes())
    return folder
