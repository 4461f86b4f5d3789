"""A recipe is one experiment as one value: data, model, loss, optimizer, schedule, training.

It is checked where it is built, cannot be changed afterwards, and goes to TOML and back without
loss. Each part's options are named as the field names them. A part that can be one of several
things says which by its ``kind``.
"""

from __future__ import annotations

import tomllib
import types
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, Union, get_args, get_origin

import tomli_w
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from honshi.errors import RecipeError
from honshi.ranges import Choices, Range, Sizes, SpaceEntry, Strength, nearest

# Numbers as TOML writes them: a string or a boolean is not one.
Int = Annotated[int, Field(strict=True)]
Float = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[Float, Field(gt=0)]
NotNegative = Annotated[Float, Field(ge=0)]
Fraction = Annotated[Float, Field(ge=0, lt=1)]
Count = Annotated[Int, Field(ge=1)]
Members = Annotated[Int, Field(ge=1, le=100)]
Seed = Annotated[Int, Field(ge=0, lt=2**63)]
Flag = Annotated[bool, Field(strict=True)]
Probability = Annotated[Float, Field(ge=0, le=1)]


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataOptions(Options):
    """``source`` as ``--data`` takes it; ``seed`` is that of the split, apart from the training's.

    ``drop_leaks``: train without the images that are in the validation or the test set as well.
    """

    source: str = "mnist"
    val: Annotated[Float, Field(gt=0, lt=1)] = 0.1
    seed: Seed = 0
    subset: Count | None = None
    drop_leaks: Flag = False
    # Measured on the training part, or fixed as (mean, deviation).
    normalize: Literal["train"] | tuple[Float, Positive] = "train"


class AugmentOptions(Options):
    """How training images are changed at random; all off by default, see `honshi.data.augment`.

    ``shift`` as a fraction of the side, ``rotate`` and ``shear`` in degrees, ``scale`` 0.1 for 0.9 to 1.1,
    ``elastic`` in pixels: each the largest, either way. ``erase`` is a probability, ``mixup`` the alpha of a
    Beta distribution.
    """

    shift: Fraction = 0.0
    rotate: Annotated[Float, Field(ge=0, le=180)] = 0.0
    scale: Fraction = 0.0
    shear: Annotated[Float, Field(ge=0, le=60)] = 0.0
    elastic: Annotated[Float, Field(ge=0, le=100)] = 0.0
    erase: Probability = 0.0
    flip: Flag = False
    mixup: NotNegative = 0.0


class MLPOptions(Options):
    """``members``: so many networks that are trained side by side and answer together."""

    kind: Literal["mlp"] = "mlp"
    hidden: tuple[Count, ...] = (128, 64)
    dropout: Fraction = 0.0
    batch_norm: Flag = False
    members: Members = 1


class CNNOptions(Options):
    """``widths`` are the channels of each stage; a stage halves the image. ``members`` as for the MLP.

    ``residual``: so many residual layers more in each stage; none where left out. ``stem``: how the first
    stage halves the image, by pooling or by a 5x5 convolution of stride 2, which costs a fifth.
    """

    kind: Literal["cnn"] = "cnn"
    widths: Annotated[tuple[Count, ...], Field(min_length=1)] = (16, 32, 64)
    residual: tuple[Annotated[Int, Field(ge=0)], ...] = ()
    stem: Literal["pool", "stride"] = "pool"
    dropout: Fraction = 0.0
    members: Members = 1

    @model_validator(mode="after")
    def _residual_for_each_stage(self) -> Self:
        if self.residual and len(self.residual) != len(self.widths):
            raise ValueError(
                f"residual has a number for each of the {len(self.widths)} stages of widths, or is left out"
            )
        return self


class TTAOptions(Options):
    """Test-time augmentation: answer by the mean over shifted (in pixels) and mirrored copies of an image."""

    shift: Annotated[Int, Field(ge=0)] = 0
    flip: Flag = False


