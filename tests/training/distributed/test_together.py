from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


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


@pytest.mark.parametrize(
    "case",
    [
        "mlp",
        "cnn",
        "clipped and averaged",
        "batch norm measured anew",
        "class weights",
        "a class left out",
        "smoothed",
        "a function",
        "unused layer",
    ],
)
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


def test_a_model_that_leaves_layers_out_now_and_then_is_refused_in_words(results: Any) -> None:
    assert all("other layers at one step than at another" in said for said in results["now and then"])


def test_a_stop_in_one_process_reaches_all_at_the_same_step(results: Any) -> None:
    stopped = results["stopped"]

    assert stopped["steps"][0] == stopped["steps"][1] < 3 * 6
    assert stopped["interrupted"] == [True, True]


def test_several_processes_go_on_within_an_epoch_to_the_same_bytes(results: Any) -> None:
    expected, found = results["stopped"]["rows"]

    assert found == expected
    assert len(set(results["stopped"]["fingerprints"])) == 1


def test_a_stop_after_an_epoch_ends_all_of_them(results: Any) -> None:
    assert results["ended by an epoch"] == [1, 1]


def test_no_process_takes_the_step_of_a_loss_that_is_not_finite(results: Any) -> None:
    assert results["spared"] == [True, True]


def test_all_processes_name_the_same_step_at_which_the_loss_broke(results: Any) -> None:
    first, second = results["diverged"]

    assert first == second
    assert first.startswith("epoch 1, step ")


def test_the_process_that_failed_says_why_and_the_others_leave_with_its_code(results: Any) -> None:
    assert results["disagreed"] == ["SystemExit 2", "RequestError no"]


@pytest.mark.skipif(sys.platform != "linux", reason="only on Linux a process is kept to its cores")
class TestSettled:
    def test_each_process_has_cores_of_its_own(self, results: Any) -> None:
        available = results["settled"]["available"]
        first, second = (process["cores"] for process in results["settled"]["processes"])

        if len(available) >= 2:
            assert sorted(first + second) == available
        else:
            assert first == second == available

    def test_the_thread_that_looks_for_messages_leaves_the_core_to_the_computation(self, results: Any) -> None:
        for process in results["settled"]["processes"]:
            assert process["threads"]
            assert set(process["threads"]) == {os.SCHED_BATCH}
