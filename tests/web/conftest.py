from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.cli.conftest import run_honshi

from honshi.web.app import make_app
from honshi.web.child import Child
from honshi.web.guard import Door
from honshi.web.lab import Lab
from honshi.web.watch import Watch

TOKEN = "a token that only the user knows"
HOST = "127.0.0.1:8117"
RUN = "reader"


@pytest.fixture
def stranger(tmp_path: Path, lab: Lab) -> TestClient:
    """Someone at the address of a lab, without the token."""
    app = make_app(lab, Door(frozenset({HOST}), TOKEN, "honshi-8117"))
    return TestClient(app, base_url=f"http://{HOST}", follow_redirects=False)


@pytest.fixture
def user(stranger: TestClient) -> TestClient:
    """The one who was given the address with the token."""
    assert stranger.get("/", params={"token": TOKEN}).status_code == 303
    return stranger


@pytest.fixture
def lab(tmp_path: Path, honshi_home: Path) -> Iterator[Lab]:
    """A lab over the runs of an empty folder."""
    lab = Lab(Watch(tmp_path / "runs"), Child(threads=1), Child(threads=1))
    yield lab
    lab.quick.stop()
    lab.slow.stop()


@pytest.fixture(scope="session")
def _trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    done = run_honshi(folder, "train", "cnn", "--subset", "4000", "--epochs", "2", "--out", f"runs/{RUN}")
    assert done.code == 0, done.err
    return folder / "runs" / RUN


@pytest.fixture
def reader(_trained: Path, lab: Lab) -> Path:
    """A run that reads digits, among those of the lab."""
    path = lab.watch.folder / RUN
    shutil.copytree(_trained, path)
    lab.watch.changes()
    return path
