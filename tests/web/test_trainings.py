"""Trainings that are begun, ended and gone on with from a page."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from honshi.runs import Run
from honshi.web.lab import Lab

SMALL = {"data.subset": 500, "training.epochs": 400}


@pytest.fixture(autouse=True)
def in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def wait(lab: Lab, name: str, until: Callable[[Run], bool]) -> Run:
    """A run, once it is so far."""
    for _ in range(600):
        lab.watch.changes()
        run = lab.watch.run_called(name)
        if run is not None and until(run):
            return run
        time.sleep(0.1)
    raise AssertionError(f"{name} never came so far")


def test_a_training_is_begun_stopped_and_gone_on_with(user: TestClient, lab: Lab) -> None:
    begun = user.post("/api/trainings", json={"recipe": "mlp", "changes": SMALL})
    assert begun.status_code == 201
    name = begun.json()["run"]
    wait(lab, name, lambda run: run.status.state == "running" and len(run.history) >= 2)
    again = user.post(f"/api/runs/{name}/resume", json={})
    assert (again.status_code, "is being trained already" in again.json()["error"]) == (422, True)

    assert user.post(f"/api/runs/{name}/stop", json={}).status_code == 200
    epochs = len(wait(lab, name, lambda run: run.status.state == "interrupted").history)

    assert user.post(f"/api/runs/{name}/resume", json={}).status_code == 200
    run = wait(lab, name, lambda run: run.status.state == "running" and len(run.history) > epochs)
    assert user.post(f"/api/runs/{name}/stop", json={}).status_code == 200
    wait(lab, name, lambda run: run.status.state == "interrupted")
    assert run.recipe.data.subset == 500
    assert "epoch" in user.get(f"/api/runs/{name}/printed").json()["printed"]


def test_what_no_recipe_can_be_is_a_sentence_and_begins_nothing(user: TestClient, tmp_path: Path) -> None:
    for wrong in (
        {"recipe": "nothing"},
        {"recipe": "../../etc/passwd"},
        {"recipe": 3},
        {"recipe": "mlp", "changes": []},
        {"recipe": "mlp", "changes": {"optimizer.lr": "fast"}},
        {"recipe": "mlp", "changes": {"optimizer.lr": -1}},
        {"recipe": "mlp", "changes": {"colour": "red"}},
    ):
        answer = user.post("/api/trainings", json=wrong)
        assert (answer.status_code, bool(answer.json()["error"])) == (422, True), wrong
    assert not (tmp_path / "runs").exists()


def test_what_nobody_trains_cannot_be_stopped_and_what_is_finished_not_gone_on_with(
    user: TestClient, reader: Path
) -> None:
    assert "is not being trained" in user.post(f"/api/runs/{reader.name}/stop", json={}).json()["error"]
    assert "finished" in user.post(f"/api/runs/{reader.name}/resume", json={}).json()["error"]
    assert user.post("/api/runs/nothing/stop", json={}).status_code == 404
