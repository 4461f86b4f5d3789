"""A study that goes on is looked at before anything is written to it: what is damaged stays as it is.

The file is copied, and the copy is opened. What Optuna and SQLAlchemy make of a damaged one is not a closed list: an
error of any kind on the copy means that the search cannot go on with the file. What opens may still hold values that
no trial of this search can have.
"""

from __future__ import annotations

import csv
import math
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from honshi.errors import RunError
from honshi.messages import Message
from honshi.recipe import Recipe
from honshi.tuning.space import distributions

# Beside a database that a killed process left in the middle of a write lies what takes that back.
PARTS = ("", "-journal", "-wal", "-shm")
SECONDS_TO_WAIT = 5


def verify_file(path: Path, name: str, recipe: Recipe, listed: int) -> None:
    """See that the study in a file is the one of this search, and whole.

    Args:
        path: of the file; an empty one is a study that has not begun.
        name: of the study.
        recipe: with the space.
        listed: trials that there have been, as far as is known.

    Raises:
        RunError: it is not.
    """
    with _refused(str(path)):
        with tempfile.TemporaryDirectory() as there:
            copy = Path(there) / path.name
            for part in PARTS:
                if part == "" or Path(f"{path}{part}").exists():
                    shutil.copyfile(f"{path}{part}", f"{copy}{part}")
            trials = _trials_in(copy, name) if copy.stat().st_size else []
        if len(trials) < listed:
            raise _DamagedError(
                "there are {found} trials in it, and there were {listed}", found=len(trials), listed=listed
            )
        _verify(trials, recipe)
        _see_that_it_can_be_written(path)


def verify_study(study: optuna.Study, recipe: Recipe, where: str) -> None:
    """See that the trials of a study in a database can be trials of this search.

    Raises:
        RunError: they cannot; ``where`` is named in it.
    """
    with _refused(where):
        _verify(study.get_trials(deepcopy=False), recipe)


@contextmanager
def _refused(where: str) -> Iterator[None]:
    try:
        yield
    except _DamagedError as error:
        problem = error.message
    except OSError as error:
        problem = Message("{problem}", problem=error.strerror or error)
    except Exception as error:
        problem = Message("{kind}: {problem}", kind=type(error).__name__, problem=" ".join(str(error).split())[:200])
    else:
        return
    raise RunError(
        "{where}: this search cannot go on with its trials: {problem}. They have been left as they are. Put a "
        "whole copy of them back, or begin a new search in another folder.",
        where=where,
        problem=problem,
    )


class _DamagedError(Exception):
    """What is wrong with a study, as the middle of a sentence."""

    def __init__(self, sentence: str, **parameters: Any) -> None:
        self.message = Message(sentence, **parameters)
        super().__init__(self.message)


def _verify(trials: Sequence[FrozenTrial], recipe: Recipe) -> None:
    known = distributions(recipe)
    # Optuna looks at what it is given.
    study = optuna.create_study(direction="maximize")
    for number, trial in enumerate(trials):
        try:
            if trial.number != number:
                raise _DamagedError("its number is {number}", number=trial.number)
            _verify_parameters(trial.params, trial.distributions, known)
            _verify_queued(trial.system_attrs, known)
            for epoch, accuracy in trial.intermediate_values.items():
                if epoch < 1 or not _is_accuracy(accuracy):
                    raise _DamagedError("after epoch {epoch} its accuracy is {value}", epoch=epoch, value=accuracy)
            if trial.state == TrialState.COMPLETE and not _is_accuracy(trial.value):
                raise _DamagedError("its accuracy is {value}", value=trial.value)
            for attribute in ("worker", "problem"):
                if not isinstance(trial.user_attrs.get(attribute, ""), str):
                    raise _DamagedError("its {attribute} is not text", attribute=attribute)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                study.add_trial(trial)
        except _DamagedError as error:
            raise _DamagedError("trial {number}: {problem}", number=number, problem=error.message) from None


def _verify_parameters(
    parameters: dict[str, Any], theirs: dict[str, BaseDistribution], known: dict[str, BaseDistribution]
) -> None:
    for name in parameters:
        if theirs[name] != known.get(name):
            raise _DamagedError("this search has no {name} like its", name=name)


def _verify_queued(attributes: dict[str, Any], known: dict[str, BaseDistribution]) -> None:
    """What a trial that waits is to be begun with, and which trials it repeats."""
    queued, repeated = attributes.get("fixed_params", {}), attributes.get("retry_history", [])
    if not isinstance(queued, dict) or not isinstance(repeated, list):
        raise _DamagedError("it cannot be told what it is to be tried with")
    if not queued.keys() <= known.keys():
        raise _DamagedError("this search has no {name}", name=next(iter(queued.keys() - known.keys())))
    optuna.create_trial(value=0.0, params=queued, distributions={name: known[name] for name in queued})


def _is_accuracy(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and 0 <= value <= 1


def _trials_in(copy: Path, name: str) -> list[FrozenTrial]:
    """The trials of the study of that name; none where nothing has begun yet."""
    with closing(sqlite3.connect(copy)) as connection:
        for pragma in ("integrity_check", "foreign_key_check"):
            found = connection.execute(f"PRAGMA {pragma}").fetchall()
            if found not in ([], [("ok",)]):
                raise _DamagedError("it is damaged ({problem})", problem=found[0][0])
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return []
    storage = RDBStorage(f"sqlite:///{copy}", skip_table_creation=True)
    try:
        names = [study.study_name for study in storage.get_all_studies()]
        if names and name not in names:
            raise _DamagedError("it holds another search, or one on other data ({names})", names=", ".join(names))
        if not names:
            return []
        study = optuna.load_study(study_name=name, storage=storage)
        if study.directions != [optuna.study.StudyDirection.MAXIMIZE]:
            raise _DamagedError("it does not look for the highest accuracy")
        return study.get_trials()
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _see_that_it_can_be_written(path: Path) -> None:
    with closing(sqlite3.connect(path, timeout=SECONDS_TO_WAIT, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            raise _DamagedError("nothing can be written to it ({problem})", problem=error) from None


def listed_trials(path: Path) -> int:
    """How many trials there have been by the table that a search leaves; 0 where there is none that can be read."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return max(sum(1 for _ in csv.reader(stream)) - 1, 0)
    except (OSError, ValueError, csv.Error):
        return 0
