"""A worker: one trial after another, until enough are finished or it is told to stop.

All workers are alike, in this process, beside it, or on another machine: they know of one another only
through the study.
"""

from __future__ import annotations

import os
import platform
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.trial import TrialState

from honshi.data import Splits
from honshi.errors import ModelError, NonFiniteLossError, RecipeError
from honshi.evaluation.history import Row, best_row
from honshi.experiment import Experiment
from honshi.recipe import Recipe
from honshi.runs import looks
from honshi.tuning.space import suggest
from honshi.tuning.study import expect_life

SECONDS_BETWEEN_LOOKS = 0.2


class StoppedError(Exception):
    """The worker was told to stop; its trial goes back to the queue."""


@dataclass(frozen=True)
class Worker:
    """What a worker needs.

    Attributes:
        study: where trials come from and go to.
        recipe: with a search space.
        splits: read once, for all trials.
        run: what looks at the validation set are written down for.
        trials: as many are to be finished in the study, by whomever; None goes on until it is stopped.
        stopped: asked at every step.
        noticed: called after every epoch and while waiting.
    """

    study: optuna.Study
    recipe: Recipe
    splits: Splits
    run: str
    trials: int | None
    stopped: Callable[[], bool]
    noticed: Callable[[], None] = lambda: None

    def work(self) -> None:
        """Train trials. An interrupted or stopped one goes back to the queue and is begun anew."""
        expected: set[int] = set()
        while not self.stopped():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ExperimentalWarning)
                optuna.storages.fail_stale_trials(self.study)
            states = {trial.number: trial.state for trial in self.study.get_trials(deepcopy=False)}
            finished = sum(state in (TrialState.COMPLETE, TrialState.PRUNED) for state in states.values())
            running = {number for number, state in states.items() if state == TrialState.RUNNING}
            if self.trials is not None and finished >= self.trials:
                return
            if self.trials is not None and finished + len(running) >= self.trials:
                # The last ones are with other workers. Should one of them die, its trial is done here.
                expect_life(self.study, running - expected)
                expected |= running
                time.sleep(SECONDS_BETWEEN_LOOKS)
            else:
                self.study.optimize(self._train, n_trials=1, catch=(StoppedError,))
            self.noticed()

    def _train(self, trial: optuna.Trial) -> float:
        """One trial: its accuracy on validation at the epoch that a run would keep."""
        rows: list[Row] = []
        trial.set_user_attr("worker", f"{platform.node()}/{os.getpid()}")

        def on_step(step: int) -> None:
            if self.stopped():
                raise StoppedError

        def on_epoch(row: Row) -> None:
            rows.append(row)
            looks.note(self.splits.manifest.val_sha256, "trial", self.run)
            trial.report(row.val_accuracy, row.epoch)
            self.noticed()
            # Late in a training there is little left to save, and a complete trial tells more.
            if 2 * row.epoch <= recipe.training.epochs and trial.should_prune():
                raise optuna.TrialPruned

        try:
            recipe = suggest(trial, self.recipe)
            result = Experiment.build(recipe, self.splits).fit(on_epoch=on_epoch, on_step=on_step)
        except (NonFiniteLossError, RecipeError, ModelError) as error:
            # Known to be bad, which the sampler learns from.
            trial.set_user_attr("problem", error.message.english)
            raise optuna.TrialPruned from error
        except (StoppedError, KeyboardInterrupt):
            self.study.enqueue_trial(trial.params)
            raise
        kept = best_row(rows) if recipe.training.restore_best else result.history[-1]
        return kept.val_accuracy
