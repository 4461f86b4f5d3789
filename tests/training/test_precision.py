"""In what steps are computed where the recipe leaves it open, and that choosing changes nothing."""

from __future__ import annotations

import copy
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import honshi
from honshi.actions.plan import Plan
from honshi.experiment import Experiment, as_begun
from honshi.experiment.seeds import Seeds
from honshi.losses import CrossEntropy
from honshi.models import CNN
from honshi.recipe import Recipe
from honshi.runs import Run
from honshi.training import precision
from honshi.training.distributed import World
from honshi.training.precision import choose_precision

OPEN = Recipe.read("cnn").changed(
    {"data.subset": 300, "training.epochs": 1, "model.widths": [8, 8], "training.precision": "auto"}
)


def with_instructions(monkeypatch: pytest.MonkeyPatch, *, there: bool = True) -> None:
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: there)


def taking(monkeypatch: pytest.MonkeyPatch, *, float32: float, bfloat16: float) -> None:
    """A machine with the instructions, whose steps take so many seconds."""
    with_instructions(monkeypatch)
    monkeypatch.setattr(precision, "_step_seconds", lambda *_: (128, {"float32": float32, "bfloat16": bfloat16}))


class TestChoice:
    def test_without_instructions_nothing_is_timed(self, mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch) -> None:
        with_instructions(monkeypatch, there=False)

        found = choose_precision(CNN(), CrossEntropy(), mnist.train, 64)

        assert (found.used, found.seconds) == ("float32", {})
        assert str(found.why) == "this CPU has no instructions for bfloat16"

    @pytest.mark.parametrize(
        ("float32", "bfloat16", "used"),
        [(0.010, 0.006, "bfloat16"), (0.010, 0.0099, "float32"), (0.010, 0.020, "float32")],
    )
    def test_with_them_it_has_to_be_clearly_quicker(
        self, mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch, float32: float, bfloat16: float, used: str
    ) -> None:
        taking(monkeypatch, float32=float32, bfloat16=bfloat16)

        found = choose_precision(CNN(), CrossEntropy(), mnist.train, 64)

        assert found.used == used
        assert f"{1000 * bfloat16:.3g} ms in bfloat16 and {1000 * float32:.3g} ms in float32" in str(found.why)

    def test_both_are_timed_on_this_very_model(self, mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch) -> None:
        with_instructions(monkeypatch)
        seen = set()

        class Noting(CrossEntropy):
            def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
                seen.add((torch.is_autocast_enabled("cpu"), tuple(logits.shape)))
                return super().forward(logits, labels)

        found = choose_precision(CNN(), Noting(), mnist.train, 32)

        assert {(False, (32, 10)), (True, (32, 10))} <= seen
        assert set(found.seconds) == {"float32", "bfloat16"}
        assert min(found.seconds.values()) > 0

    def test_of_long_steps_fewer_images_stand_for_all(
        self, mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with_instructions(monkeypatch)
        monkeypatch.setattr(precision, "LONG_SECONDS", 1e-6)

        found = choose_precision(CNN(widths=(8,)), CrossEntropy(), mnist.train, 512)

        assert f"measured with {precision.FEWEST_IMAGES} images" in str(found.why)

    def test_a_model_that_cannot_be_trained_is_left_to_the_training(
        self, mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with_instructions(monkeypatch)

        found = choose_precision(nn.Linear(3, 10), CrossEntropy(), mnist.train, 64)

        assert (found.used, str(found.why)) == ("float32", "a step could not be timed")

    def test_nothing_is_changed_by_it(self, mnist: honshi.Splits, monkeypatch: pytest.MonkeyPatch) -> None:
        with_instructions(monkeypatch)
        model = CNN(dropout=0.5).eval()
        before = copy.deepcopy(model.state_dict())
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)
        expected = torch.rand(2).tolist(), random.random(), np.random.rand()
        torch.manual_seed(3)
        random.seed(3)
        np.random.seed(3)

        choose_precision(model, CrossEntropy(), mnist.train, 64)

        assert (torch.rand(2).tolist(), random.random(), np.random.rand()) == expected
        assert not any(layer.training for layer in model.modules())
        assert all(parameter.grad is None for parameter in model.parameters())
        after = model.state_dict()
        assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


class TestTraining:
    def test_a_run_holds_what_was_chosen_and_why(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        taking(monkeypatch, float32=0.002, bfloat16=0.001)
        experiment = Experiment.build(OPEN)
        run = Run.create(experiment.recipe, tmp_path / "run")

        experiment.train(run)

        assert run.recipe.training.precision == "bfloat16"
        assert run.environment["precision"] == {
            "used": "bfloat16",
            "why": "measured with 128 images, a step takes 1 ms in bfloat16 and 2 ms in float32",
            "seconds_per_step": {"float32": 0.002, "bfloat16": 0.001},
        }
        (line,) = [line for line in Plan.of(experiment).lines if str(line.name) == "precision"]
        assert str(line.texts[0]).startswith("bfloat16: measured with 128 images")

    def test_its_recipe_repeats_it_on_a_machine_that_would_choose_otherwise(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taking(monkeypatch, float32=0.002, bfloat16=0.001)
        weights = []
        for name in ("one", "other"):
            experiment = Experiment.build(OPEN if name == "one" else Run(tmp_path / "one").recipe)
            run = Run.create(experiment.recipe, tmp_path / name)
            experiment.train(run)
            weights.append(run.model().state_dict())
            with_instructions(monkeypatch, there=False)

        assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())

    @pytest.mark.parametrize("used", ["float32", "bfloat16"])
    def test_it_trains_as_if_the_recipe_named_it(self, monkeypatch: pytest.MonkeyPatch, used: str) -> None:
        taking(monkeypatch, float32=0.002, bfloat16=0.001 if used == "bfloat16" else 0.003)

        chosen = Experiment.build(OPEN).fit().history[0]
        named = Experiment.build(OPEN.changed({"training.precision": used})).fit().history[0]

        assert (chosen.train_loss, chosen.val_loss) == (named.train_loss, named.val_loss)

    def test_a_choice_of_the_recipe_is_not_timed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("honshi.experiment.experiment.choose_precision", None)

        assert Experiment.build(OPEN.changed({"training.precision": "float32"})).precision is None

    def test_of_several_processes_the_first_chooses_for_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        taking(monkeypatch, float32=0.002, bfloat16=0.001)
        told: list[Any] = []

        def from_first(self: World, value: Any) -> Any:
            told.append((self.rank, value))
            return "bfloat16"

        monkeypatch.setattr(World, "from_first", from_first)
        used: list[str] = []
        monkeypatch.setattr("honshi.experiment.experiment.fit", lambda *_, precision, **__: used.append(precision))

        for rank in (0, 1):
            Experiment.build(OPEN, world=World(rank, 2)).fit()

        assert told == [(0, "bfloat16"), (1, "auto")]
        assert used == ["bfloat16", "bfloat16"]

    def test_what_goes_on_keeps_what_was_chosen(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        taking(monkeypatch, float32=0.002, bfloat16=0.001)
        run = Run.create(Experiment.build(OPEN).recipe, tmp_path / "run")
        with_instructions(monkeypatch, there=False)

        assert as_begun(OPEN, run) == run.recipe
        assert as_begun(OPEN, Run(tmp_path / "none")) == OPEN

    def test_all_seeds_use_what_was_chosen_for_the_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        taking(monkeypatch, float32=0.002, bfloat16=0.001)
        seeds = Seeds.begin(OPEN, 2, tmp_path / "seeds")

        seeds.train(on_seed=lambda *_: with_instructions(monkeypatch, there=False))

        assert [run.recipe.training.precision for run in seeds.runs] == ["bfloat16", "bfloat16"]
