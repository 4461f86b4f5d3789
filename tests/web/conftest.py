from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from honshi.web.app import make_app
from honshi.web.child import Child
from honshi.web.guard import Door
from honshi.web.lab import Lab
from honshi.web.watch import Watch

TOKEN = "a token that only the user knows"
HOST = "127.0.0.1:8117"


@pytest.fixture
def stranger(tmp_path: Path) -> TestClient:
    """Someone at the address of a lab with no runs, without the token."""
    lab = Lab(Watch(tmp_path / "runs"), Child(), Child())
    app = make_app(lab, Door(frozenset({HOST}), TOKEN, "honshi-8117"))
    return TestClient(app, base_url=f"http://{HOST}", follow_redirects=False)


@pytest.fixture
def user(stranger: TestClient) -> TestClient:
    """The one who was given the address with the token."""
    assert stranger.get("/", params={"token": TOKEN}).status_code == 303
    return stranger
