"""The lecture's demonstrations show what they say."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.web.conftest import RUN


def test_four_times_the_images_scatter_half_as_far(user: TestClient) -> None:
    found = user.get("/api/gradients").json()

    distances = [found[size]["distance"] for size in ("4", "16", "64", "256")]
    assert [one / other for one, other in pairwise(distances)] == pytest.approx([2] * 3, rel=0.25)


def test_a_step_lowers_the_loss_of_its_batch_and_one_that_is_far_too_long_raises_it(user: TestClient) -> None:
    calm = user.post("/api/slow-motion", json={"lr": 0.1}).json()
    wild = user.post("/api/slow-motion", json={"lr": 10}).json()

    assert sum(step["after"] < step["before"] for step in calm) > 0.9 * len(calm)
    assert wild[0]["after"] > wild[0]["before"]
    assert calm[-1]["before"] < calm[0]["before"]


def test_the_best_of_many_looks_rises_and_the_other_half_does_not_follow(user: TestClient, reader: Path) -> None:
    found = user.post(f"/api/runs/{RUN}/peeks", json={}).json()

    assert found["looked"] == sorted(found["looked"])
    rise, held = found["looked"][-1] - found["looked"][0], found["held"][-1] - found["held"][0]
    assert rise > 0.0004
    assert held < 0.6 * rise


def test_dropout_scatters_the_answer_and_batch_norm_brings_channels_together(user: TestClient, reader: Path) -> None:
    none = user.post(f"/api/runs/{RUN}/dropout", json={"place": 0, "probability": 0}).json()
    half = user.post(f"/api/runs/{RUN}/dropout", json={"place": 0, "probability": 0.5}).json()
    assert none["draws"][0] == pytest.approx(none["without"], abs=1e-5)
    assert half["draws"][0] != half["draws"][1]

    layers = user.post(f"/api/runs/{RUN}/batch-norm", json={}).json()
    assert len(layers) == 3
    assert all(len(layer["before"]) == len(layer["after"]) for layer in layers)


@pytest.mark.parametrize("lr", [0, -1, 1e9, "0.1", None, True])
def test_what_is_no_learning_rate_is_a_sentence(user: TestClient, lr: object) -> None:
    answer = user.post("/api/slow-motion", json={"lr": lr})

    assert (answer.status_code, bool(answer.json()["error"])) == (422, True)
