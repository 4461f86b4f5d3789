"""The study: where Optuna keeps the trials of a search, in a file or in a database that many machines share."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.storages._heartbeat import BaseHeartbeat
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from honshi.errors import HonshiError, RequestError
from honshi.files import sha256
from honshi.recipe import Recipe

# One trial in so many goes on at each rung; as in Li et al., "A system for massively parallel
# hyperparameter tuning", 2018, where 3 and 4 are called the usual ones.
REDUCTION = 3
# A trial whose worker dies is tried again, but not for ever: it may be what kills it.
RETRIES = 3
SECONDS_TO_CONNECT = 10


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a study lives; the same for all its workers.

    Attributes:
        url: of the database, as SQLAlchemy takes it.
        name: of the study in it.
        heartbeat: seconds between two signs of life of a worker. After three times as many without one, its
            trial is taken for lost and tried again.
    """

    url: str
    name: str
    heartbeat: int

    @property
    def shared(self) -> bool:
        return not self.url.startswith("sqlite:")


def database_url(url: str) -> str:
    """What ``--storage`` says, as SQLAlchemy takes it.

    Raises:
        RequestError: it is no URL of a database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise RequestError(
            "--storage {url}: this is not a database's address. Give postgresql://USER:PASSWORD@HOST/DATABASE, or "
            "leave it out.",
            url=url,
        ) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


def file_url(path: Path) -> str:
    """A database that is a file."""
    return URL.create("sqlite", database=str(path.resolve())).render_as_string()


def study_name(recipe: Recipe, val_sha256: str) -> str:
    """The same for whoever searches the same space around the same recipe on the same data, wherever they lie."""
    same = recipe.model_dump(mode="json", exclude={"data": {"source"}, "training": {"device"}})
    digest = sha256(json.dumps([same, val_sha256], sort_keys=True).encode())
    return f"{recipe.name}-{digest[:16]}"


@contextmanager
def open_study(place: Place, seed: int | None) -> Iterator[optuna.Study]:
    """The study, made where it is not there yet; its connections are closed at the end of the block.

    Trials are chosen by TPE (Bergstra et al., "Algorithms for hyper-parameter optimization", 2011) over all
    hyperparameters together, and stopped early by asynchronous successive halving.

    Args:
        place: where it is.
        seed: of what is chosen; None draws one.

    Raises:
        RequestError: the library that speaks to this kind of database is missing.
        HonshiError: the database cannot be reached.
    """
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    connection: dict[str, Any] = {"connect_timeout": SECONDS_TO_CONNECT} if place.url.startswith("postgresql") else {}
    if not place.shared:
        connection = {"timeout": 60}  # seconds to wait while another worker writes
    try:
        with warnings.catch_warnings():
            # Heartbeats and groups of conditional hyperparameters are marked as experimental.
            warnings.simplefilter("ignore", ExperimentalWarning)
            storage = RDBStorage(
                place.url,
                engine_kwargs={"connect_args": connection, "pool_pre_ping": place.shared},
                heartbeat_interval=place.heartbeat,
                grace_period=3 * place.heartbeat,
                heartbeat_stale_trial_callback=RetryHeartbeatStaleTrialCallback(max_retry=RETRIES),
            )
            study = optuna.create_study(
                storage=storage,
                study_name=place.name,
                direction="maximize",
                load_if_exists=True,
                sampler=optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
                pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=REDUCTION),
            )
    except ImportError as error:
        raise RequestError(
            "--storage: the library for this kind of database is missing ({problem}). "
            "For PostgreSQL: pip install 'honshi[postgresql]'",
            problem=error.__cause__ or error,
        ) from error
    except SQLAlchemyError as error:
        raise HonshiError("--storage {url}: {problem}", url=shown(place.url), problem=first_line(error)) from error
    try:
        yield study
    finally:
        storage.remove_session()
        storage.engine.dispose()


def expect_life(study: optuna.Study, numbers: Iterable[int]) -> None:
    """Begin to wait for signs of life of these trials.

    A worker that dies at once has given none, and only one that has given some can be found to have fallen
    silent. So this gives the first in its stead.
    """
    storage = study._storage
    assert isinstance(storage, BaseHeartbeat)
    for number in numbers:
        storage.record_heartbeat(storage.get_trial_id_from_study_id_trial_number(study._study_id, number))


def try_lost_again(study: optuna.Study) -> None:
    """Put every trial that is said to be running back into the queue. Only for whoever has the study alone."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            RetryHeartbeatStaleTrialCallback(max_retry=RETRIES)(study, trial)


