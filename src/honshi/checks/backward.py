"""Why a backward pass stopped."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import torch
from torch import Tensor

from honshi.checks.raised import is_users_own, place_of
from honshi.checks.subject import Subject, kept_graphs
from honshi.messages import Message, first_line


def explain_backward(error: RuntimeError, subject: Subject, inputs: Tensor, labels: Tensor) -> Message:
    """What stopped a backward pass, and the line that mends it.

    Args:
        error: what was raised.
        subject: the copy whose loss it was.
        inputs: (b, …), of the batch.
        labels: (b, …), of the batch.
    """
    said = str(error)
    if "inplace operation" in said:
        return Message(
            "The backward pass stopped: what was computed{place} was changed in place before its gradient was. Write "
            "h = h + 1 in place of h += 1, x.relu() in place of x.relu_(), and leave out inplace=True.",
            place=_place_of_forward(subject, inputs, labels),
        )
    if "backward through the graph a second time" in said:
        names = sorted({name for name, _ in kept_graphs(subject.model)})
        return Message(
            "The backward pass went back into the batch before: {kept} is kept from one batch to the next with its "
            "graph. Cut it off where it is kept: {name} = h.detach().",
            kept=" and ".join(names) or "something",
            name=names[0] if names else "self.h",
        )
    return Message("The backward pass stopped{place}: {error}.", place=place_of(error), error=first_line(error))


def _place_of_forward(subject: Subject, inputs: Tensor, labels: Tensor) -> str:
    """The user's line whose result cannot be derived any more, `` (net.py, line 12)``, or nothing.

    torch says it by a warning, with the traceback of the forward pass in it.
    """
    work = subject.copy()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with torch.autograd.set_detect_anomaly(True):
                work.loss(inputs, labels).backward()
        except RuntimeError:
            pass
    told = "\n".join(str(warning.message) for warning in caught)
    for file, line in reversed(re.findall(r'File "([^"]+)", line (\d+)', told)):
        if is_users_own(file):
            return f" ({Path(file).name}, line {line})"
    return ""
