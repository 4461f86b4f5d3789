"""A study in a real PostgreSQL server, searched by two processes, of which one is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState


def server_programs() -> Path | None:
    """The folder of initdb and postgres; Debian keeps them off the path."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((folder for folder in reversed(folders) if (folder / "initdb").exists()), None)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of an empty database on a server of its own."""
    programs = server_programs()
    if programs is None:
        pytest.skip("there is no PostgreSQL server on this machine: apt-get install postgresql")
    # The server refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="honshi-postgresql-"))
    if user is not None:
        shutil.chown(folder, user)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    init = [str(programs / "initdb"), "-D", str(folder / "data"), "-U", "honshi", "-A", "trust", "-N"]
    subprocess.run([*init, "-E", "UTF8"], cwd=folder, user=user, check=True, capture_output=True)
    settings = [f"port={port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off"]
    options = [part for setting in settings for part in ("-c", setting)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [str(programs / "postgres"), "-D", str(folder / "data"), *options], cwd=folder, user=user, stderr=log
        )
    try:
        until = time.monotonic() + 30
        while subprocess.run(["pg_isready", "-h", "127.0.0.1", "-p", str(port)], capture_output=True).returncode:
            assert server.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < until, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"postgresql://honshi@127.0.0.1:{port}/postgres"
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "HONSHI_HOME": str(folder / "home")}
    command = [sys.executable, "-m", "honshi", "tune", *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


class Watch:
    """Looks into the database from outside."""

    def __init__(self, url: str) -> None:
        self.storage = RDBStorage(url)

    @property
    def trials(self) -> list[FrozenTrial]:
        """Of the only study; none before there is one."""
        return [
            trial for study in self.storage.get_all_studies() for trial in self.storage.get_all_trials(study._study_id)
        ]


@pytest.fixture
def watch(database: str) -> Iterator[Watch]:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    watch = Watch(database.replace("postgresql:", "postgresql+psycopg:"))
    yield watch
    watch.storage.remove_session()
    watch.storage.engine.dispose()


def stop_amid_a_trial(worker: subprocess.Popen[str], watch: Watch) -> FrozenTrial:
    """Hold a worker where it is, in the middle of a trial, which comes back."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if its_trial(worker, watch) is None:
            assert worker.poll() is None, worker.communicate()[1]
            continue
        worker.send_signal(signal.SIGSTOP)
        time.sleep(0.2)  # what it has sent arrives
        if (trial := its_trial(worker, watch)) is not None:
            return trial
        worker.send_signal(signal.SIGCONT)
    raise AssertionError("it was never amid a trial")


def its_trial(worker: subprocess.Popen[str], watch: Watch) -> FrozenTrial | None:
    """The trial that a worker is training."""
    for trial in watch.trials:
        of = trial.user_attrs.get("worker", "")
        if trial.state == TrialState.RUNNING and trial.params and of.endswith(f"/{worker.pid}"):
            return trial
    return None


def test_the_trial_of_a_killed_worker_is_done_by_the_other(
    database: str, watch: Watch, idx_folder: Path, tmp_path: Path
) -> None:
    options: tuple[str, ...] = (
        "--data",
        f"idx:{idx_folder}",
        "--epochs",
        "4",
        "--trials",
        "30",
        "--workers",
        "1",
        "--seeds",
        "2",
    )
    options = (*options, "--storage", database, "--heartbeat", "1", "--json")
    killed, other = (start(tmp_path, *options, "--out", name) for name in ("killed", "other"))
    until = time.monotonic() + 60
    while len(watch.trials) < 6:
        assert killed.poll() is None, killed.communicate()[1]
        assert time.monotonic() < until, "no trial was begun"
        time.sleep(0.1)
    lost = stop_amid_a_trial(killed, watch)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    before = [trial for trial in watch.trials if trial.state.is_finished()]

    out, told = other.communicate(timeout=120)

    assert other.returncode == 0, told
    after = watch.trials
    assert after[lost.number].state == TrialState.FAIL
    retried = [trial for trial in after if trial.system_attrs.get("failed_trial") == lost.number]
    assert [trial.state.is_finished() for trial in retried] == [True]
    assert retried[0].params.items() >= lost.params.items()
    assert [after[trial.number] for trial in before] == before
    content = json.loads(out)
    assert content["trials"]["complete"] + content["trials"]["pruned"] >= 30
    assert content["trials"]["failed"] == 1
    assert not (tmp_path / "other" / "study.db").exists()

    again = start(tmp_path, *options, "--out", "killed")
    out, told = again.communicate(timeout=120)

    assert again.returncode == 0, told
    assert json.loads(out)["best"] == content["best"]
