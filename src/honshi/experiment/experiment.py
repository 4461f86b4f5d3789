"""One training: the parts that a recipe asks for, trained and written to a run folder.

This is `honshi train` without the terminal. Everything that it does with the parts is open to the
library's users too; it owns none of them.
"""

from __future__ import annotations

import importlib
import math
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from honshi import losses, models, optimizers
from honshi.data import Examples, Splits, augment
from honshi.data.copies import Leak
from honshi.data.folds import deal
from honshi.data.leak_policy import leaks_into_validation
from honshi.data.sources import lasting_name
from honshi.data.store import Reading
from honshi.errors import NonFiniteLossError, RecipeError, RunError
from honshi.evaluation import out_of_fold
from honshi.evaluation.calibration import fit_temperature
from honshi.evaluation.diagnosis import Divergence
from honshi.evaluation.evaluate import infer
from honshi.evaluation.history import Row, best_row
from honshi.evaluation.out_of_fold import OutOfFold
from honshi.experiment.finetune import finetune
from honshi.experiment.folds import FOLDS, REPEATS, FoldEnded, train_by_folds
from honshi.experiment.loading import as_wanted, load_splits
from honshi.features import Seen, see
from honshi.features.stage import frozen_in
from honshi.files import write_json
from honshi.messages import Message
from honshi.models.card import attach, needed_card
from honshi.recipe import AugmentOptions, FrozenOptions, Recipe
from honshi.runs import Run, looks
from honshi.runs.environment import describe
from honshi.runs.session import Session
from honshi.runtime import pick_device, seeded
from honshi.training import Averaging, EarlyStopping, FitResult, Stop, fit
from honshi.training.distributed import ALONE, World
from honshi.training.precision import PrecisionChoice, choose_precision
from honshi.training.state import rows_in


