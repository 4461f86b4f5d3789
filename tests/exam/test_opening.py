from __future__ import annotations

import errno
import json
import math
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import honshi
from honshi import exam
from honshi.errors import AlreadyOpenedError, LedgerError, ModelError, RequestError, WriteError
from honshi.evaluation.intervals import wilson
from honshi.exam import Ledger
from honshi.exam.rehearsal import rehearse
from honshi.models.tta import TTA

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


@pytest.mark.parametrize("expected", [-0.1, 97.5, float("nan"), True, "0.9", torch.tensor(0.9), [0.9]], ids=repr)
def test_an_expectation_that_is_no_accuracy_is_refused(expected: Any, honshi_home: Path) -> None:
    with pytest.raises(RequestError, match="between 0 and 1"):
        honshi.test(model(), sealed(images()), expected=expected)
    assert not honshi_home.exists()


def test_an_expectation_may_be_a_number_of_numpy(honshi_home: Path) -> None:
    honshi.test(model(), sealed(images()), expected=np.float32(0.5))  # type: ignore[arg-type]
    assert Ledger(honshi_home).entries()[0]["expected"] == 0.5


def test_a_reason_that_is_not_said_in_words_is_refused(honshi_home: Path) -> None:
    with pytest.raises(RequestError, match="in words"):
        honshi.test(model(), sealed(images()), again=True)  # type: ignore[arg-type]
    assert not honshi_home.exists()


def test_what_is_no_model_sits_no_exam() -> None:
    with pytest.raises(RequestError, match="not by a function"):
        honshi.test(lambda inputs: inputs, sealed(images()))  # type: ignore[arg-type]


def test_training_images_of_another_kind_are_refused(honshi_home: Path) -> None:
    data = TensorDataset(torch.zeros(2, 1, 28, 28), torch.zeros(2))
    with pytest.raises(RequestError, match="not a TensorDataset"):
        honshi.test(model(), sealed(images()), train=data)  # type: ignore[arg-type]
    assert not honshi_home.exists()


def test_a_sealed_test_set_holds_examples(honshi_home: Path) -> None:
    with pytest.raises(RequestError, match="holds a Tensor"):
        honshi.test(model(), honshi.Sealed("some", lambda: torch.zeros(1)))  # type: ignore[arg-type, return-value]
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
        "from honshi.exam import opening\n"
        "opening.evaluate = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
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


class Tuple(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = model()

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor, int]:
        return self.inner(inputs), 0


def unlike(change: Callable[[nn.Module], object]) -> nn.Module:
    changed = model()
    change(changed)
    return changed


def of_other_images(trained: nn.Module) -> None:
    other = honshi.Images(pixels=torch.zeros(1, 3, 28, 28, dtype=torch.uint8), labels=torch.tensor([0]), classes=("a",))
    trained.preprocessing = other.preprocessing  # type: ignore[assignment]


