"""Does every parameter learn: is it registered, held by the optimizer, and reached by a gradient?"""

from __future__ import annotations

import torch
from torch import nn

from honshi.checks.backward import explain_backward
from honshi.checks.finding import Finding, failed, passed, warned
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject, leaves_of, names_of, needs_closure, tensors_in
from honshi.checks.trace import observable_layers
from honshi.models.modes import train_mode

BATCH = 64


def check_parameters(subject: Subject, sample: Sample) -> list[Finding]:
    """Registration, the optimizer's share, and the first gradient; on a copy."""
    findings = [_check_registered(subject, sample), _check_optimizer(subject)]
    if findings[0].level == "fail" and not any(True for _ in subject.model.parameters()):
        return findings
    return [*findings, _check_gradients(subject, sample)]


def _check_registered(subject: Subject, sample: Sample) -> Finding:
    """Every weight that the loss depends on is one of ``model.parameters()``."""
    model = subject.copy().model
    train_mode(model)
    known = {id(parameter) for parameter in model.parameters()}
    outputs = [tensor for tensor in tensors_in(model(sample.first(BATCH)[0].clone())) if tensor.requires_grad]
    leaves = {id(leaf) for output in outputs for leaf in leaves_of(output)}
    strangers = leaves - known
    if not strangers and known:
        return passed("registration", "Every weight that is used is among model.parameters().")
    holders = sorted(
        {
            f"self.{attribute}" + (f" of {name}" if name else "")
            for name, module in model.named_modules()
            for attribute, value in vars(module).items()
            if attribute not in ("_modules", "_parameters", "_buffers") and _holds_layers(value)
        }
    )
    if holders:
        return failed(
            "registration",
            "The layers in {holders} are not registered, so model.parameters() lacks them and they will not learn: use "
            "nn.ModuleList([…]) in place of a list, nn.ModuleDict in place of a dict.",
            holders=", ".join(holders),
        )
    if not known and not strangers:
        return failed("registration", "The model has no parameters: there is nothing that could learn.")
    return failed(
        "registration",
        "{count} weights that are used are not among model.parameters() and will not learn: make layers in __init__, "
        "not in forward, and weights of your own with nn.Parameter(…).",
        count=len(strangers),
    )


def _holds_layers(value: object) -> bool:
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, (list, tuple)) and any(
        isinstance(item, (nn.Module, nn.Parameter)) or _holds_layers(item) for item in value
    )


def _check_optimizer(subject: Subject) -> Finding:
    """The optimizer holds the parameters of this model, and no others."""
    held = {id(parameter) for group in subject.optimizer.param_groups for parameter in group["params"]}
    own = {id(parameter) for parameter in subject.model.parameters()}
    learning = {id(parameter) for parameter in subject.model.parameters() if parameter.requires_grad}
    if not held & own:
        return failed(
            "optimizer",
            "The optimizer holds none of this model's parameters: it was made for another model, or before this one "
            "was made anew. Make it after the model: SGD(model.parameters(), …).",
        )
    missing = learning - held
    if missing:
        return failed(
            "optimizer",
            "The optimizer does not hold {names}, so they will not learn: give it model.parameters(), or freeze them "
            "with requires_grad_(False) where that is meant.",
            names=names_of(subject.model, missing),
        )
    if held - own:
        return warned(
            "optimizer",
            "The optimizer holds {count} parameters that are not this model's.",
            count=len(held - own),
        )
    if needs_closure(subject.optimizer):
        return warned(
            "optimizer",
            "The optimizer ({kind}) asks for the loss several times in each step, by step(closure): a loop of your own "
            "can do that, honshi.fit does not.",
            kind=type(subject.optimizer).__name__,
        )
    return passed("optimizer", "The optimizer ({kind}) holds every parameter.", kind=type(subject.optimizer).__name__)


def _check_gradients(subject: Subject, sample: Sample) -> Finding:
    """Every parameter gets a gradient within a few steps."""
    work = subject.copy()
    model = work.model
    parameters = list(model.parameters())
    frozen = {id(parameter) for parameter in parameters if not parameter.requires_grad}
    if len(frozen) == len(parameters):
        return failed("gradients", "Every parameter is frozen (requires_grad is False): nothing can learn.")
    train_mode(model)
    used: set[str] = set()
    handles = [
        layer.register_forward_hook(lambda _layer, _inputs, _output, name=name: used.add(name))
        for name, layer in observable_layers(model)
    ]
    reached: set[int] = set()
    moved: set[int] = set()
    # A few steps, because a scale that begins at 0 (the last norm of a residual block) hides what is
    # behind it from the first gradient alone.
    sgd = torch.optim.SGD((parameter for parameter in parameters if parameter.requires_grad), lr=0.01)
    for inputs, labels in sample.batches(BATCH, steps=4):
        loss = work.loss(inputs, labels)
        if not loss.requires_grad:
            return failed(
                "gradients",
                "The loss has no gradient: the graph was cut. Look for detach(), .data, argmax(), .numpy() or "
                "torch.no_grad() in forward.",
            )
        sgd.zero_grad()
        try:
            loss.backward()
        except RuntimeError as error:
            return Finding("gradients", "fail", explain_backward(error, work, inputs, labels))
        for parameter in parameters:
            if parameter.grad is not None:
                reached.add(id(parameter))
                if bool(parameter.grad.any()):
                    moved.add(id(parameter))
                if not bool(parameter.grad.isfinite().all()):
                    return failed(
                        "gradients",
                        "The gradient of {name} is not finite: look for a logarithm or square root of 0, a division by "
                        "0, or values in the data that are NaN.",
                        name=names_of(model, {id(parameter)}),
                    )
        sgd.step()
    for handle in handles:
        handle.remove()
    learning = {id(parameter) for parameter in parameters} - frozen
    if lost := learning - reached:
        return _lost(model, lost, used)
    if still := learning - moved:
        return failed(
            "gradients",
            "The gradient of {names} is 0 throughout: nothing of it reaches the loss. Dead ReLUs, "
            "weights that begin at 0, or an output that is not used?",
            names=names_of(model, still),
        )
    if frozen:
        return warned(
            "gradients",
            "{names} are frozen (requires_grad is False) and will not learn; where that is not meant: "
            "model.requires_grad_(True).",
            names=names_of(model, frozen),
        )
    return passed("gradients", "All {count} parameter tensors receive a gradient.", count=len(parameters))


def _lost(model: nn.Module, lost: set[int], used: set[str]) -> Finding:
    """No gradient at all: a layer that is not called, or a graph that was cut behind it."""
    owners = {
        name for name, layer in observable_layers(model) for own in layer.parameters(recurse=False) if id(own) in lost
    }
    if idle := sorted(owners - used):
        return failed(
            "gradients",
            "forward() never calls {layers}, so {they} cannot learn: use what you made in __init__, or leave it out.",
            layers=", ".join(idle[:4]),
            they="it" if len(idle) == 1 else "they",
        )
    return failed(
        "gradients",
        "No gradient reaches {names}, although they are used: the graph was cut after them. Look for detach(), .data "
        "or torch.no_grad() in forward.",
        names=names_of(model, lost),
    )
