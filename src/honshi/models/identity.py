"""Which model it is: a hash of everything that changes an answer.

Two models of one identity give the same answers to the same pictures; where one of them has sat the exam,
the other has too.
"""

from __future__ import annotations

import hashlib
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import fields
from functools import partial
from math import isfinite
from pathlib import PurePath
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from honshi.models.card import ATTRIBUTE, card_of, unwrapped
from honshi.pictures.contract import InputContract

# What every module has or torch.compile puts there: no part of an answer in eval mode.
_OWN = {*vars(nn.Module()), ATTRIBUTE, "training", "_compiled_call_impl", "_is_torch_compile"}


def identity_of(model: nn.Module) -> str:
    """A hash of all that changes a model's answers.

    That is each module's class, its parameters and buffers, what else is kept on it (test-time shifts, a
    temperature of its own, members), hooks on its forward pass, and how pictures are prepared for it. Not the
    device, train or eval mode, nor DataParallel, DistributedDataParallel or `torch.compile` around it or one of its
    parts. A class or function is known by its name and not by its code. A model that keeps what it has seen is
    another one after each answer.
    """
    digest = hashlib.sha256()
    for line in _Content().of_module(model, ""):
        digest.update(line.encode("utf-8", "surrogateescape") + b"\n")
    card = card_of(model)
    if card is not None:
        # The background only decides whether a picture is worth a warning.
        said = [(field.name, getattr(card.contract, field.name)) for field in fields(InputContract)]
        digest.update(_Content().of(dict(said) | {"background": None}).encode())
    return digest.hexdigest()


class _Content:
    """Values by what they hold, the same in each process; equal values, such as 1 and 1.0, count as the same.

    Attributes:
        known: objects that were met and what became of them, by id; they may hold one another.
    """

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, str]] = {}

    def of_module(self, module: nn.Module, name: str) -> Iterator[str]:
        """A line for each thing that a module and those below it hold, each under its place."""
        module = unwrapped(module)
        kind = type(module)
        yield f"{name} is {kind.__qualname__}"
        for key, tensor in sorted(module.named_parameters(recurse=False, remove_duplicate=False)):
            yield f"{name}.{key} {_of_tensor(tensor)}"
        for key, buffer in sorted(module.named_buffers(recurse=False, remove_duplicate=False)):
            yield f"{name}.{key} {_of_tensor(buffer)}"
        # torch's weight_norm, spectral_norm and pruning make a weight anew with each answer, of others that are known.
        made = {
            getattr(hook, "name", getattr(hook, "_tensor_name", ""))
            for hook in module._forward_pre_hooks.values()
            if type(hook).__module__.startswith("torch.nn.utils")
        }
        for key, value in sorted(vars(module).items()):
            # What torch's own layers keep under such names is derived, and differs between versions of torch.
            derived = key.startswith("_") and kind.__module__.startswith("torch.")
            # How pictures are prepared is part of the card.
            if key not in _OWN | made and not derived and not isinstance(value, InputContract):
                yield f"{name}.{key} = {self.of(value)}"
        yield from self._of_state(module, name)
        for hooks in (module._forward_pre_hooks, module._forward_hooks):
            yield from (f"{name} hook {self.of(hook)}" for hook in hooks.values())
        for key, child in module._modules.items():
            if child is not None:
                yield from self.of_module(child, f"{name}.{key}")

    def _of_state(self, module: nn.Module, name: str) -> Iterator[str]:
        """What a module keeps beside tensors: its extra state, packed weights, the code of a traced or scripted one."""
        state: dict[str, Any] = {}
        module._save_to_state_dict(state, "", keep_vars=True)
        kept = {key: value for key, value in state.items() if not isinstance(value, Tensor)}
        if type(module).__module__.startswith(("torch.jit.", "torch.fx.")):
            kept["code"] = getattr(module, "code_with_constants", None) or getattr(module, "code", None)
        yield from (f"{name}.{key} state {self.of(value)}" for key, value in sorted(kept.items()))

    def of(self, value: Any) -> str:
        match value:
            case np.generic():
                return self.of(value.item())
            case bool() | str() | bytes() | complex() | torch.dtype() | PurePath() | None:
                return repr(value)
            case int() | float():
                return repr(int(value)) if isfinite(value) and value == int(value) else repr(float(value))
            case Tensor():
                return _of_tensor(value)
            case np.ndarray() if not value.dtype.hasobject:
                return _of_tensor(torch.frombuffer(bytearray(value.tobytes()), dtype=torch.uint8)) + str(value.dtype)
        # The object is kept with its text, so that no other one gets its id meanwhile.
        if id(value) not in self.known:
            self.known[id(value)] = value, "again"
            self.known[id(value)] = value, self._of_object(value)
        return self.known[id(value)][1]

    def _of_object(self, value: Any) -> str:
        match value:
            case nn.Module():
                return repr(list(self.of_module(value, "")))
            case Mapping():
                return f"{{{sorted((self.of(key), self.of(each)) for key, each in value.items())}}}"
            case Set():
                return f"set {sorted(map(self.of, value))}"
            case Sequence():
                return f"[{', '.join(map(self.of, value))}]"
            case np.ndarray():
                return self.of(value.tolist())
            case partial():
                return f"partial {[self.of(part) for part in (value.func, value.args, value.keywords)]}"
        if callable(value) and hasattr(value, "__qualname__"):
            return str(value.__qualname__)  # a function or a class
        kind = type(value)
        if kind.__module__.partition(".")[0] in sys.stdlib_module_names and kind not in (SimpleNamespace, Namespace):
            return kind.__qualname__  # a lock, a logger: nothing that an answer is made of
        return f"{kind.__qualname__} {self.of(getattr(value, '__dict__', {}))}"


def _of_tensor(tensor: Tensor) -> str:
    if is_lazy(tensor):
        return "not initialised"
    if tensor.is_meta:
        return f"{tensor.dtype} {tuple(tensor.shape)} without values"
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    plain = tensor.detach().cpu().to_dense().resolve_conj().resolve_neg()
    content = plain.contiguous().flatten().view(torch.uint8).numpy()
    return f"{plain.dtype} {tuple(plain.shape)} {hashlib.sha256(content.data).hexdigest()}"
