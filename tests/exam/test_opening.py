from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import honshi
from honshi.errors import AlreadyOpenedError, RequestError
from honshi.evaluation.intervals import wilson
from honshi.exam import Ledger

# Opens MNIST's test set for an MLP whose weights are drawn from the seed given; prints what came of it.
SIT = """
import sys, torch, honshi
from honshi.errors import AlreadyOpenedError
torch.manual_seed(int(sys.argv[1]))
model = honshi.models.MLP()
try:
    print("opened", honshi.test(model, honshi.load("mnist").test).opening)
except AlreadyOpenedError:
    print("refused")
"""


def model(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return honshi.models.MLP()


def images(count: int = 6, seed: int = 0) -> honshi.Images:
    generator = torch.Generator().manual_seed(seed)
    return honshi.Images(
        pixels=torch.randint(0, 256, (count, 1, 28, 28), dtype=torch.uint8, generator=generator),
        labels=torch.arange(count) % 10,
        classes=tuple("0123456789"),
    )


def sealed(test_images: honshi.Images, name: str = "some") -> honshi.Sealed:
    return honshi.Sealed(name, lambda: test_images)


def events(home: Path) -> list[str]:
    return [entry["event"] for entry in Ledger(home).entries()]


def test_an_opening_is_reserved_and_completed(honshi_home: Path) -> None:
    result = honshi.test(model(), sealed(images()))

    assert events(honshi_home) == ["reserved", "completed"]
    assert (result.n, result.opening, result.first) == (6, 1, True)


def test_the_score_is_that_of_evaluate() -> None:
    result = honshi.test(model(), sealed(images(500)))

    expected = honshi.evaluate(model(), images(500))
    assert (result.loss, result.accuracy, result.interval) == (expected.loss, expected.accuracy, expected.interval)
    assert result.per_class == expected.per_class


def test_the_test_set_is_seen_as_the_training_images_were() -> None:
    trained = model()
    own = honshi.Normalization(mean=(0.1,), std=(0.3,))
    trained.preprocessing = images().normalized_by(own).preprocessing  # type: ignore[assignment]

    result = honshi.test(trained, sealed(images(500)))

    assert result.loss == honshi.evaluate(trained, images(500).normalized_by(own)).loss


def test_the_same_weights_get_their_result_again_and_nothing_is_recorded(honshi_home: Path) -> None:
    first = honshi.test(model(), sealed(images()))
    again = honshi.test(model(), sealed(images(), name="renamed"))

    assert again == first
    assert len(events(honshi_home)) == 2


def test_other_weights_are_refused_and_the_earlier_opening_is_named(honshi_home: Path) -> None:
    first = honshi.test(model(0), sealed(images()), record={"run": "runs/first"})

    with pytest.raises(AlreadyOpenedError, match=rf"runs/first \(opening 1, accuracy {first.accuracy:.2%}\)"):
        honshi.test(model(1), sealed(images()))
    assert len(events(honshi_home)) == 2


@pytest.mark.parametrize("reason", ["", "  "])
def test_an_empty_reason_is_none(reason: str) -> None:
    honshi.test(model(0), sealed(images()))

    with pytest.raises(AlreadyOpenedError):
        honshi.test(model(1), sealed(images()), again=reason)


def test_a_later_opening_widens_every_report_from_then_on() -> None:
    honshi.test(model(0), sealed(images(500)))
    second = honshi.test(model(1), sealed(images(500)), again="a wrong label file")
    first = honshi.test(model(0), sealed(images(500)))

    assert (second.opening, second.first, second.reason) == (2, False, "a wrong label file")
    for result in (first, second):
        assert result.openings == 2
        assert result.simultaneous_interval == wilson(round(result.accuracy * 500), 500, 0.975)


def test_another_test_set_is_another_exam() -> None:
    honshi.test(model(0), sealed(images(seed=0)))

    assert honshi.test(model(1), sealed(images(seed=1))).first


def test_an_expectation_is_recorded_before_the_opening(honshi_home: Path) -> None:
    result = honshi.test(model(), sealed(images()), expected=0.975)

    assert result.expected == 0.975
    assert Ledger(honshi_home).entries()[0]["expected"] == 0.975


@pytest.mark.parametrize("expected", [-0.1, 97.5])
def test_an_expectation_that_is_no_accuracy_is_refused(expected: float, honshi_home: Path) -> None:
    with pytest.raises(RequestError, match="between 0 and 1"):
        honshi.test(model(), sealed(images()), expected=expected)
    assert not honshi_home.exists()


def test_images_that_are_not_sealed_are_no_exam(mnist: honshi.Splits) -> None:
    with pytest.raises(RequestError, match="sealed test set"):
        honshi.test(model(), mnist.val)  # type: ignore[arg-type]


def test_what_cannot_be_read_is_not_opened(honshi_home: Path) -> None:
    def unreadable() -> honshi.Images:
        raise OSError("no such disk")

    with pytest.raises(OSError, match="no such disk"):
        honshi.test(model(), honshi.Sealed("some", unreadable))
    assert not (honshi_home / "ledger.jsonl").exists()


def test_a_crash_after_the_reservation_counts_and_the_same_weights_complete_it(honshi_home: Path) -> None:
    crash = (
        "import os, signal, torch, honshi\n"
        "torch.manual_seed(0)\n"
        "model = honshi.models.MLP()\n"
        "model.register_forward_hook(lambda *_: os.kill(os.getpid(), signal.SIGKILL))\n"
        "honshi.test(model, honshi.load('mnist').test, expected=0.5)"
    )
    crashed = subprocess.run([sys.executable, "-c", crash], check=False)
    assert crashed.returncode == -signal.SIGKILL
    assert events(honshi_home) == ["reserved"]
    mnist = honshi.load("mnist")

    with pytest.raises(AlreadyOpenedError, match="broken off"):
        honshi.test(model(1), mnist.test)
    completed = honshi.test(model(0), mnist.test)

    assert events(honshi_home) == ["reserved", "completed"]
    assert (completed.opening, completed.expected) == (1, 0.5)


def test_of_eight_processes_at_once_exactly_one_model_sits(honshi_home: Path) -> None:
    seeds = ["0", "1", "0", "1", "0", "1", "0", "1"]
    processes = [
        subprocess.Popen([sys.executable, "-c", SIT, seed], stdout=subprocess.PIPE, text=True) for seed in seeds
    ]
    told = [process.communicate(timeout=120)[0].strip() for process in processes]

    assert sorted(told) == ["opened 1"] * 4 + ["refused"] * 4
    assert events(honshi_home) == ["reserved", "completed"]


def test_under_torchrun_only_rank_0_opens(honshi_home: Path, tmp_path: Path) -> None:
    script = tmp_path / "sit.py"
    script.write_text(SIT)
    launched = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script), "0"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert launched.stdout.split() == ["opened", "1"] * 2, launched.stderr
    assert events(honshi_home) == ["reserved", "completed"]


def test_the_ledger_is_readable_as_plain_json_lines(honshi_home: Path) -> None:
    honshi.test(model(), sealed(images()))

    entries = [json.loads(line) for line in (honshi_home / "ledger.jsonl").read_text().splitlines()]
    assert [entry["test_set"] for entry in entries] == ["some", "some"]
