"""How many threads compute: what the system says of cores, and what follows from it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

import honshi
from honshi.experiment import Experiment
from honshi.recipe import Recipe
from honshi.runtime import threads
from honshi.runtime.threads import (
    FREE_SECONDS,
    LEAST_HOLD_SECONDS,
    MOST_HOLD_SECONDS,
    PROBE,
    TimedThreads,
    giving_way,
    idle_seconds,
    look,
    most,
    now,
    waited_seconds,
)

LINUX = sys.platform == "linux"


@dataclass
class Machine:
    """A machine of so many cores whose clock, scheduler and idle time are what the test says.

    Attributes:
        others: cores that other processes take.
    """

    cores: int
    seconds: float = 100.0
    waited: float = 0.0
    idle: float = 10.0
    others: float = 0.0

    def compute(self, seconds: float) -> None:
        """Let time pass in which all threads compute, with a look every 10 ms."""
        for _ in range(round(seconds / 0.01)):
            used = torch.get_num_threads()
            self.seconds += 0.01
            # Of a core that is shared each gets half.
            self.waited += 0.01 * max(0.0, used + self.others - self.cores) / 2
            self.idle += 0.01 * max(0.0, self.cores - used - self.others)
            look()


@pytest.fixture(params=[2, 8])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """One whose threads nobody has set."""
    made = Machine(cores=request.param)
    for name in threads.SET_BY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "_here", threading.local())
    monkeypatch.setattr(threads, "usable_cores", lambda: made.cores)
    monkeypatch.setattr(threads, "can_be_measured", lambda: True)
    monkeypatch.setattr(threads, "waited_seconds", lambda: {"1": made.waited})
    monkeypatch.setattr(threads, "idle_seconds", lambda: made.idle)
    monkeypatch.setattr("honshi.runtime.threads.time.perf_counter", lambda: made.seconds)
    before = torch.get_num_threads()
    torch.set_num_threads(made.cores)
    yield made
    torch.set_num_threads(before)


class TestGivingWay:
    def test_on_free_cores_all_threads_compute(self, machine: Machine) -> None:
        with giving_way():
            machine.compute(20)
            assert torch.get_num_threads() == now() == machine.cores

    def test_beside_another_process_one_fewer(self, machine: Machine) -> None:
        machine.others = 1
        with giving_way():
            machine.compute(0.1)
            assert torch.get_num_threads() == now() == machine.cores - 1
            machine.compute(5)
            assert torch.get_num_threads() == machine.cores - 1

    def test_all_again_when_it_is_gone(self, machine: Machine) -> None:
        machine.others = 1
        with giving_way():
            machine.compute(1)
            machine.others = 0
            machine.compute(0.5)
            assert torch.get_num_threads() == machine.cores

    def test_beside_more_processes_than_cores_one_computes(self, machine: Machine) -> None:
        machine.others = 20
        with giving_way():
            machine.compute(2)
            assert torch.get_num_threads() == 1

    def test_the_next_calculation_begins_with_what_the_last_one_has_learnt(self, machine: Machine) -> None:
        machine.others = 1
        with giving_way():
            machine.compute(1)
        assert torch.get_num_threads() == machine.cores
        machine.seconds += FREE_SECONDS / 2
        with giving_way():
            assert torch.get_num_threads() == now() == machine.cores - 1
            assert most() == machine.cores
            machine.others = 0
            machine.compute(0.5)
            assert torch.get_num_threads() == machine.cores

    def test_what_was_learnt_some_time_ago_holds_no_longer(self, machine: Machine) -> None:
        machine.others = 1
        with giving_way():
            machine.compute(1)
        machine.seconds += FREE_SECONDS
        with giving_way():
            assert torch.get_num_threads() == machine.cores

    def test_a_process_that_comes_and_goes_is_met_less_and_less_often(self, machine: Machine) -> None:
        with giving_way():
            seen = []
            for _ in range(40):
                machine.others = 1  # as soon as there are more threads again
                while torch.get_num_threads() == machine.cores:
                    machine.compute(0.01)
                machine.others = 0
                began = machine.seconds
                while torch.get_num_threads() < machine.cores:
                    machine.compute(0.01)
                seen.append(machine.seconds - began)
        assert LEAST_HOLD_SECONDS <= seen[0] < 2 * LEAST_HOLD_SECONDS
        assert MOST_HOLD_SECONDS <= seen[-1] < MOST_HOLD_SECONDS + 0.5
        assert seen == sorted(seen)

    def test_threads_that_have_ended_count_too(self, machine: Machine) -> None:
        with giving_way():
            look()
            machine.seconds += 0.1
            look(waited=0.05)
            assert torch.get_num_threads() == machine.cores - 1

    def test_afterwards_there_are_as_many_as_before(self, machine: Machine) -> None:
        machine.others = 20

        def fail() -> None:
            with giving_way():
                machine.compute(1)
                raise KeyError

        with pytest.raises(KeyError):
            fail()
        assert torch.get_num_threads() == machine.cores
        assert now() is None

    def test_one_within_another_goes_on_with_what_is_known(self, machine: Machine) -> None:
        machine.others = 20
        with giving_way():
            machine.compute(1)
            with giving_way():
                assert now() == 1
            assert torch.get_num_threads() == 1

    @pytest.mark.parametrize("name", threads.SET_BY)
    def test_a_number_that_the_environment_sets_is_left_alone(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv(name, str(machine.cores))
        machine.others = 20
        with giving_way():
            machine.compute(1)
            assert torch.get_num_threads() == machine.cores
            assert now() is None

    def test_a_number_that_the_program_sets_is_left_alone(self, machine: Machine) -> None:
        torch.set_num_threads(machine.cores + 1)
        machine.others = 20
        with giving_way():
            machine.compute(1)
            assert torch.get_num_threads() == machine.cores + 1

    def test_where_the_system_does_not_say_nothing_is_changed(
        self, machine: Machine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(threads, "can_be_measured", lambda: False)
        machine.others = 20
        with giving_way():
            machine.compute(1)
            assert torch.get_num_threads() == machine.cores

    def test_another_thread_of_the_program_is_not_concerned(self, machine: Machine) -> None:
        found: list[int | None] = []
        with giving_way():
            other = threading.Thread(target=lambda: found.append(now()))
            other.start()
            other.join()
        assert found == [None]


class TestTheSystem:
    @pytest.mark.skipif(not LINUX, reason="proc(5)")
    def test_a_thread_that_shares_its_core_has_waited(self) -> None:
        core = min(os.sched_getaffinity(0))
        command = ["taskset", "-c", str(core), sys.executable, "-c", "while True: pass"]
        task = str(threading.get_native_id())
        cores = os.sched_getaffinity(0)
        with subprocess.Popen(command) as neighbour:
            try:
                os.sched_setaffinity(0, {core})
                time.sleep(0.2)
                before, began = waited_seconds()[task], time.perf_counter()
                while (seconds := time.perf_counter() - began) < 0.3:
                    pass
                waited = waited_seconds()[task] - before
            finally:
                os.sched_setaffinity(0, cores)
                neighbour.kill()
        assert 0.25 * seconds < waited < seconds

    @pytest.mark.skipif(not LINUX, reason="proc(5)")
    def test_idle_time_is_no_more_than_the_cores_had(self) -> None:
        before, began = idle_seconds(), time.perf_counter()
        time.sleep(0.1)
        idle, seconds = idle_seconds() - before, time.perf_counter() - began
        assert before > 0
        assert 0 <= idle <= len(os.sched_getaffinity(0)) * (seconds + 0.02)

    def test_a_system_that_says_nothing_is_asked_in_vain(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(threads, "TASKS", tmp_path / "none")
        monkeypatch.setattr(threads, "CORES", tmp_path / "none")
        assert waited_seconds() == {}
        assert idle_seconds() == 0
        assert not threads.can_be_measured.__wrapped__()


def test_a_training_gives_way_and_leaves_the_number_as_it_was(machine: Machine) -> None:
    machine.others = 20
    used = set[int]()
    recipe = Recipe.read("mlp").changed({"data.subset": 1000, "training.epochs": 1, "training.batch_size": 50})

    def note(step: int) -> None:
        machine.compute(0.02)
        used.add(torch.get_num_threads())

    Experiment.build(recipe).fit(on_step=note)

    assert 1 in used
    assert torch.get_num_threads() == machine.cores


def test_scoring_gives_way_too(machine: Machine, mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []
    monkeypatch.setattr(threads, "look", lambda: looks.append(torch.get_num_threads()))

    honshi.evaluate(honshi.models.MLP(), mnist.val)

    assert len(looks) > 1


def test_the_slower_of_timed_numbers_is_tried_again_now_and_then() -> None:
    timed = TimedThreads(2)
    tried = []
    for _ in range(2 * PROBE):
        tried.append(timed.next())
        timed.note(tried[-1], {1: 1.0, 2: 3.0}[tried[-1]])

    assert tried[:3] == [2, 1, 1]
    assert tried.count(2) == 3