@dataclass(frozen=True)
class Experiment:
    """The parts that a recipe asks for, as plain torch objects on their device.

    Attributes:
        steps_per_epoch: mini-batches in an epoch.
        load_seconds: spent on reading and splitting the data.
        precision: what was chosen to compute steps in, and why; None where the recipe names it. Of several processes
            the first one's counts.
        world: the processes that train together.
    """

    recipe: Recipe
    splits: Splits[Examples]
    model: nn.Module
    criterion: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler | None
    device: torch.device
    steps_per_epoch: int
    load_seconds: float
    precision: PrecisionChoice | None = None
    world: World = ALONE

    @classmethod
    def build(
        cls,
        recipe: Recipe,
        splits: Splits[Examples] | None = None,
        world: World = ALONE,
        tell: Callable[[Reading | Message], None] | None = None,
    ) -> Self:
        """Read the data, where they are not at hand, and build the parts; ``tell`` is told how far the reading is.

        Raises:
            RequestError, DataError: the data, the device or the options do not allow it.
        """
        source = lasting_name(recipe.data.source)
        if source != recipe.data.source:
            # So that the run can be opened from another working directory.
            recipe = recipe.changed({"data.source": source})
        device = pick_device(recipe.training.device)
        world.check(recipe.training.batch_size, device)
        started = time.perf_counter()
        splits = as_wanted(splits or load_splits(recipe, tell, folds=world.size == 1), recipe.model)
        if splits.manifest.by_folds and not recipe.data.folds:
            recipe = recipe.changed({"data.folds": FOLDS, "data.repeats": REPEATS})
        load_seconds = time.perf_counter() - started
        train = splits.train
        batch_size = recipe.training.batch_size
        if recipe.model.needs_two_images(train.shape) and recipe.training.leaves_one(len(train)):
            raise RecipeError(
                "With {images:,} training images and training.batch_size {batch_size} a mini-batch has a single image, "
                "and batch norm has nothing to normalise it by: choose another batch size.",
                images=len(train),
                batch_size=batch_size,
            )
        if isinstance(recipe.model, FrozenOptions) and recipe.model.finetune and splits.manifest.by_folds:
            raise RecipeError(
                "Whether the whole network is better is decided on a validation part: leave out --folds, or --finetune."
            )
        with seeded(recipe.training.seed):
            # Drawn on the CPU, so that a seed means the same first weights on every device.
            model = models.build(recipe.model, train.shape, len(train.classes), recipe.tta).to(device)
        criterion = losses.build(recipe.loss, train.class_counts()).to(device)
        optimizer = optimizers.build(recipe.optimizer, model)
        rows = len(train) * max(1, recipe.model.kept_views(recipe.augment != AugmentOptions()))
        steps = 1 if isinstance(optimizer, optimizers.Path) else math.ceil(rows / batch_size)
        schedule = optimizers.build_schedule(recipe.schedule, optimizer, steps, recipe.training.epochs)
        precision = None
        if recipe.training.precision == "auto" and world.first:
            precision = choose_precision(model, criterion, train, batch_size)
            # So that the run is repeated, and goes on, with what it used.
            recipe = recipe.changed({"training.precision": precision.used})
        return cls(recipe, splits, model, criterion, optimizer, schedule, device, steps, load_seconds, precision, world)

    @cached_property
    def leaks(self) -> list[Leak]:
        """The validation images that are among the training images too; searched once for the same images.

        By folds there are none: copies that are known come into one fold.
        """
        if self.splits.manifest.by_folds:
            return []
        return leaks_into_validation(self.splits.train, self.splits.val)

    def see(self, on_seen: Callable[[Seen], None] | None = None) -> None:
        """Compute what a frozen backbone sees in the images, where it is not kept yet; nothing of any other model.

        Args:
            on_seen: called as it goes on.
        """
        frozen = frozen_in(self.model)
        if frozen is not None:
            see(frozen, self.splits.train, augment.build(self.recipe.augment), on_seen)
            see(frozen, self.splits.val, None, on_seen)

    def fit(
        self,
        *,
        checkpoint: Path | None = None,
        on_epoch: Callable[[Row], None] | None = None,
        on_step: Callable[[int], None] | None = None,
    ) -> FitResult:
        """Train as the recipe says, without a run folder; the arguments are those of `honshi.fit`.

        Raises:
            NonFiniteLossError: training diverged.
        """
        options = self.recipe.training
        world = ALONE if self._finetunes else self.world
        precision = world.from_first(options.precision)
        assert precision != "auto"  # the first process has chosen
        averaging = None
        if options.ema is not None or options.swa is not None:
            averaging = Averaging(ema=options.ema, swa=options.swa)
        return fit(
            self.model,
            self.criterion,
            self.optimizer,
            self.splits.train,
            self.splits.val,
            options.epochs,
            batch_size=options.batch_size,
            schedule=self.schedule,
            patience=EarlyStopping(patience=options.patience, min_delta=options.min_delta),
            restore_best=options.restore_best,
            clip_grad_norm=options.clip_grad_norm,
            augment=augment.build(self.recipe.augment),
            averaging=averaging,
            precision=precision,
            remeasure_train=options.remeasure_train,
            seed=options.seed,
            checkpoint=checkpoint,
            world=world,
            on_epoch=on_epoch,
            on_step=on_step,
            show=False,
        )

    def train(
        self,
        run: Run,
        *,
        on_begin: Callable[[int], None] | None = None,
        on_seen: Callable[[Seen], None] | None = None,
        on_fold: Callable[[FoldEnded], None] | None = None,
        on_epoch: Callable[[Row], None] | None = None,
        on_step: Callable[[int], None] | None = None,
        say: Callable[[Message], None] = lambda message: None,
    ) -> FitResult:
        """Train into a run folder, or go on with the training that was interrupted in it.

        Of several processes each calls this, and the first alone writes. A file called ``stop`` in the folder ends
        the training as Ctrl-C does.

        Args:
            run: its folder.
            on_begin: called with the number of finished epochs, once the run has begun or goes on.
            on_seen: called as features of a frozen backbone are computed.
            on_fold: called when the model of a fold has answered, where the mock exam is by folds.
            on_epoch, on_step: as for `honshi.fit`; all of them in the first process alone.
            say: called with what there is to say beside that.

        Raises:
            KeyboardInterrupt: it was stopped.
            NonFiniteLossError: training diverged; what was written up to then stays, and ``diverged.json``
                says where.
            RunError: the folder belongs to a training on other data, another process trains in it, or it is gone.
            WriteError: something cannot be written there.
        """
        with ExitStack() as stack:
            session, rows = None, list[Row]()
            with self.world.agreed():
                if self.world.first:
                    session = stack.enter_context(Session(run.path))
                    rows = self._begin(run, session)
                    if on_begin is not None:
                        on_begin(len(rows))
            if session is None:
                return self._train_beside(run)
            self.see(on_seen)
            if self.splits.manifest.by_folds:
                return self._train_by_folds(run, session, on_fold, on_epoch)
            return self._train(run, session, rows, on_epoch, on_step, say)

    @property
    def _finetunes(self) -> bool:
        """Whether the whole network is trained once its head has learnt."""
        return isinstance(self.recipe.model, FrozenOptions) and self.recipe.model.finetune

    def _train_beside(self, run: Run) -> FitResult:
        """What each process but the first does of a training."""
        result = self._from_first(None) if self._finetunes else self.fit(checkpoint=run.state)
        if result.interrupted:
            raise KeyboardInterrupt
        if self._finetunes:
            finetune(self)
        return result

    def _from_first(self, train_head: Callable[[], FitResult] | None) -> FitResult:
        """A head that the first process trains, within seconds, from what it keeps; all have its weights afterwards.

        Args:
            train_head: how, in the first process.
        """
        trained = None
        with self.world.agreed():
            if train_head is not None:
                trained = train_head(), self.model.state_dict()
        trained = self.world.from_first(trained)
        assert trained is not None
        result, weights = trained
        self.model.load_state_dict(weights)
        return result

    def _begin(self, run: Run, session: Session) -> list[Row]:
        """Freeze what a run begins with; of one that goes on, see that it is the same.

        Returns:
            The epochs that are finished.
        """
        manifest = self.splits.manifest
        if run.has_begun and not run.manifest.describes(self.splits.train, self.splits.val):
            raise RunError(
                "{run}: the data are not those that this run began with, so it cannot go on. Begin a new run.",
                run=run.path,
            )
        looks.make_room(manifest.val_sha256)
        rows = rows_in(run.state)
        session.begin(
            device=str(self.device),
            processes=self.world.size,
            epoch=len(rows) + 1,
            epochs=self.recipe.training.epochs,
            steps=self.steps_per_epoch,
        )
        run.go_on_from(rows)
        if not run.has_begun:
            run.write_start(manifest, {**describe(self.device), **self._chosen(), "processes": self.world.size})
        # To search takes seconds when it is done for the first time: the run can be found before.
        if self.leaks and not (run.path / "leaks.json").exists():
            from honshi.reports.side_by_side import draw_leaks

            draw_leaks(self.leaks, self.splits.train, self.splits.val, run.path / "leaks.png")
            write_json(run.path / "leaks.json", [asdict(leak) for leak in self.leaks])
        return rows

    def _chosen(self) -> dict[str, Any]:
        """What ``environment.json`` says of a choice that was made for this run."""
        return {} if self.precision is None else {"precision": self.precision.to_dict()}

    def _train(
        self,
        run: Run,
        session: Session,
        rows: list[Row],
        on_epoch: Callable[[Row], None] | None,
        on_step: Callable[[int], None] | None,
        say: Callable[[Message], None],
    ) -> FitResult:
        def look_for_a_stop(_step: int) -> None:
            if session.stop_asked:
                raise Stop

        def note_epoch(row: Row) -> None:
            rows.append(row)
            session.note(row)
            run.write_history(rows)
            looks.note(self.splits.manifest.val_sha256, "epoch", run.name)
            if on_epoch is not None:
                on_epoch(row)

        def note_step(step: int) -> None:
            session.at(step)
            if on_step is not None:
                on_step(step)
            if session.stop_asked:
                raise Stop

        def learn() -> FitResult:
            return self.fit(checkpoint=run.state, on_epoch=note_epoch, on_step=note_step)

        try:
            result = self._from_first(learn) if self._finetunes else learn()
        except NonFiniteLossError as error:
            session.check()
            run.write_divergence(Divergence(error.epoch, error.step, error.message.english))
            raise
        session.check()
        if result.interrupted:
            raise KeyboardInterrupt
        if self._finetunes:
            found = finetune(self, say=say, on_step=look_for_a_stop)
            looks.note(self.splits.manifest.val_sha256, "epoch", run.name)
            write_json(run.path / "finetune.json", found.to_dict())
            say(found.sentence)
        self._end(run, result)
        return result

    def _train_by_folds(
        self,
        run: Run,
        session: Session,
        on_fold: Callable[[FoldEnded], None] | None,
        on_epoch: Callable[[Row], None] | None,
    ) -> FitResult:
        """As `_train`; the epochs are told at the end, when it is known what the models of the folds had reached."""

        def look_for_a_stop(_step: int) -> None:
            if session.stop_asked:
                raise Stop

        # What draws takes half a second to load, and heads are computed outside of Python meanwhile.
        threading.Thread(target=importlib.import_module, args=("honshi.reports.curves",), daemon=True).start()
        try:
            found = train_by_folds(
                self,
                self._dealt(run),
                keep=lambda answers: answers.write(run.path),
                on_fold=on_fold or (lambda ended: None),
                on_step=look_for_a_stop,
            )
        except Stop:
            raise KeyboardInterrupt from None
        except NonFiniteLossError as error:
            session.check()
            run.write_divergence(Divergence(error.epoch, error.step, error.message.english))
            raise
        session.check()
        for row in found.result.history:
            session.note(row)
            if on_epoch is not None:
                on_epoch(row)
        # However many models there were: each image was looked at once, and one decision was made.
        looks.note(self.splits.manifest.val_sha256, "epoch", run.name)
        found.answers.write(run.path)
        criterion = losses.build(self.recipe.loss, self.splits.train.class_counts())
        run.write_folds(
            found.answers.evaluation(self.splits.train.classes, criterion), found.answers.to_dict(), found.kept
        )
        logits = found.answers.logits.flatten(0, 1)
        self._end(run, found.result, fit_temperature(logits, found.answers.labels.repeat(found.answers.repeats)))
        return found.result

    def _dealt(self, run: Run) -> OutOfFold:
        """How the images are dealt out to folds, and what was answered before the training was interrupted."""
        if (run.path / out_of_fold.FILE).exists():
            return OutOfFold.read(run.path)
        options, train = self.recipe.data, self.splits.train
        assert options.folds is not None
        folds = deal(train.labels, options.folds, options.repeats or 1, options.seed, self.splits.units)
        answers = OutOfFold.unanswered(folds, train.labels, len(train.classes), self.recipe.training.epochs)
        # Which images belong together is known now, and not where the training goes on.
        answers.write(run.path)
        return answers

    def _end(self, run: Run, result: FitResult, temperature: float | None = None) -> None:
        """The whole history, its picture, and the model with its temperature; fitted on validation where not given."""
        run.write_history(result.history)
        from honshi.reports import curves  # matplotlib is needed at the end alone, and takes a while to load

        curves.draw(result.history, run.path / "curves.png")
        if temperature is None:
            temperature = fit_temperature(*infer(self.model, self.splits.val))
        attach(self.model, replace(needed_card(self.model), temperature=temperature))
        run.write_end(self.model)

    def summary(self, run: Run, result: FitResult, total_seconds: float) -> dict[str, Any]:
        """What ``honshi train --json`` prints."""
        return {
            "run": str(run.path),
            "epochs": [row.to_dict() for row in result.history],
            "best": best_row(result.history).to_dict(),
            "seconds": {"load": self.load_seconds, **result.seconds, "total": total_seconds},
            "device": str(self.device),
            "parameters": models.parameter_count(self.model),
        }


def as_begun(recipe: Recipe, run: Run) -> Recipe:
    """A recipe with what was chosen for a run of it already, if the run has begun: its precision."""
    if recipe.training.precision != "auto" or not (run.path / "recipe.toml").exists():
        return recipe
    return recipe.changed({"training.precision": run.recipe.training.precision})
