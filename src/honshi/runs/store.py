"""The runs in a folder: all of them, and the one that a command calls RUN."""

from __future__ import annotations

from pathlib import Path

from honshi.errors import HonshiError, RunNotFoundError
from honshi.files import is_file
from honshi.runs import looks
from honshi.runs.folder import RUNS, Run
from honshi.runs.sidecar import read_sidecar


def all_runs(folder: Path = RUNS) -> list[Run]:
    """Every run in a folder, the oldest first."""
    if not folder.is_dir():
        return []
    # A run is one level down; the seeds of one recipe have a folder of their own in between, and a search has
    # such folders for what it ended with.
    patterns = ("*/recipe.toml", "*/seed-*/recipe.toml", "*/*/seed-*/recipe.toml")
    recipes = [path for pattern in patterns for path in folder.glob(pattern)]
    return sorted((Run(path.parent) for path in recipes), key=lambda run: (run.began, run.name))


def find(name: str, folder: Path = RUNS) -> Run:
    """A run by its folder, its name, a unique prefix of it, ``latest`` or ``best``.

    ``best`` is the finished run of highest validation accuracy. Runs on other data or another split
    do not compare, so it looks only at those that share the latest finished run's validation set. Damaged
    runs are passed over.

    Raises:
        RunNotFoundError: none answers to it, or more than one does.
    """
    if is_file(Path(name) / "recipe.toml"):
        return Run(Path(name))
    runs = all_runs(folder)
    if name == "latest" and runs:
        return runs[-1]
    if name == "best" and (finished := [run for run in runs if _is_whole(run)]):
        alike = [run for run in finished if _validated_on(run) == _validated_on(finished[-1])]
        return max(alike, key=lambda run: run.kept.val_accuracy)
    exact = [run for run in runs if run.name == name]
    matching = exact or [run for run in runs if run.name.startswith(name)]
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise RunNotFoundError(
            "The names of {count} runs begin with {name!r}: {names}. Give more of the name.",
            name=name,
            count=len(matching),
            names=", ".join(run.name for run in matching),
        )
    raise RunNotFoundError(
        "There is no run {name!r}, neither as a folder nor in {folder}. See: honshi runs",
        name=name,
        folder=folder.resolve(),
    )


def _is_whole(run: Run) -> bool:
    """Whether a run is finished and nothing in it is damaged; its network is put together for that."""
    from honshi.runs.network import check_network

    weights = run.path / "model.safetensors"
    try:
        run.check()
        if run.finished:
            check_network(read_sidecar(weights), weights)
    except HonshiError:
        return False
    return run.finished


def _validated_on(run: Run) -> str:
    return looks.known_as(run.manifest.val_sha256)
