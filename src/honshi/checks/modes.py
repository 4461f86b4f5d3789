"""Do train and eval mode differ only where they should?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from honshi.checks.finding import Finding, failed, passed, warned
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject, logits_in
from honshi.models.modes import Modes

BATCH = 64


def check_modes(subject: Subject, sample: Sample) -> Finding:
    """Eval mode answers the same each time; train mode differs from it by dropout and batch norm alone; on a copy."""
    model = subject.copy().model
    inputs, _ = sample.first(BATCH)
    modes = Modes(model)
    dropout = any(_is_dropout(layer) for layer in model.modules())
    norms = any(_is_batch_norm(layer) for layer in model.modules())
    with torch.no_grad():
        model.eval()
        if stuck := [name for name, layer in model.named_modules() if layer.training]:
            return failed(
                "modes",
                "model.eval() does not reach {layer}: is eval() or train() redefined?",
                layer=stuck[0] or "the model",
            )
        evaluated = _answer(model, inputs)
        if not _same(evaluated, _answer(model, inputs)):
            return failed(
                "modes",
                "In eval mode the model answers differently each time: F.dropout always drops unless it is told, "
                "F.dropout(x, training=self.training); or use nn.Dropout.",
            )
        modes.train()
        trained = _answer(model, inputs)
        random = not _same(trained, _answer(model, inputs))
        if dropout and not random:
            return warned(
                "modes",
                "There are dropout layers, and in train mode nothing is dropped: does forward() call them?",
            )
    differ = not _same(evaluated, trained)
    composed = any(getattr(layer, "composes_answers", False) for layer in model.modules())
    if differ and not random and not norms and not composed:
        return warned(
            "modes",
            "Train and eval mode give different answers without dropout or batch norm: what in forward() asks for "
            "self.training?",
        )
    kinds = [
        name
        for name, present in (("dropout", random), ("batch norm", norms), ("composed answers", composed))
        if present
    ]
    if kinds:
        return passed(
            "modes", "Train and eval mode differ by {kinds} alone, as they should.", kinds=" and ".join(kinds)
        )
    return passed("modes", "Train and eval mode give the same answers; there is no dropout or batch norm.")


def depends_on_mode(model: nn.Module) -> bool:
    """Whether a model has layers that behave differently in train and eval mode."""
    return any(_is_dropout(layer) or _is_batch_norm(layer) for layer in model.modules())


def _is_dropout(layer: nn.Module) -> bool:
    if isinstance(layer, torch.jit.ScriptModule):
        return layer.original_name.endswith("Dropout")
    return isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p > 0


def _is_batch_norm(layer: nn.Module) -> bool:
    if isinstance(layer, torch.jit.ScriptModule):
        return layer.original_name.startswith("BatchNorm")
    return isinstance(layer, nn.modules.batchnorm._BatchNorm)


def _answer(model: nn.Module, inputs: Tensor) -> Tensor:
    return logits_in(model(inputs.clone()))


def _same(first: Tensor, second: Tensor) -> bool:
    return bool(torch.allclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True))
