"""Do train and eval mode differ only where they should?"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from honshi.checks.finding import Finding
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject
from honshi.models import TTA, Ensemble

BATCH = 64


def check_modes(subject: Subject, sample: Sample) -> Finding:
    """Eval mode answers the same each time; train mode differs from it by dropout and batch norm alone; on a copy."""
    model = subject.copy().model
    inputs, _ = sample.first(BATCH)
    dropout = [layer for layer in model.modules() if isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p > 0]
    norms = [layer for layer in model.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    with torch.no_grad():
        model.eval()
        if stuck := [name for name, layer in model.named_modules() if layer.training]:
            return Finding(
                "modes",
                "fail",
                f"model.eval() does not reach {stuck[0] or 'the model'}: is eval() or train() redefined?",
            )
        evaluated = model(inputs.clone())
        if not _same(evaluated, model(inputs.clone())):
            return Finding(
                "modes",
                "fail",
                "In eval mode the model answers differently each time: F.dropout drops always unless it is told, "
                "F.dropout(x, training=self.training); or use nn.Dropout.",
            )
        model.train()
        trained = model(inputs.clone())
        random = not _same(trained, model(inputs.clone()))
        if dropout and not random:
            return Finding(
                "modes",
                "warn",
                "There are dropout layers, and in train mode nothing is dropped: does forward() call them?",
            )
    differ = not _same(evaluated, trained)
    composed = [layer for layer in model.modules() if isinstance(layer, (Ensemble, TTA))]
    if differ and not random and not norms and not composed:
        return Finding(
            "modes",
            "warn",
            "Train and eval mode give different answers without dropout or batch norm: what in "
            "forward() asks for self.training?",
        )
    kinds = [
        name
        for name, present in (("dropout", random), ("batch norm", norms), ("composed answers", composed))
        if present
    ]
    if kinds:
        return Finding("modes", "pass", f"Train and eval mode differ by {' and '.join(kinds)} alone, as they should.")
    return Finding("modes", "pass", "Train and eval mode give the same answers; there is no dropout or batch norm.")


def depends_on_mode(model: nn.Module) -> bool:
    """Whether a model has layers that behave differently in train and eval mode."""
    kinds = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
    return any(isinstance(layer, kinds) for layer in model.modules())


def _same(first: Tensor, second: Tensor) -> bool:
    return bool(torch.allclose(first, second, rtol=1e-4, atol=1e-5, equal_nan=True))
