"""Saving and loading a model: safetensors for the numbers, JSON beside it for what they mean.

Never a pickle: loading a file from a stranger runs none of its code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import nn

from honshi.data.images import Normalization, Preprocessing
from honshi.errors import ModelError
from honshi.files import sha256, write_json, write_whole
from honshi.models import parameter_count
from honshi.models.architecture import architecture_of, from_architecture


def save(model: nn.Module, path: str | Path) -> None:
    """Write ``path`` (weights, safetensors) and the sidecar of the same name that ends in ``.json``.

    Args:
        model: any module. Where it was trained on `Images`, the sidecar says how a picture becomes
            its input, and where it has a ``temperature``, by what its logits are divided when
            probabilities are made of them.
        path: usually ends in ``.safetensors``.
    """
    path = Path(path)
    # Copies, because safetensors refuses tensors that share memory, as tied weights do.
    content = to_safetensors(
        {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
    )
    sidecar: dict[str, Any] = {"architecture": architecture_of(model)}
    preprocessing = getattr(model, "preprocessing", None)
    if isinstance(preprocessing, Preprocessing):
        sidecar |= {
            "classes": list(preprocessing.classes),
            "input_shape": list(preprocessing.shape),
            "normalization": {
                "mean": list(preprocessing.normalization.mean),
                "std": list(preprocessing.normalization.std),
            },
            "background": preprocessing.background,
        }
    sidecar |= {
        "temperature": float(getattr(model, "temperature", 1.0)),
        "parameters": parameter_count(model),
        "weights_sha256": sha256(content),
    }
    write_whole(path, content)
    write_json(path.with_suffix(".json"), sidecar)


def load_model(path: str | Path, into: nn.Module | None = None) -> nn.Module:
    """A saved model, on the CPU and in eval mode, ready to predict.

    Args:
        path: the ``.safetensors`` file; its sidecar is beside it.
        into: a model to fill, for architectures that are not honshi's own.

    Raises:
        ModelError: a file is missing or damaged, the weights are not those that the sidecar was
            written for, or they do not fit the architecture.
    """
    path = Path(path)
    sidecar_path = path.with_suffix(".json")
    try:
        content = path.read_bytes()
        sidecar = json.loads(sidecar_path.read_text("utf-8"))
        if sha256(content) != sidecar["weights_sha256"]:
            raise ModelError(
                f"{path}: these are not the weights that {sidecar_path.name} was written for. "
                "Put the two files that were saved together beside one another."
            )
        if into is None:
            into = from_architecture(sidecar["architecture"], str(path))
        into.load_state_dict(from_safetensors(content))
        if "input_shape" in sidecar:
            channels, height, width = sidecar["input_shape"]
            into.preprocessing = Preprocessing(  # type: ignore[assignment]
                shape=(channels, height, width),
                classes=tuple(sidecar["classes"]),
                normalization=Normalization(
                    mean=tuple(sidecar["normalization"]["mean"]), std=tuple(sidecar["normalization"]["std"])
                ),
                background=sidecar["background"],
            )
        into.temperature = float(sidecar["temperature"])  # type: ignore[assignment]
    except OSError as error:
        raise ModelError(f"{error.filename}: the model cannot be read: {error.strerror}.") from error
    except (SafetensorError, RuntimeError) as error:
        first_line = " ".join(str(error).split())
        raise ModelError(f"{path}: the weights do not fit the model: {first_line}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{sidecar_path}: this is not the description of a model: {error!r}.") from error
    return into.eval()
