"""Backbones of the Hugging Face Hub, through the library transformers: ``hf:ORG/MODEL``, or ``hf:FOLDER`` of one's own.

Weights are safetensors, no code comes with them, and the commit is part of the recipe.

Shapes: b images in a batch; d features; t tokens.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from honshi.errors import ModelError
from honshi.messages import first_line
from honshi.pictures.contract import InputContract, Normalization
from honshi.recipe.frozen import HUB


class HubBackbone(nn.Module):
    """A model of transformers, from images to one vector each: what it pools itself, or its first token.

    Attributes:
        features: numbers of each image, d.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        # A pooler that learns belongs to the task that it was trained for, and is often not among the weights at all.
        pooler = getattr(model, "pooler", None)
        if isinstance(pooler, nn.Module) and any(True for _ in pooler.parameters()):
            model.pooler = None
        self.model = model
        sizes = getattr(model.config, "hidden_size", None) or getattr(model.config, "hidden_sizes", (0,))[-1]
        self.features = int(sizes)

    def forward(self, images: Tensor) -> Tensor:
        """Normalised images (b, c, h, w) to features (b, d)."""
        answer = self.model(pixel_values=images)
        pooled: Tensor | None = getattr(answer, "pooler_output", None)
        if pooled is not None:
            return pooled.flatten(1)
        hidden: Tensor = answer.last_hidden_state  # (b, t, d), or (b, d, h, w)
        return hidden[:, 0] if hidden.dim() == 3 else hidden.mean((2, 3))


def build(name: str, config: dict[str, Any]) -> HubBackbone:
    """The network of a config with new weights.

    Raises:
        ModelError: transformers is not installed, or knows no such model.
    """
    transformers = _transformers()
    try:
        options = transformers.AutoConfig.for_model(**config)
        return HubBackbone(transformers.AutoModel.from_config(options))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _refused(name, error) from error


def pretrained(name: str, revision: str | None) -> tuple[HubBackbone, dict[str, Any]]:
    """The network with its weights, and its config.

    Raises:
        ModelError: transformers is not installed, or the model cannot be had as safetensors.
    """
    transformers, at = _transformers(), _at(name, revision)
    try:
        model = transformers.AutoModel.from_pretrained(at, revision=revision, use_safetensors=True)
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise _refused(name, error) from error
    return HubBackbone(model.float()), _plain(model.config.to_dict())


def input_contract(name: str, revision: str | None) -> InputContract:
    """As the model's own ``preprocessor_config.json`` says; where there is none, by the size in its config.

    Raises:
        ModelError: as `pretrained`.
    """
    transformers, at = _transformers(), _at(name, revision)
    try:
        config = transformers.AutoConfig.from_pretrained(at, revision=revision).to_dict()
    except (OSError, ValueError, KeyError) as error:
        raise _refused(name, error) from error
    said = _preprocessor(at, revision)
    size = said.get("crop_size") or said.get("size") or config.get("image_size") or 224
    if isinstance(size, dict):
        height = size.get("height") or size.get("shortest_edge") or 224
        width = size.get("width") or height
    else:
        height, width = size if isinstance(size, (list, tuple)) else (size, size)
    channels = int(config.get("num_channels") or 3)
    half = (0.5,) * channels
    normalization = Normalization(mean=said.get("image_mean") or half, std=said.get("image_std") or half)
    return InputContract(shape=(channels, int(height), int(width)), normalization=normalization, fit="stretch")


def _preprocessor(at: str, revision: str | None) -> dict[str, Any]:
    """What the model's publisher says of how pictures are prepared; nothing where nothing is said."""
    file = "preprocessor_config.json"
    path = Path(at) / file
    if not Path(at).is_dir():
        from transformers.utils.hub import cached_file

        found = cached_file(at, file, revision=revision, _raise_exceptions_for_missing_entries=False)
        if found is None:
            return {}
        path = Path(found)
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _at(name: str, revision: str | None) -> str:
    """The folder, or the name at the Hub with its commit."""
    at = name.removeprefix(HUB)
    if not Path(at).expanduser().is_dir() and revision is None:
        raise ModelError(
            "The backbone {name} needs the commit that it is taken from, so that it stays the same: model.revision. "
            "For one of your own, {folder} is not a folder.",
            name=name,
            folder=at,
        )
    return str(Path(at).expanduser()) if Path(at).expanduser().is_dir() else at


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    """A config as JSON holds it, without what is said of where it came from."""
    held: dict[str, Any] = json.loads(json.dumps(config, default=str))
    return {key: value for key, value in held.items() if not key.startswith("_") and key != "transformers_version"}


def _transformers() -> Any:
    if find_spec("transformers") is None:
        raise ModelError("A backbone of the Hugging Face Hub needs transformers: pip install 'honshi[hub]'")
    import transformers

    return transformers


def _refused(name: str, error: Exception) -> ModelError:
    return ModelError("The backbone {name} cannot be had: {problem}.", name=name, problem=first_line(error))
