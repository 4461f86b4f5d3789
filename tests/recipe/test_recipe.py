"""A recipe: checked where it is built, unchangeable afterwards, to TOML and back without loss."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from honshi.errors import RecipeError
from honshi.recipe import (
    AdamOptions,
    AugmentOptions,
    CNNOptions,
    ConstantOptions,
    CosineOptions,
    CrossEntropyOptions,
    DataOptions,
    MLPOptions,
    MuonOptions,
    OneCycleOptions,
    Options,
    Recipe,
    SGDOptions,
    StepOptions,
    TrainingOptions,
    TTAOptions,
    built_in,
    kinds,
)

positive = st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False)
not_negative = st.floats(min_value=0, allow_infinity=False, allow_nan=False)
finite = st.floats(allow_infinity=False, allow_nan=False)
between_0_and_1 = st.floats(0, 1, exclude_min=True, exclude_max=True)
fraction = st.floats(0, 1, exclude_max=True)
count = st.integers(min_value=1)
members = st.integers(1, 100)
seed = st.integers(0, 2**63 - 1)


def tuples(of: st.SearchStrategy[Any], min_size: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, min_size=min_size, max_size=4).map(tuple)


def sgd(momentum: float, **options: Any) -> SGDOptions:
    return SGDOptions(momentum=momentum, **{**options, "nesterov": options["nesterov"] and momentum > 0})


def training(ema: float | None, swa: float | None, **options: Any) -> TrainingOptions:
    return TrainingOptions(ema=ema, swa=swa if ema is None else None, **options)


def cnn(stages: list[tuple[int, int]], residual: bool, **options: Any) -> CNNOptions:
    widths, layers = zip(*stages, strict=True)
    return CNNOptions(widths=widths, residual=layers if residual else (), **options)


recipes = st.builds(
    Recipe,
    name=st.text("azAZ09_.+-ü本試", min_size=1, max_size=80),
    data=st.builds(
        DataOptions,
        source=st.text(),
        val=between_0_and_1,
        seed=seed,
        subset=st.none() | count,
        normalize=st.just("train") | st.tuples(finite, positive),
    ),
    augment=st.builds(
        AugmentOptions,
        shift=fraction,
        rotate=st.floats(0, 180),
        scale=fraction,
        shear=st.floats(0, 60),
        elastic=st.floats(0, 100),
        erase=st.floats(0, 1),
        flip=st.booleans(),
        mixup=not_negative,
    ),
    model=st.builds(MLPOptions, hidden=tuples(count), dropout=fraction, batch_norm=st.booleans(), members=members)
    | st.builds(
        cnn,
        stages=st.lists(st.tuples(count, st.integers(min_value=0)), min_size=1, max_size=4),
        residual=st.booleans(),
        stem=st.sampled_from(["pool", "stride"]),
        dropout=fraction,
        members=members,
    ),
    tta=st.builds(TTAOptions, shift=st.integers(min_value=0), flip=st.booleans()),
    loss=st.builds(
        CrossEntropyOptions,
        label_smoothing=fraction,
        class_weights=st.none() | st.just("balanced") | tuples(not_negative),
    ),
    optimizer=st.builds(sgd, lr=positive, momentum=fraction, nesterov=st.booleans(), weight_decay=not_negative)
    | st.builds(
        AdamOptions,
        kind=st.sampled_from(["adam", "adamw"]),
        lr=positive,
        betas=st.tuples(fraction, fraction),
        weight_decay=not_negative,
    )
    | st.builds(MuonOptions, lr=positive, adam_lr=positive, momentum=fraction, weight_decay=not_negative),
    schedule=st.builds(ConstantOptions, warmup_epochs=not_negative)
    | st.builds(StepOptions, every=count, gamma=st.floats(0, 1, exclude_min=True), warmup_epochs=not_negative)
    | st.builds(CosineOptions, floor=fraction, warmup_epochs=not_negative)
    | st.builds(OneCycleOptions, rise=between_0_and_1),
    training=st.builds(
        training,
        ema=st.none() | between_0_and_1,
        swa=st.none() | between_0_and_1,
        precision=st.sampled_from(["float32", "bfloat16", "auto"]),
        epochs=count,
        batch_size=count,
        seed=seed,
        device=st.text(),
        patience=st.none() | count,
        min_delta=not_negative,
        restore_best=st.booleans(),
        clip_grad_norm=st.none() | positive,
        remeasure_train=st.booleans(),
    ),
)

# Whatever a TOML document can hold, under keys of which many mean something.
keys = st.sampled_from(["name", "data", "model", "optimizer", "schedule", "training", "kind", "lr", "seed"]) | st.text()
values = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.dates() | st.sampled_from(["mlp", "sgd", "train"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


def problem_of(toml: str) -> str:
    """What is said of a recipe that does not hold together."""
    with pytest.raises(RecipeError) as caught:
        Recipe.from_toml(toml, "my.toml")
    message = str(caught.value)
    assert message.startswith("my.toml: ")
    return message.removeprefix("my.toml: ")


class TestToTOMLAndBack:
    @given(recipe=recipes)
    def test_nothing_is_lost(self, recipe: Recipe) -> None:
        assert Recipe.from_toml(recipe.to_toml()) == recipe

    @given(recipe=recipes)
    def test_every_option_that_has_a_value_is_written_out(self, recipe: Recipe) -> None:
        tables = tomllib.loads(recipe.to_toml())
        assert tables.pop("name") == recipe.name
        for part, table in tables.items():
            assert set(table) == {option for option, value in getattr(recipe, part) if value is not None}

    def test_an_empty_document_is_the_default_recipe(self) -> None:
        assert Recipe.from_toml("") == Recipe()

    def test_whole_numbers_will_do_where_a_number_is_wanted(self) -> None:
        optimizer = Recipe.from_toml("optimizer.lr = 1").optimizer
        assert optimizer.lr == 1.0
        assert isinstance(optimizer.lr, float)


class TestBuiltIn:
    @pytest.mark.parametrize("name", built_in())
    def test_every_built_in_recipe_reads_and_has_the_name_of_its_file(self, name: str) -> None:
        assert Recipe.read(name).name == name

    def test_the_lectures_are_there(self) -> None:
        assert {"lecture", "lecture-as-printed", "lecture-table"} <= set(built_in())

    def test_lecture_is_the_lecture_with_a_rate_at_which_sgd_gets_there(self) -> None:
        assert Recipe.read("lecture") == Recipe(
            name="lecture",
            data=DataOptions(source="mnist", val=0.1, seed=0, subset=None, normalize=(0.5, 0.5)),
            model=MLPOptions(hidden=(128, 64), dropout=0.0, batch_norm=False),
            loss=CrossEntropyOptions(label_smoothing=0.0, class_weights=None),
            optimizer=SGDOptions(lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0),
            schedule=ConstantOptions(warmup_epochs=0.0),
            training=TrainingOptions(epochs=10, batch_size=64, seed=0, patience=None, restore_best=True),
        )

    def test_the_other_two_differ_from_it_in_the_optimizer_alone(self) -> None:
        lecture = Recipe.read("lecture")
        assert Recipe.read("lecture-as-printed") == lecture.changed(
            {"name": "lecture-as-printed", "optimizer.lr": 0.001}
        )
        assert Recipe.read("lecture-table") == lecture.changed({"name": "lecture-table", "optimizer.kind": "adam"})
        assert Recipe.read("lecture-table").optimizer.lr == 0.001


class TestReading:
    def test_a_path_is_read_as_a_file(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text('name = "mine"\ndata.source = "idx:データ"', "utf-8")
        assert Recipe.read(str(path)) == Recipe(name="mine", data=DataOptions(source="idx:データ"))

    def test_a_toml_file_in_the_working_directory_needs_no_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("lecture.toml").write_text("training.epochs = 3", "utf-8")
        assert Recipe.read("lecture.toml").training.epochs == 3
        assert Recipe.read("lecture").training.epochs == 10

    def test_an_unknown_name_leads_to_the_nearest_recipe(self) -> None:
        with pytest.raises(RecipeError, match=r"no recipe called 'lectrue'\. Did you mean 'lecture'\?"):
            Recipe.read("lectrue")

    def test_a_name_like_no_recipe_gets_the_list(self) -> None:
        with pytest.raises(RecipeError, match=r"no recipe called 'zzz'\. Built in are .*lecture-table.*\.toml"):
            Recipe.read("zzz")

    @pytest.mark.parametrize("name", ["missing.toml", "sub/missing"])
    def test_a_missing_file_is_named(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(RecipeError, match=rf"{name}: the recipe cannot be read: .*No such file"):
            Recipe.read(str(tmp_path / name))

    def test_a_folder_is_no_recipe(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError, match=r"the recipe cannot be read"):
            Recipe.read(str(tmp_path))

    def test_a_binary_file_is_no_recipe(self, tmp_path: Path) -> None:
        path = tmp_path / "weights.toml"
        path.write_bytes(b"\x89PNG\r\n\xff\xfe")
        with pytest.raises(RecipeError, match=r"weights\.toml: the recipe cannot be read"):
            Recipe.read(str(path))

    def test_a_broken_file_is_named_with_the_line(self, tmp_path: Path) -> None:
        path = tmp_path / "mine.toml"
        path.write_text('name = "mine"\n[model\n', "utf-8")
        with pytest.raises(RecipeError, match=r"mine\.toml: this is not TOML: .*line 2"):
            Recipe.read(str(path))


class TestWhatDoesNotHoldTogether:
    @pytest.mark.parametrize(
        ("toml", "sentence"),
        [
            ("modle = 1", "unknown key 'modle'. Did you mean 'model'? Known there: name, data, augment, model,"),
            ("data.sorce = 'mnist'", "unknown key 'data.sorce'. Did you mean 'source'?"),
            ("model.hiden = [1]", "unknown key 'model.hiden'. Did you mean 'hidden'? Known there: kind, members,"),
            ("model = {kind = 'cnn', width = [1]}", "unknown key 'model.width'. Did you mean 'widths'?"),
            ("loss.smoothing = 0.1", "unknown key 'loss.smoothing'. Did you mean 'label_smoothing'?"),
            ("optimizer.learning_rate = 0.1", "unknown key 'optimizer.learning_rate'. Known there: kind, lr,"),
            ("optimizer = {kind = 'adam', beta = 0.9}", "unknown key 'optimizer.beta'. Did you mean 'betas'?"),
            ("optimizer = {kind = 'adam', momentum = 0.9}", "unknown key 'optimizer.momentum'."),
            ("schedule = {kind = 'step', gama = 0.5}", "unknown key 'schedule.gama'. Did you mean 'gamma'?"),
            ("training.epoch = 3", "unknown key 'training.epoch'. Did you mean 'epochs'?"),
            ("training.emma = 0.9", "unknown key 'training.emma'. Did you mean 'ema'?"),
            ("augment.rotation = 10", "unknown key 'augment.rotation'. Did you mean 'rotate'?"),
            ("tta.shifts = 1", "unknown key 'tta.shifts'. Did you mean 'shift'?"),
            ("model.member = 3", "unknown key 'model.member'. Did you mean 'members'?"),
        ],
    )
    def test_an_unknown_key_leads_to_the_nearest(self, toml: str, sentence: str) -> None:
        assert problem_of(toml).startswith(sentence)

    @pytest.mark.parametrize(
        ("toml", "sentence"),
        [
            ("optimizer.kind = 'sdg'", "optimizer.kind is 'sdg'; it can be 'sgd', 'adam', 'adamw', 'muon', 'path'."),
            ("schedule.kind = 1", "schedule.kind is '1'; it can be 'constant', 'step', 'cosine', 'one-cycle'."),
            ("loss.kind = 'mse'", "loss.kind: input should be 'cross-entropy' (it is 'mse')."),
        ],
    )
    def test_an_unknown_kind_gets_the_list(self, toml: str, sentence: str) -> None:
        assert problem_of(toml) == sentence

    def test_so_does_an_unknown_kind_of_model_whatever_kinds_there_are(self) -> None:
        known = ", ".join(map(repr, kinds()))
        assert problem_of("model.kind = 'rnn'") == f"model.kind is 'rnn'; it can be {known}."
        assert known.startswith("'mlp', 'cnn'")

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("name", "''"),
            ("name", "'two words'"),
            ("name", "'a/b'"),
            ("name", "1"),
            ("data.source", "1"),
            ("data.val", "0"),
            ("data.val", "1.0"),
            ("data.val", "true"),
            ("data.subset", "0"),
            ("data.subset", "1.5"),
            ("data.seed", "-1"),
            ("data.seed", str(2**63)),
            ("data.normalize", "'val'"),
            ("data.normalize", "[0.5]"),
            ("data.normalize", "[0.5, 0]"),
            ("data.normalize", "[0.5, 0.5, 0.5]"),
            ("data.normalize", "[nan, 0.5]"),
            ("model", "'cnn'"),
            ("model", "[1]"),
            ("model.hidden", "128"),
            ("model.hidden", "[0]"),
            ("model.hidden", "['128']"),
            ("model.dropout", "1"),
            ("model.dropout", "-0.1"),
            ("model.batch_norm", "1"),
            ("model.batch_norm", "'true'"),
            ("loss.label_smoothing", "1.0"),
            ("loss.class_weights", "'balance'"),
            ("loss.class_weights", "[-1.0]"),
            ("optimizer.lr", "0"),
            ("optimizer.lr", "-0.1"),
            ("optimizer.lr", "'0.1'"),
            ("optimizer.lr", "true"),
            ("optimizer.lr", "inf"),
            ("optimizer.lr", "nan"),
            ("optimizer.lr", "1" + "0" * 400),
            ("optimizer.momentum", "1.0"),
            ("optimizer.weight_decay", "-1"),
            ("schedule.warmup_epochs", "-1"),
            ("schedule.warmup_epochs", "inf"),
            ("training", "10"),
            ("training.epochs", "0"),
            ("training.epochs", "1.0"),
            ("training.epochs", "'10'"),
            ("training.epochs", "true"),
            ("training.batch_size", "0"),
            ("training.device", "0"),
            ("training.patience", "0"),
            ("training.restore_best", "'no'"),
            ("training.clip_grad_norm", "0"),
            ("training.ema", "1"),
            ("training.ema", "0"),
            ("training.swa", "0"),
            ("training.swa", "1.5"),
            ("training.precision", "'float16'"),
            ("augment", "true"),
            ("augment.shift", "1"),
            ("augment.rotate", "181"),
            ("augment.rotate", "-5"),
            ("augment.scale", "1.0"),
            ("augment.shear", "90"),
            ("augment.elastic", "-1"),
            ("augment.erase", "1.5"),
            ("augment.flip", "1"),
            ("augment.mixup", "inf"),
            ("model.members", "0"),
            ("tta.shift", "0.1"),
            ("tta.shift", "-1"),
        ],
    )
    def test_a_value_out_of_place_is_named_by_its_key(self, key: str, value: str) -> None:
        assert problem_of(f"{key} = {value}").startswith((f"{key}: ", f"{key}.0: ", f"{key}.1: "))

    @pytest.mark.parametrize(
        ("toml", "sentence"),
        [
            ("optimizer.nesterov = true", "optimizer: nesterov needs a momentum above 0, 0.9 for example."),
            ("model = {kind = 'cnn', widths = []}", "model.widths: "),
            ("training = {ema = 0.9, swa = 0.5}", "training: ema and swa are two averages of the same weights"),
            ("optimizer = {kind = 'adam', betas = [0.9]}", "optimizer.betas.1: "),
            ("schedule = {kind = 'step', gamma = 2}", "schedule.gamma: "),
            ("schedule = {kind = 'one-cycle', rise = 1}", "schedule.rise: "),
        ],
    )
    def test_so_is_one_that_its_kind_alone_refuses(self, toml: str, sentence: str) -> None:
        assert problem_of(toml).startswith(sentence)

    def test_all_problems_are_named_at_once(self) -> None:
        problem = problem_of("training = {epochs = 0, batchsize = 1}\nmodel.dropout = 2")
        for words in ("training.epochs: ", "unknown key 'training.batchsize'", "model.dropout: "):
            assert words in problem

    @pytest.mark.parametrize(
        "toml", ["x =", "[a", "= 1", "x = 1\nx = 2", "\x00", f"x = {'9' * 5000}", "x = " + "[" * 5000]
    )
    def test_what_is_not_toml_is_called_so(self, toml: str) -> None:
        assert problem_of(toml).startswith("this is not TOML: ")

    @given(text=st.text())
    def test_any_text_is_a_recipe_or_a_recipe_error(self, text: str) -> None:
        try:
            recipe = Recipe.from_toml(text)
        except RecipeError:
            return
        assert Recipe.from_toml(recipe.to_toml()) == recipe

    @given(tables=st.dictionaries(keys, values, max_size=4))
    def test_any_tables_are_a_recipe_or_a_recipe_error(self, tables: dict[str, Any]) -> None:
        try:
            recipe = Recipe.from_dict(tables)
        except RecipeError:
            return
        assert Recipe.from_toml(recipe.to_toml()) == recipe


class TestFrozen:
    @pytest.mark.parametrize(
        ("part", "option"), [("data", "val"), ("model", "hidden"), ("optimizer", "lr"), ("training", "epochs")]
    )
    def test_no_option_can_be_set_afterwards(self, part: str, option: str) -> None:
        options: Options = getattr(Recipe(), part)
        with pytest.raises(ValidationError, match="frozen"):
            setattr(options, option, 1)

    def test_no_part_can_be_exchanged_afterwards(self) -> None:
        with pytest.raises(ValidationError, match="frozen"):
            Recipe().model = CNNOptions()


class TestChanged:
    @given(recipe=recipes)
    def test_no_changes_give_the_same_recipe(self, recipe: Recipe) -> None:
        assert recipe.changed({}) == recipe

    def test_the_named_keys_differ_and_the_others_stay(self) -> None:
        recipe = Recipe.read("mlp")
        changed = recipe.changed({"training.epochs": 3, "optimizer.lr": 0.5, "name": "mine"})
        assert (changed.training.epochs, changed.optimizer.lr, changed.name) == (3, 0.5, "mine")
        assert changed.changed({"training.epochs": 15, "optimizer.lr": 0.004, "name": "mlp"}) == recipe

    def test_the_recipe_itself_stays_as_it_was(self) -> None:
        recipe = Recipe()
        recipe.changed({"training.epochs": 3})
        assert recipe == Recipe()

    def test_parts_built_in_python_keep_their_kind(self) -> None:
        recipe = Recipe(model=CNNOptions(), optimizer=AdamOptions(), schedule=OneCycleOptions())
        changed = recipe.changed({"training.epochs": 3})
        assert (changed.model, changed.optimizer, changed.schedule) == (
            recipe.model,
            recipe.optimizer,
            recipe.schedule,
        )

    def test_another_kind_drops_the_options_of_the_old_one(self) -> None:
        recipe = Recipe(optimizer=SGDOptions(lr=0.3, momentum=0.9))
        assert recipe.changed({"optimizer.kind": "adam"}).optimizer == AdamOptions()

    def test_the_same_kind_keeps_them(self) -> None:
        recipe = Recipe(optimizer=SGDOptions(lr=0.3, momentum=0.9))
        assert recipe.changed({"optimizer.kind": "sgd"}) == recipe

    @pytest.mark.parametrize("kind_first", [True, False])
    def test_options_for_the_new_kind_may_come_before_or_after_it(self, kind_first: bool) -> None:
        changes = {"optimizer.kind": "adamw", "optimizer.lr": 0.01}
        if not kind_first:
            changes = dict(reversed(changes.items()))
        assert Recipe.read("lecture").changed(changes).optimizer == AdamOptions(kind="adamw", lr=0.01)

    def test_an_option_can_be_taken_back(self) -> None:
        assert Recipe(data=DataOptions(subset=100)).changed({"data.subset": None}) == Recipe()

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"training.epoch": 3}, "options: unknown key 'training.epoch'. Did you mean 'epochs'?"),
            ({"trainig.epochs": 3}, "options: unknown key 'trainig'. Did you mean 'training'?"),
            ({"epochs": 3}, "options: unknown key 'epochs'."),
            ({"": 3}, "options: unknown key ''."),
            ({"optimizer.lr": math.nan}, "options: optimizer.lr: "),
            ({"model.kind": "cnn", "model.hidden": [3]}, "options: unknown key 'model.hidden'."),
            ({"training.epochs.first": 3}, "training.epochs.first: epochs is a value, not a table of options."),
            ({"training": 3}, "options: training: "),
            ({"data.source": "idx:/d\udcff"}, r"""options: in 'source = "idx:/d\udcff"' is a name that is not UTF-8"""),
        ],
    )
    def test_a_change_that_does_not_hold_together_is_refused(self, changes: dict[str, Any], sentence: str) -> None:
        with pytest.raises(RecipeError) as caught:
            Recipe().changed(changes)
        assert str(caught.value).startswith(sentence)