def shown(url: str) -> str:
    """A URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def first_line(error: SQLAlchemyError) -> str:
    """What the database said, in a line."""
    said = str(getattr(error, "orig", None) or error).strip()
    return said.splitlines()[0].rstrip(".") + "."


@dataclass(frozen=True)
class Trial:
    """What became of a trial.

    Attributes:
        number: in the study, from 0.
        state: "complete"; "pruned", stopped early or impossible; "running", "waiting" to be tried (again); or
            "failed", its worker was stopped, and it was tried again under another number.
        accuracy: on validation, of the epoch that a run would keep, or of the last one where the trial was
            stopped; None before the first epoch.
        epochs: looks at the validation set.
        seconds: from start to end.
        parameters: name in the study to value.
        worker: the machine and the process that had it; None before one has.
        problem: why it could not go on, where it could not.
    """

    number: int
    state: str
    accuracy: float | None
    epochs: int
    seconds: float
    parameters: dict[str, Any]
    worker: str | None
    problem: str | None

    @property
    def finished(self) -> bool:
        return self.state in ("complete", "pruned")

    @classmethod
    def of(cls, trial: FrozenTrial) -> Trial:
        reported = trial.intermediate_values
        last = reported[max(reported)] if reported else None
        complete = trial.state == TrialState.COMPLETE
        return cls(
            number=trial.number,
            state=_STATES[trial.state],
            accuracy=trial.value if complete else last,
            epochs=len(reported),
            seconds=trial.duration.total_seconds() if trial.duration is not None else 0.0,
            parameters=dict(trial.params),
            worker=trial.user_attrs.get("worker"),
            problem=trial.user_attrs.get("problem"),
        )


_STATES = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
    TrialState.FAIL: "failed",
}


def trials_of(study: optuna.Study) -> list[Trial]:
    """All trials of a study, the oldest first."""
    return [Trial.of(trial) for trial in study.get_trials(deepcopy=False)]


def best_of_trials(trials: Sequence[Trial]) -> Trial | None:
    """The complete trial of highest validation accuracy, the earlier of equals; None where none is complete."""
    complete = [trial for trial in trials if trial.state == "complete" and trial.accuracy is not None]
    return max(complete, key=lambda trial: trial.accuracy or 0.0, default=None)


def importances(trials: Sequence[Trial], study: optuna.Study) -> dict[str, float]:
    """How much each hyperparameter decides whether a trial is among the best; they add up to 1.

    PED-ANOVA (Watanabe et al., "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
    subspaces", 2023) compares where the best trials lie with where all do, and asks for nothing but their
    order. So trials that were stopped early count as well: below all that got further, which is how
    successive halving ranks them.

    Returns:
        The most important first; nothing where fewer than 10 trials are finished.
    """
    ranked = optuna.create_study(direction="maximize")
    frozen = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    furthest = max((trial.epochs for trial in trials), default=0)
    finished = [trial for trial in trials if trial.finished and trial.accuracy is not None]
    if len(finished) < FEWEST_FOR_IMPORTANCE:
        return {}
    for trial in finished:
        depth = furthest if trial.state == "complete" else trial.epochs
        ranked.add_trial(
            optuna.create_trial(
                value=depth + (trial.accuracy or 0.0),
                params=trial.parameters,
                distributions=frozen[trial.number].distributions,
            )
        )
    # A tenth are the best, but no fewer than 5, below which their whereabouts say little.
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=max(0.1, min(0.5, 5 / len(finished))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a value that only one trial had
        return optuna.importance.get_param_importances(ranked, evaluator=evaluator)


FEWEST_FOR_IMPORTANCE = 10
