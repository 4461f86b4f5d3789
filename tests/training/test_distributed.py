from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import TensorDataset

import honshi
from honshi.data import Images
from honshi.data.batches import Batches
from honshi.errors import RequestError
from honshi.training.distributed import ALONE, SharedBatches, World, batches_of, joined, launched

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What came out of two processes that ran together.py under torchrun."""
    path = tmp_path_factory.mktemp("together") / "results.json"
    script = Path(__file__).with_name("together.py")
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(script),
        str(path),
    ]
    finished = subprocess.run(
        command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=200
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads(path.read_text())


@pytest.mark.parametrize("case", ["mlp", "cnn", "clipped and averaged", "batch norm measured anew"])
def test_two_processes_take_the_trajectory_of_one(results: Any, case: str) -> None:
    together, alone = results[case]["together"], results[case]["alone"]

    assert len(together) == 3
    for ours, theirs in zip(together, alone, strict=True):
        for number in ("train_loss", "val_loss", "lr"):
            assert ours[number] == pytest.approx(theirs[number], rel=1e-4)
        # 101 and 31 images: a padded share or a mean of means would show.
        assert ours["train_accuracy"] == pytest.approx(theirs["train_accuracy"], abs=1e-12)
        assert ours["val_accuracy"] == pytest.approx(theirs["val_accuracy"], abs=1e-12)
    assert results[case]["weights apart"] < 1e-4


@pytest.mark.parametrize("case", ["mlp", "cnn", "drawing", "ensemble", "bfloat16"])
def test_both_processes_end_with_the_same_weights(results: Any, case: str) -> None:
    first, second = results[case]["fingerprints"]

    assert first == second


@pytest.mark.parametrize("case", ["drawing", "ensemble", "bfloat16"])
def test_what_draws_for_itself_learns_all_the_same(results: Any, case: str) -> None:
    losses = [row["val_loss"] for row in results[case]["together"]]

    assert losses[-1] < losses[0]


def test_batch_norm_over_shares_is_that_over_the_whole_mini_batch(results: Any) -> None:
    for apart in results["normalised"].values():
        assert apart < 1e-4


def test_all_processes_name_the_same_step_at_which_the_loss_broke(results: Any) -> None:
    first, second = results["diverged"]

    assert first == second
    assert first.startswith("epoch 1, step ")


def test_the_process_that_failed_says_why_and_the_others_leave_with_its_code(results: Any) -> None:
    assert results["disagreed"] == ["SystemExit 2", "RequestError no"]


def numbered(count: int) -> Images:
    """Images whose first pixel is their number."""
    pixels = torch.zeros(count, 1, 2, 2, dtype=torch.uint8)
    pixels[:, 0, 0, 0] = torch.arange(count)
    normalization = honshi.data.images.Normalization(mean=(0.0,), std=(1 / 255,))
    return Images(
        pixels=pixels, labels=torch.zeros(count, dtype=torch.int64), classes=("a",), normalization=normalization
    )


@pytest.mark.parametrize(("count", "size"), [(10, 3), (2, 5), (0, 2), (7, 1)])
def test_shares_cover_everything_once_and_differ_by_one_at_most(count: int, size: int) -> None:
    shares = [range(count)[World(rank, size).share(count)] for rank in range(size)]

    assert [place for share in shares for place in share] == list(range(count))
    lengths = [len(share) for share in shares]
    assert max(lengths) - min(lengths) <= 1
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize(("count", "batch_size", "size"), [(23, 5, 3), (21, 5, 2), (20, 5, 4), (3, 8, 4)])
def test_the_shares_of_a_mini_batch_are_the_mini_batch_of_one_process(count: int, batch_size: int, size: int) -> None:
    def shuffle() -> torch.Generator:
        return torch.Generator().manual_seed(3)

    images = numbered(count)
    whole = [inputs[:, 0, 0, 0].tolist() for inputs, _ in Batches(images, batch_size, shuffle=shuffle())]
    worlds = [World(rank, size) for rank in range(size)]
    shares = [SharedBatches(images, batch_size, world, shuffle=shuffle()) for world in worlds]
    parts = [[inputs[:, 0, 0, 0].tolist() for inputs, _ in share] for share in shares]

    assert [len(share) for share in shares] == [len(whole)] * size
    for step, expected in enumerate(whole, start=1):
        assert [number for part in parts for number in part[step - 1]] == expected
        assert shares[0].whole_size(step) == len(expected)


def test_processes_augment_by_draws_of_their_own() -> None:
    augment = honshi.data.augment.Augmentation(erase=1.0)
    images = Images(
        pixels=torch.zeros(8, 1, 8, 8, dtype=torch.uint8), labels=torch.zeros(8, dtype=torch.int64), classes=("a",)
    )
    drawn = []
    for rank in range(2):
        generator = torch.Generator().manual_seed(0)
        drawn.append(next(iter(SharedBatches(images, 8, World(rank, 2), shuffle=generator, augment=augment)))[0])

    assert not torch.equal(drawn[0], drawn[1])


def test_only_images_are_divided() -> None:
    data = TensorDataset(torch.zeros(4, 2), torch.zeros(4, dtype=torch.int64))

    with pytest.raises(TypeError, match=r"honshi\.Images"):
        batches_of(data, 2, World(0, 2))


@pytest.mark.parametrize(
    ("batch_size", "device", "told"),
    [(2, CPU, "--batch-size 3"), (8, torch.device("mps"), "--device cpu"), (8, torch.device("cuda", 5), "cuda:5")],
)
def test_what_so_many_processes_cannot_do_is_said_before(batch_size: int, device: torch.device, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        World(0, 3).check(batch_size, device)


def test_one_process_alone_has_nothing_to_agree_on() -> None:
    ALONE.check(1, torch.device("mps"))
    with ALONE.agreed():
        pass

    assert ALONE.first
    assert ALONE.total(1.5, 2) == [1.5, 2]
    assert ALONE.least(3) == 3
    assert ALONE.from_first("run") == "run"


def test_a_failure_of_one_process_alone_is_its_own() -> None:
    with pytest.raises(RequestError, match="no"), ALONE.agreed():
        raise RequestError("no")


def test_nothing_is_joined_where_nothing_was_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)

    assert not launched()
    with joined() as world:
        assert world == ALONE
