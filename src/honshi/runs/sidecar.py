"""What a saved model says of itself in ``model.json``, read without loading torch."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from safetensors import SafetensorError, safe_open

from honshi.errors import ModelError
from honshi.files import read_bounded

if TYPE_CHECKING:
    from honshi.models.card import Card

# The names of a million classes.
MOST_BYTES = 1 << 26
# Numbers in one image: a colour photograph of 2048 x 2048 has fewer.
MOST_INPUTS = 1 << 24

_STRICT = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)
_Side = Annotated[int, Field(ge=1, le=65536)]


class _Normalization(BaseModel):
    model_config = _STRICT

    mean: tuple[Annotated[float, Field(ge=-1e3, le=1e3)], ...]
    std: tuple[Annotated[float, Field(ge=1e-9, le=1e3)], ...]


class _Scale(BaseModel):
    model_config = _STRICT

    integers: Annotated[int, Field(gt=0, lt=1 << 32)] = 65535
    floats: Annotated[float, Field(gt=0, le=1e30)] = 1.0


class Sidecar(BaseModel):
    """The content of ``model.json``.

    Attributes:
        architecture: what builds the model again, or the name of its class.
        temperature, classes: see `honshi.models.card.Card`.
        input_shape, normalization, fit, scale, background, form: see `honshi.pictures.contract.InputContract`; what
            older versions did not say is as it was for them.
        parameters: learnable numbers.
        weights_sha256: of the file of weights.
    """

    model_config = _STRICT

    architecture: dict[str, Any]
    temperature: Annotated[float, Field(ge=1e-6, le=1e6)]
    parameters: Annotated[int, Field(ge=0)]
    weights_sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    classes: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    input_shape: tuple[_Side, _Side, _Side] | None = None
    normalization: _Normalization | None = None
    fit: Literal["pad", "crop", "stretch"] = "pad"
    scale: _Scale = _Scale()
    background: Annotated[float, Field(ge=0, le=1)] | None = None
    form: Literal["mnist"] | None = None

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        if not isinstance(self.architecture.get("kind"), str):
            raise ValueError("the architecture is of no known kind")  # noqa: TRY004  # what pydantic makes a sentence of
        told = (self.classes, self.input_shape, self.normalization, self.background)
        if all(one is None for one in told):
            return self
        if self.classes is None or self.input_shape is None or self.normalization is None or self.background is None:
            raise ValueError("not all of classes, input_shape, normalization and background are there")
        if math.prod(self.input_shape) > MOST_INPUTS:
            raise ValueError(f"an image of {math.prod(self.input_shape):,} numbers is too large")
        if not len(self.normalization.mean) == len(self.normalization.std) in (1, self.input_shape[0]):
            raise ValueError("the normalization has another number of channels than the images")
        return self

    @property
    def card(self) -> Card | None:
        """What the model carries; None where it was saved without."""
        from honshi.models.card import Card
        from honshi.pictures.contract import InputContract, Normalization, Scale

        if self.classes is None or self.input_shape is None or self.normalization is None or self.background is None:
            return None
        contract = InputContract(
            shape=self.input_shape,
            normalization=Normalization(mean=self.normalization.mean, std=self.normalization.std),
            fit=self.fit,
            scale=Scale(integers=self.scale.integers, floats=self.scale.floats),
            background=self.background,
            form=self.form,
        )
        return Card(contract, self.classes, self.temperature)


def describe(card: Card) -> dict[str, Any]:
    """A card as keys of the sidecar, without its temperature, which a model without a card has as well."""
    contract = card.contract
    return {
        "classes": list(card.classes),
        "input_shape": list(contract.shape),
        "normalization": asdict(contract.normalization),
        "fit": contract.fit,
        "scale": asdict(contract.scale),
        "background": contract.background,
        "form": contract.form,
    }


def read_sidecar(path: Path) -> Sidecar:
    """What is said beside the weights in ``path``.

    Raises:
        ModelError: it cannot be read, or says what no model has.
    """
    beside = path.with_suffix(".json")
    try:
        return Sidecar.model_validate_json(read_bounded(beside, MOST_BYTES))
    except OSError as error:
        raise ModelError("{path}: the model cannot be read: {problem}.", path=beside, problem=error.strerror) from error
    except ValidationError as error:
        found = error.errors()[0]
        where = ".".join(map(str, found["loc"]))
        raise ModelError(
            "{path}: this is not the description of a model: {problem}.",
            path=beside,
            problem=f"{where}: {found['msg']}" if where else found["msg"],
        ) from error


def check_weights(sidecar: Sidecar, path: Path) -> None:
    """See that the weights in ``path`` are there and are as many as the sidecar says.

    Whether they fit the network is seen when it is loaded (`honshi.runs.network`).

    Raises:
        ModelError: they are not.
    """
    count = sum(math.prod(shape) for shape in shapes_of(path).values())
    if count < sidecar.parameters:
        raise ModelError(
            "{path}: the weights do not fit the model: there are {count:,}, and it has {parameters:,}.",
            path=path,
            count=count,
            parameters=sidecar.parameters,
        )


def shapes_of(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of each tensor of a file of weights, from its head.

    Raises:
        ModelError: it cannot be read, or is none.
    """
    try:
        if not path.is_file():
            path.stat()
            raise SafetensorError("it is not a file")
        with safe_open(path, "np") as weights:
            return {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    except OSError as error:
        raise ModelError("{path}: the model cannot be read: {problem}.", path=path, problem=error.strerror) from error
    except SafetensorError as error:
        raise ModelError("{path}: the weights do not fit the model: {problem}", path=path, problem=error) from error