class CrossEntropyOptions(Options):
    """``class_weights``: "balanced" weighs a class by the inverse of its frequency."""

    kind: Literal["cross-entropy"] = "cross-entropy"
    label_smoothing: Fraction = 0.0
    class_weights: Literal["balanced"] | tuple[NotNegative, ...] | None = None


class SGDOptions(Options):
    kind: Literal["sgd"] = "sgd"
    lr: Positive = 0.1
    momentum: Fraction = 0.0
    nesterov: Flag = False
    weight_decay: NotNegative = 0.0

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0, 0.9 for example")
        return self


class AdamOptions(Options):
    """Adam, and AdamW whose weight decay is decoupled from the gradient."""

    kind: Literal["adam", "adamw"] = "adam"
    lr: Positive = 0.001
    betas: tuple[Fraction, Fraction] = (0.9, 0.999)
    weight_decay: NotNegative = 0.0


class MuonOptions(Options):
    """Muon for matrices and filters at ``lr``; Adam for the last layer, biases and norms at ``adam_lr``."""

    kind: Literal["muon"] = "muon"
    lr: Positive = 0.05
    adam_lr: Positive = 0.005
    momentum: Fraction = 0.9
    weight_decay: NotNegative = 0.0


class ConstantOptions(Options):
    kind: Literal["constant"] = "constant"
    warmup_epochs: NotNegative = 0.0


class StepOptions(Options):
    """The rate is multiplied by ``gamma`` after every ``every`` epochs."""

    kind: Literal["step"] = "step"
    every: Count = 5
    gamma: Annotated[Positive, Field(le=1)] = 0.1
    warmup_epochs: NotNegative = 0.0


class CosineOptions(Options):
    """Half a cosine from the rate down to ``floor`` times it."""

    kind: Literal["cosine"] = "cosine"
    floor: Fraction = 0.0
    warmup_epochs: NotNegative = 0.0


class OneCycleOptions(Options):
    """Linear up to the rate over the first ``rise`` of all steps, then linear down to almost 0."""

    kind: Literal["one-cycle"] = "one-cycle"
    rise: Annotated[Float, Field(gt=0, lt=1)] = 0.25


class TrainingOptions(Options):
    """How the loop runs.

    ``patience``: stop after so many epochs without a validation loss lower by ``min_delta``.
    ``restore_best``: end with the weights of the epoch of lowest validation loss, else of the last.
    ``remeasure_train``: measure the training part again after each epoch in eval mode, so that
    dropout and the epoch's own progress do not blur the comparison with validation.
    ``ema``, ``swa``: keep the average of the weights along the way, fading by this factor a step, or even
    over this last part of all steps.
    ``precision``: of what a training step computes; the weights stay float32.
    """

    epochs: Count = 10
    batch_size: Count = 64
    seed: Seed = 0
    device: str = "auto"
    patience: Count | None = None
    min_delta: NotNegative = 0.0
    restore_best: Flag = True
    clip_grad_norm: Positive | None = None
    remeasure_train: Flag = False
    ema: Annotated[Float, Field(gt=0, lt=1)] | None = None
    swa: Annotated[Float, Field(gt=0, le=1)] | None = None
    precision: Literal["float32", "bfloat16"] = "float32"

    @model_validator(mode="after")
    def _one_average(self) -> Self:
        if self.ema is not None and self.swa is not None:
            raise ValueError("ema and swa are two averages of the same weights: choose one")
        return self


class TuneOptions(Options):
    """What ``honshi tune`` searches: keys of the recipe, and for each what it may be, see `honshi.ranges`."""

    space: dict[str, SpaceEntry] = Field(min_length=1)


ModelOptions = Annotated[MLPOptions | CNNOptions, Field(discriminator="kind")]
LossOptions = CrossEntropyOptions
OptimizerOptions = Annotated[SGDOptions | AdamOptions | MuonOptions, Field(discriminator="kind")]
ScheduleOptions = Annotated[
    ConstantOptions | StepOptions | CosineOptions | OneCycleOptions, Field(discriminator="kind")
]


DEFAULT_KINDS = {"model": "mlp", "optimizer": "sgd", "schedule": "constant"}


