"""What goes on inside a model, against the model itself."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient
from tests.web.conftest import RUN

from honshi.evaluation.evaluate import infer
from honshi.experiment import open_finished
from honshi.runs import looks


def ask(user: TestClient, what: str, **body: Any) -> Any:
    answer = user.post(f"/api/runs/{RUN}/{what}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_confusion_matrix_counts_what_the_model_answers_and_its_cells_hold_these_images(
    user: TestClient, reader: Path
) -> None:
    _, model, splits = open_finished(str(reader))
    logits, labels = infer(model, splits.val)
    taken = logits.argmax(1)
    before = looks.count(splits.manifest.val_sha256)

    found = ask(user, "answers")

    matrix = np.zeros((10, 10), int)
    np.add.at(matrix, (labels.numpy(), taken.numpy()), 1)
    assert np.array_equal(found["matrix"], matrix)
    for name, places in found["cells"].items():
        true, as_what = map(int, name.split(","))
        assert {(int(labels[place]), int(taken[place])) for place in places} == {(true, as_what)}
    confidences = [mistake["confidence"] for mistake in found["mistakes"]]
    assert confidences == sorted(confidences, reverse=True)
    assert all(mistake["true"] != mistake["taken"] for mistake in found["mistakes"])
    # It is one look, however often the page is opened.
    ask(user, "answers")
    assert looks.count(splits.manifest.val_sha256) == before + 1


def test_images_are_those_of_validation(user: TestClient, reader: Path) -> None:
    _, _, splits = open_finished(str(reader))

    [first, second] = ask(user, "images", places=[5, 17])

    assert base64.b64decode(second["pixels"]) == splits.val.gather(torch.tensor([17])).numpy().tobytes()
    assert first["shape"] == [1, 28, 28]


def test_each_layer_is_shown_and_the_first_weights(user: TestClient, reader: Path) -> None:
    layers = ask(user, "layers", place=3)

    assert layers[0]["kind"] == "Conv2d"
    assert layers[-1]["shape"] == [10]
    assert len(layers[-1]["numbers"]) == 10
    filters = user.get(f"/api/runs/{RUN}/filters").json()
    assert len(filters) == 16
    assert filters[0]["shape"] == [1, 3, 3]
    assert user.get(f"/api/runs/{RUN}/augmented").json() == []


@pytest.mark.parametrize(
    ("what", "body"),
    [("images", {}), ("images", {"places": [-1]}), ("images", {"places": ["0"]}), ("images", {"places": [1] * 99}),
     ("layers", {"place": "x"}), ("layers", {"place": 1e9})],
)  # fmt: skip
def test_what_is_no_image_is_a_sentence(user: TestClient, reader: Path, what: str, body: dict[str, Any]) -> None:
    answer = user.post(f"/api/runs/{RUN}/{what}", json=body)

    assert (answer.status_code, bool(answer.json()["error"])) == (422, True)
