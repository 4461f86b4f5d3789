"""Are model, loss and optimizer what they should be, or classes that nobody has made anything of?"""

from __future__ import annotations

from torch import nn
from torch.optim import Optimizer

from honshi.checks.finding import Finding, failed
from honshi.messages import Message


def check_parts(model: object, criterion: object, optimizer: object) -> list[Finding]:
    """What of them cannot be used; nothing where all can.

    Args:
        criterion, optimizer: None where they are left out.
    """
    findings = []
    if not isinstance(model, nn.Module):
        findings.append(
            failed(
                "model",
                "The model is {kind} and not an nn.Module{made}.",
                kind=_described(model),
                made=_made(model, nn.Module, "()"),
            )
        )
    if criterion is not None and (isinstance(criterion, type) or not callable(criterion)):
        findings.append(
            failed(
                "loss",
                "The loss is {kind} and not a function of logits and labels{made}.",
                kind=_described(criterion),
                made=_made(criterion, object, "()"),
            )
        )
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        findings.append(
            failed(
                "optimizer",
                "The optimizer is {kind} and not an optimizer of torch's{made}.",
                kind=_described(optimizer),
                made=_made(optimizer, Optimizer, "(model.parameters(), lr=0.1)"),
            )
        )
    return findings


def _described(thing: object) -> str:
    return f"the class {thing.__name__}" if isinstance(thing, type) else f"a {type(thing).__name__}"


def _made(thing: object, kind: type, arguments: str) -> Message:
    """How something is made of a class that is one of the right kind."""
    if not (isinstance(thing, type) and issubclass(thing, kind)):
        return Message("")
    return Message(": make one of it, {name}{arguments}", name=thing.__name__, arguments=arguments)