class Recipe(Options):
    """Everything needed to repeat a training.

    Raises:
        RecipeError: by `from_toml`, `read` and `changed`, when something does not hold together; the
            message names the key, and the nearest one that exists.
    """

    name: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[\w.+-]+$")] = "custom"
    data: DataOptions = DataOptions()
    augment: AugmentOptions = AugmentOptions()
    model: ModelOptions = MLPOptions()
    tta: TTAOptions = TTAOptions()
    loss: LossOptions = CrossEntropyOptions()
    optimizer: OptimizerOptions = SGDOptions()
    schedule: ScheduleOptions = ConstantOptions()
    training: TrainingOptions = TrainingOptions()
    tune: TuneOptions | None = None

    @model_validator(mode="before")
    @classmethod
    def _default_kinds(cls, tables: Any) -> Any:
        """A table that does not say its kind is of the default one."""
        if not isinstance(tables, dict):
            return tables
        filled = dict(tables)
        for part, kind in DEFAULT_KINDS.items():
            if isinstance(filled.get(part), dict):
                filled[part] = {"kind": kind, **filled[part]}
        return filled

    @model_validator(mode="after")
    def _every_end_of_the_space_holds(self) -> Self:
        """Each value at an end of the space, alone, makes a valid recipe."""
        if self.tune is None:
            return self
        plain = self.model_copy(update={"tune": None})
        for key, entry in self.tune.space.items():
            if key.split(".")[0] in ("name", "data", "tune") or key in ("training.seed", "training.device"):
                raise ValueError(f"tune.space, {key!r}: this stays the same for all trials of a search")
            for changes in _ends(plain, self.tune.space, key, entry):
                try:
                    plain.changed(changes)
                except RecipeError as error:
                    raise ValueError(
                        f"tune.space, {key!r}: {str(error).removeprefix('options: ').rstrip('.')}"
                    ) from None
        return self

    @classmethod
    def from_dict(cls, tables: Mapping[str, Any], where: str = "recipe") -> Self:
        """Build a recipe from nested tables; ``where`` is named in errors."""
        try:
            return cls.model_validate(tables)
        except ValidationError as error:
            raise RecipeError(f"{where}: {_explain(error)}") from None

    @classmethod
    def from_toml(cls, text: str, where: str = "recipe") -> Self:
        """Build a recipe from TOML."""
        try:
            tables = tomllib.loads(text)
        # What tomllib raises itself is a ValueError, and so is a number of too many digits.
        except (ValueError, RecursionError) as error:
            raise RecipeError(f"{where}: this is not TOML: {error}.") from None
        return cls.from_dict(tables, where)

    @classmethod
    def read(cls, name_or_path: str) -> Self:
        """A built-in recipe by name, or one from a ``.toml`` file."""
        path = Path(name_or_path)
        if path.suffix == ".toml" or path.parent != Path():
            try:
                return cls.from_toml(path.read_text("utf-8"), str(path))
            except (OSError, UnicodeDecodeError) as error:
                raise RecipeError(f"{path}: the recipe cannot be read: {error}.") from None
        if name_or_path in built_in():
            text = (resources.files("honshi") / "recipes" / f"{name_or_path}.toml").read_text("utf-8")
            return cls.from_toml(text, f"recipe {name_or_path}")
        raise RecipeError(
            f"There is no recipe called {name_or_path!r}.{nearest(name_or_path, built_in())} "
            f"Built in are {', '.join(built_in())}; a recipe of your own is a path that ends in .toml."
        )

    def to_toml(self) -> str:
        """The recipe as TOML with every option written out; `from_toml` gives an equal one."""
        return tomli_w.dumps(self.model_dump(exclude_none=True))

    def changed(self, changes: Mapping[str, Any]) -> Self:
        """A recipe that differs in some keys, ``{"optimizer.lr": 0.01, "training.epochs": 3}``.

        Where a ``kind`` changes, the options that belonged to the old kind go with it.
        """
        tables = self.model_dump(exclude_none=True)
        # Kinds first: what they discard must not be what another change has just set.
        for key in sorted(changes, key=lambda key: not key.endswith(".kind")):
            value = changes[key]
            *parents, leaf = key.split(".")
            table = tables
            for parent in parents:
                table = table.setdefault(parent, {})
                if not isinstance(table, dict):
                    raise RecipeError(f"{key}: {parent} is a value, not a table of options.")
            part = getattr(self, parents[0], None) if parents else None
            if leaf == "kind" and value != getattr(part, "kind", None):
                table.clear()
            table[leaf] = value
        return self.from_dict(tables, "options")