class Standardized(nn.Module):
    """Divides by the contrast of each picture, of which a black one has none."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = model()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        inputs = inputs.flatten(1)
        spread = inputs.std(1, keepdim=True)
        answers: torch.Tensor = self.inner((inputs - inputs.mean(1, keepdim=True)) / spread)
        return answers


class Masked(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = model()
        self.register_buffer("mask", torch.tensor([0.0] * 9 + [-math.inf]))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        answers: torch.Tensor = self.inner(inputs) + self.mask
        return answers


class WithExtraState(nn.Sequential):
    def get_extra_state(self) -> dict[str, int]:
        return {"version": 1}


FIT: dict[str, Callable[[], nn.Module]] = {
    "standardises each picture": Standardized,
    "masks a class": Masked,
    "extra state": lambda: WithExtraState(model()),
}


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = model()

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        answers: torch.Tensor = self.inner(inputs)
        return answers.to_sparse()


UNFIT: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "width": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), "it raised RuntimeError"),
    "float64": (lambda: model().double(), "it raised RuntimeError"),
    "outputs": (lambda: honshi.models.MLP(classes=5), "5 outputs and the test set 10 classes"),
    "tuple": (Tuple, "answers with a tuple"),
    "no rows": (lambda: nn.Sequential(nn.Flatten(0)), r"shape \(4704,\)"),
    "weights": (lambda: unlike(lambda m: next(m.parameters()).data.fill_(float("nan"))), "not finite numbers"),
    "answers": (lambda: nn.Sequential(model(), nn.Threshold(1e9, float("inf"))), "pictures of noise are not finite"),
    "not initialised": (lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(10)), "1.weight is not initialised"),
    "without values": (lambda: model().to("meta"), "device meta"),
    "sparse": (Sparse, "not with logits"),
    "contract": (lambda: unlike(of_other_images), "trained on images of 3×28×28"),
}


class TestWhatIsTriedBefore:
    @pytest.mark.parametrize(("unfit", "words"), UNFIT.values(), ids=list(UNFIT))
    def test_a_model_that_cannot_sit_it_opens_nothing(
        self, unfit: Callable[[], nn.Module], words: str, honshi_home: Path
    ) -> None:
        with pytest.raises(ModelError, match=words):
            honshi.test(unfit(), sealed(images()))

        assert not (honshi_home / "ledger.jsonl").exists()
        assert honshi.test(model(), sealed(images())).first

    @pytest.mark.parametrize("fit", FIT.values(), ids=list(FIT))
    def test_a_model_that_can_sit_it_does(self, fit: Callable[[], nn.Module]) -> None:
        first = honshi.test(fit(), sealed(images()))
        assert honshi.test(fit(), sealed(images())) == first

    @pytest.mark.parametrize("start", [0, 1], ids=["(b,)", "(b, 1)"])
    def test_of_two_classes_one_output_is_enough(self, start: int) -> None:
        two = honshi.Images(pixels=images().pixels, labels=torch.arange(6) % 2, classes=("a", "b"))
        one_output = nn.Sequential(nn.Flatten(), nn.Linear(784, 1), nn.Flatten(start))

        result = honshi.test(one_output, sealed(two))

        assert result.accuracy == honshi.evaluate(one_output, two).accuracy

    def test_no_image_of_the_test_set_is_shown_to_it(self) -> None:
        seen: list[torch.Tensor] = []
        trained = model()
        trained.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
        rehearse(trained, images(seed=1))
        shown = {one.numpy().tobytes() for batch in seen for one in batch}
        assert shown
        assert not shown & {one.numpy().tobytes() for one in images().normalization(images(seed=1).pixels)}

    def test_without_room_for_the_record_nothing_is_opened(
        self, honshi_home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(path: Path, content: bytes) -> None:
            raise WriteError("{path}: no room.", OSError(errno.ENOSPC, "full"), path=path)

        monkeypatch.setattr("honshi.exam.ledger.write_whole", full)
        with pytest.raises(LedgerError, match="could not be recorded"):
            honshi.test(model(), sealed(images()))
        assert not (honshi_home / "ledger.jsonl").exists()

    def test_what_is_no_json_is_not_recorded(self, honshi_home: Path) -> None:
        with pytest.raises(RequestError, match="cannot be written as JSON"):
            honshi.test(model(), sealed(images()), record={"run": object()})
        assert not (honshi_home / "ledger.jsonl").exists()


@pytest.mark.parametrize(
    ("record", "kept"),
    [
        ({2: "b", 10: "a"}, {"2": "b", "10": "a"}),
        ({"looks": (1, 2)}, {"looks": [1, 2]}),
        ({1: "a", None: "b"}, {"1": "a", "null": "b"}),
        ({"run": "runs/\udcff"}, {"run": "runs/\udcff"}),
    ],
    ids=["numbers", "tuple", "kinds of keys", "a name that is not UTF-8"],
)
def test_what_is_recorded_is_read_as_it_was_given_back(record: Any, kept: Any, honshi_home: Path) -> None:
    first = honshi.test(model(), sealed(images()), record=record)

    assert first.record == kept
    assert Ledger(honshi_home).entries()[0]["record"] == kept
    assert honshi.test(model(), sealed(images())) == first


def test_a_record_that_is_no_dict_is_refused(honshi_home: Path) -> None:
    with pytest.raises(RequestError, match="not a list"):
        honshi.test(model(), sealed(images()), record=["run"])  # type: ignore[arg-type]
    assert not honshi_home.exists()


def test_what_a_model_raises_on_the_test_images_alone_is_said_with_the_opening_it_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError("a hidden fault")

    with monkeypatch.context() as patched:
        patched.setattr("honshi.exam.opening.evaluate", fail)
        with pytest.raises(ModelError, match=r"ValueError: a hidden fault\. Opening 1 .* is recorded"):
            honshi.test(model(), sealed(images()))

    assert honshi.test(model(), sealed(images())).opening == 1


def test_a_picture_that_cannot_be_written_is_a_note_beside_the_score(tmp_path: Path, honshi_home: Path) -> None:
    (tmp_path / "test-leaks.png").mkdir()

    result = honshi.test(model(), sealed(images()), train=images(), pictures=tmp_path)

    assert events(honshi_home) == ["reserved", "completed"]
    assert "test-leaks.png was not drawn" in result.notes[0]


class TestWhichModelItIs:
    def test_another_shift_of_test_time_copies_is_another_model(self) -> None:
        trained = TTA(model(), shift=1)
        honshi.test(trained, sealed(images()))
        trained.shift = 3
        with pytest.raises(AlreadyOpenedError):
            honshi.test(trained, sealed(images()))

    def test_another_normalisation_is_another_model(self) -> None:
        trained = model()
        trained.preprocessing = images().preprocessing  # type: ignore[assignment]
        honshi.test(trained, sealed(images()))
        other = images().normalized_by(honshi.Normalization(mean=(0.1,), std=(0.3,)))
        trained.preprocessing = other.preprocessing  # type: ignore[assignment]
        with pytest.raises(AlreadyOpenedError):
            honshi.test(trained, sealed(images()))

    def test_the_same_model_wrapped_is_the_same_model(self) -> None:
        first = honshi.test(model(), sealed(images()))
        assert honshi.test(nn.DataParallel(model()), sealed(images())) == first

    def test_an_entry_of_the_first_version_is_known_by_its_weights(self, honshi_home: Path) -> None:
        first = honshi.test(model(), sealed(images()))
        entries = Ledger(honshi_home).entries()
        for path in honshi_home.glob("ledger.*"):
            path.unlink()
        with Ledger(honshi_home).locked():
            for entry in entries:
                kept = {
                    k: v for k, v in entry.items() if k not in ("entry", "previous", "time", "hash", "model_sha256")
                }
                Ledger(honshi_home).append(**kept)
        assert honshi.test(model(), sealed(images())).accuracy == first.accuracy
        with pytest.raises(AlreadyOpenedError):
            honshi.test(model(1), sealed(images()))


def test_the_test_set_is_read_once() -> None:
    reads = 0

    def read() -> honshi.Images:
        nonlocal reads
        reads += 1
        return images()

    sitting = exam.prepare(model(), honshi.Sealed("some", read))
    assert sitting.recorded() is None
    sitting.sit()
    assert sitting.recorded() is not None
    assert reads == 1


def test_while_one_sits_the_others_are_told_so(honshi_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def ask_meanwhile(*arguments: Any) -> Any:
        with pytest.raises(AlreadyOpenedError) as refused:
            exam.recorded(model(1), sealed(images()))
        told.append(str(refused.value))
        return honshi.evaluate(*arguments)

    monkeypatch.setattr("honshi.exam.opening.evaluate", ask_meanwhile)
    honshi.test(model(), sealed(images()))

    assert "being sat just now by process" in told[0]
