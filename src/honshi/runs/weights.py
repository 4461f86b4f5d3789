"""Saving and loading a model: safetensors for the numbers, JSON beside it for what they mean.

Never a pickle: loading a file from a stranger runs none of its code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import nn

from honshi.errors import ModelError
from honshi.files import read_bounded, sha256, write_json, write_whole
from honshi.models import parameter_count
from honshi.models.architecture import architecture_of, from_architecture
from honshi.models.card import attach, card_of, detach, unwrapped
from honshi.runs.network import check_network
from honshi.runs.sidecar import describe, read_sidecar
from honshi.runtime import memory


def save(model: nn.Module, path: str | Path) -> None:
    """Write ``path`` (weights, safetensors) and the sidecar of the same name that ends in ``.json``.

    Args:
        model: any module; what wraps it, for several devices or compiled, is not part of it. Where it has a card, the
            sidecar says how a picture becomes its input, and by what its logits are divided when
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
        sidecar |= describe(card)
    sidecar |= {
        "temperature": 1.0 if card is None else card.temperature,
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
    sidecar = read_sidecar(path)
    if into is None:
        check_network(sidecar, path)
    try:
        content = read_bounded(path, memory())
        if sha256(content) != sidecar.weights_sha256:
            raise ModelError(
                "{path}: these are not the weights that {sidecar} was written for. "
                "Put the two files that were saved together beside one another.",
                path=path,
                sidecar=path.with_suffix(".json").name,
            )
        if into is None:
            into = from_architecture(sidecar.architecture, str(path))
        unwrapped(into).load_state_dict(from_safetensors(content))
    except OSError as error:
        raise ModelError("{path}: the model cannot be read: {problem}.", path=path, problem=error.strerror) from error
    except (SafetensorError, RuntimeError) as error:
        first_line = " ".join(str(error).split())
        raise ModelError(
            "{path}: the weights do not fit the model: {problem}", path=path, problem=first_line
        ) from error
    if sidecar.card is None:
        detach(into)
    else:
        attach(into, sidecar.card)
    return into.eval()