def built_in() -> list[str]:
    """The names of the recipes that ship with honshi."""
    folder = resources.files("honshi") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def _ends(recipe: Recipe, space: Mapping[str, Any], key: str, entry: Any) -> list[dict[str, Any]]:
    """The changes of a recipe at the ends of one entry of its space, for each kind that the part may be of."""
    part = key.split(".")[0]
    chooses = space.get(f"{part}.kind")
    own = getattr(getattr(recipe, part, None), "kind", None)
    kinds = chooses.choices if isinstance(chooses, Choices) else (own,)
    match entry:
        case Range():
            values: list[Any] = [entry.low, entry.high]
        case Choices():
            values = list(entry.choices)
        case Sizes():
            values = [[size] * entry.layers[1] for size in (entry.low, entry.high)] + [[entry.low] * entry.layers[0]]
        case Strength():
            return [{f"{key}.{option}": full for option, full in entry.strength.items()}]
        case _:
            return [
                {**changes, f"{part}.kind": kind}
                for kind, plain in entry.items()
                for changes in _ends(recipe, {}, key, plain)
            ]
    if key == f"{part}.kind" or kinds == (None,):
        return [{key: value} for value in values]
    return [{f"{part}.kind": kind, key: value} for kind in kinds for value in values]


def _explain(error: ValidationError) -> str:
    """All that pydantic found, one sentence each, in the words of the recipe."""
    sentences = []
    for problem in error.errors():
        *parents, leaf = location = [str(step) for step in problem["loc"]] or ["recipe"]
        options, path = _follow(parents)
        key = ".".join([*path, leaf])
        match problem["type"]:
            case "extra_forbidden":
                known = list(options.model_fields) if options else []
                sentences.append(f"unknown key {key!r}.{nearest(leaf, known)} Known there: {', '.join(known)}.")
            case "union_tag_invalid" | "union_tag_not_found":
                expected = problem.get("ctx", {}).get("expected_tags", "")
                tag = problem.get("ctx", {}).get("tag", "nothing")
                sentences.append(f"{key}.kind is {tag!r}; it can be {expected}.")
            case _:
                _, path = _follow(location)
                message = problem["msg"].removeprefix("Value error, ")
                value = problem["input"]
                place = f"{'.'.join(path) or key}: " if problem["loc"] else ""
                shown = "" if isinstance(value, dict) else f" (it is {value!r})"
                sentences.append(f"{place}{message[:1].lower()}{message[1:]}{shown}.")
    return " ".join(dict.fromkeys(sentences))


def _follow(location: list[str]) -> tuple[type[Options] | None, list[str]]:
    """The options at a place of a recipe, and its keys without pydantic's names of alternatives."""
    here: list[Any] = [Recipe]
    keys = []
    for step in location:
        fields = [
            kind.model_fields[step].annotation for kind in here if _is_options(kind) and step in kind.model_fields
        ]
        tagged = [kind for kind in here if _is_options(kind) and _tag_matches(kind, step)]
        if fields:
            keys.append(step)
            here = [alternative for annotation in fields for alternative in _alternatives(annotation)]
        elif tagged:
            here = tagged
        elif step.isdigit():
            keys.append(step)
        elif any(get_origin(kind) is dict for kind in here):
            keys.append(repr(step))
    options = here[0] if here and _is_options(here[0]) else None
    return options, keys


def _is_options(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Options)


def _tag_matches(kind: type[Options], tag: str) -> bool:
    field = kind.model_fields.get("kind")
    return field is not None and tag in get_args(field.annotation)


def _alternatives(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return list(get_args(annotation))
    return [annotation]
