"""Saving and loading a model: safetensors for the numbers, JSON beside it for what they mean.

Never a pickle: loading a file from a stranger runs none of its code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import nn

from honshi.errors import ArgumentError, DataError, ModelError
from honshi.files import sha256, write_json, write_whole
from honshi.models import parameter_count
from honshi.models.architecture import architecture_of, from_architecture
from honshi.models.card import Card, attach, card_of, detach, unwrapped
from honshi.pictures.contract import InputContract, Normalization, Scale


def save(model: nn.Module, path: str | Path) -> None:
    """Write ``path`` (weights, safetensors) and the sidecar of the same name that ends in ``.json``.

    Args:
        model: any module; what computes it on several devices or compiled is no part of it. Where it has a card,
            the sidecar says how a picture becomes its input, and by what its logits are divided when
            probabilities are made of them.
        path: usually ends in ``.safetensors``.
    """
    path = Path(path)
    card = card_of(model)
    model = unwrapped(model)
    # Copies, because safetensors refuses tensors that share memory, as tied weights do.
    content = to_safetensors(
        {name: tensor.detach().cpu().clone().contiguous() for name, tensor in model.state_dict().items()}
    )
    sidecar: dict[str, Any] = {"architecture": architecture_of(model)}
    if card is not None:
        sidecar |= {"classes": list(card.classes), **contract_to_json(card.contract)}
    sidecar |= {
        "temperature": 1.0 if card is None else card.temperature,
        "parameters": parameter_count(model),
        "weights_sha256": sha256(content),
    }
    write_whole(path, content)
    write_json(path.with_suffix(".json"), sidecar)


def contract_to_json(contract: InputContract) -> dict[str, Any]:
    """An input contract as the keys of a sidecar."""
    return {
        "input_shape": list(contract.shape),
        "normalization": asdict(contract.normalization),
        "fit": contract.fit,
        "scale": asdict(contract.scale),
        "background": contract.background,
        "form": contract.form,
    }


def contract_from_json(sidecar: Mapping[str, Any]) -> InputContract:
    """The input contract that a sidecar tells of; what older ones do not say is as it was for them.

    Raises:
        DataError, KeyError, TypeError, ValueError: they tell of none.
    """
    channels, height, width = sidecar["input_shape"]
    normalization = sidecar["normalization"]
    return InputContract(
        shape=(channels, height, width),
        normalization=Normalization(mean=tuple(normalization["mean"]), std=tuple(normalization["std"])),
        fit=sidecar.get("fit", "pad"),
        scale=Scale(**sidecar.get("scale", {})),
        background=sidecar["background"],
        form=sidecar.get("form"),
    )


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
        weights = from_safetensors(content)
        if into is None:
            into = from_architecture(sidecar["architecture"], str(path), weights)
        unwrapped(into).load_state_dict(weights)
        if "input_shape" in sidecar:
            card = Card(contract_from_json(sidecar), tuple(sidecar["classes"]), float(sidecar["temperature"]))
            attach(into, card)
        else:
            detach(into)
    except OSError as error:
        raise ModelError(f"{error.filename}: the model cannot be read: {error.strerror}.") from error
    except (SafetensorError, RuntimeError) as error:
        first_line = " ".join(str(error).split())
        raise ModelError(f"{path}: the weights do not fit the model: {first_line}") from error
    except (DataError, ArgumentError) as error:
        raise ModelError(
            "{path}: this is not the description of a model: {problem}", path=sidecar_path, problem=error
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ModelError(
            "{path}: this is not the description of a model: {problem!r}.", path=sidecar_path, problem=error
        ) from error
    return into.eval()
