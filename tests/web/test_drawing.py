"""Drawings: what is seen of them, what they are taken for, and keeping them."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from starlette.testclient import TestClient
from tests.web.conftest import RUN

from honshi.models.card import needed_card
from honshi.pictures.prepare import prepare
from honshi.runs import Run

BYTES = {"content-type": "application/octet-stream"}
SIDE = 280
SEVEN = [(70, 60), (210, 60), (120, 230)]


def drawing(points: list[tuple[int, int]], width: int = 18) -> NDArray[np.uint8]:
    """Strokes of a dark pen on light paper."""
    paper = Image.new("L", (SIDE, SIDE), 255)
    ImageDraw.Draw(paper).line(points, fill=0, width=width, joint="curve")
    return np.array(paper)


def look(user: TestClient, content: bytes, **query: int) -> dict[str, Any]:
    answer = user.post("/api/look", params={"run": RUN, **query}, content=content, headers=BYTES)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()[RUN]
    return found


def test_a_drawing_is_read_and_what_is_shown_is_what_the_model_sees(user: TestClient, reader: Path) -> None:
    drawn = drawing(SEVEN)

    answer = look(user, drawn.tobytes(), width=SIDE, height=SIDE)

    probabilities = dict(zip(answer["classes"], answer["probabilities"], strict=True))
    assert max(probabilities, key=probabilities.__getitem__) == "7"
    assert sum(probabilities.values()) == pytest.approx(1)
    wanted = prepare(drawn, needed_card(Run(reader).model()).contract)
    seen = answer["seen"]
    assert seen["shape"] == list(wanted.shape)
    assert base64.b64decode(seen["pixels"]) == wanted.numpy().tobytes()


def test_a_picture_s_file_is_read_as_predict_reads_it(user: TestClient, reader: Path) -> None:
    file = BytesIO()
    Image.fromarray(drawing(SEVEN)).save(file, "PNG")

    drawn = look(user, drawing(SEVEN).tobytes(), width=SIDE, height=SIDE)

    assert look(user, file.getvalue())["seen"] == drawn["seen"]


def test_a_drawing_unlike_all_training_images_is_warned_of_once_they_are_known(user: TestClient, reader: Path) -> None:
    scribble = drawing([(20 + 8 * step, 250 if step % 2 else 20) for step in range(30)], 10).tobytes()
    assert look(user, scribble, width=SIDE, height=SIDE)["unlike"] is None

    assert user.post(f"/api/runs/{RUN}/learn", json={}).json() == {"known": True}

    assert look(user, scribble, width=SIDE, height=SIDE)["unlike"] is True
    assert look(user, drawing(SEVEN).tobytes(), width=SIDE, height=SIDE)["unlike"] is False


def test_a_drawing_is_kept_in_a_folder_that_can_be_trained_on(user: TestClient, reader: Path) -> None:
    sizes = {"width": SIDE, "height": SIDE}
    drawn = drawing(SEVEN)

    for _ in range(2):  # twice the same is one
        kept = user.post(
            f"/api/runs/{RUN}/keep", params={"label": "7", **sizes}, content=drawn.tobytes(), headers=BYTES
        )
        assert kept.status_code == 201

    path = reader.parent.parent / "drawings" / "7"
    assert [Path(kept.json()["path"])] == list(path.iterdir())
    assert np.array_equal(np.array(Image.open(kept.json()["path"])), drawn)


def test_what_is_no_picture_or_no_class_is_a_sentence_and_nothing_is_kept(user: TestClient, reader: Path) -> None:
    content = drawing(SEVEN).tobytes()
    sizes: dict[str, Any] = {"width": SIDE, "height": SIDE}
    asked: list[tuple[dict[str, Any], bytes, dict[str, str]]] = [
        ({"run": RUN}, b"no picture", BYTES),
        ({"run": RUN}, b"", BYTES),
        ({"run": RUN, "width": SIDE, "height": SIDE - 1}, content, BYTES),
        ({"run": RUN, "width": 0, "height": 0}, b"", BYTES),
        ({"run": RUN, "width": "9" * 500, "height": 1}, b"", BYTES),
        ({"run": RUN, **sizes}, content, {"content-type": "application/x-www-form-urlencoded"}),
        ({"run": [RUN] * 3, **sizes}, content, BYTES),
        (sizes, content, BYTES),
    ]
    for query, sent, headers in asked:
        answer = user.post("/api/look", params=query, content=sent, headers=headers)
        assert (answer.status_code, bool(answer.json()["error"])) == (422, True), query
    assert user.post("/api/look", params={"run": "nothing", **sizes}, content=content, headers=BYTES).status_code == 404
    for label in ("10", "..", "", "/etc", "7/../8"):
        answer = user.post(f"/api/runs/{RUN}/keep", params={"label": label, **sizes}, content=content, headers=BYTES)
        assert answer.status_code == 422, label
    assert user.post(f"/api/runs/{RUN}/keep", params={"label": "7"}, content=b"x", headers=BYTES).status_code == 422
    assert not (reader.parent.parent / "drawings").exists()
