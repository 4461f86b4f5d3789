"""Do the shapes fit: from a batch to logits, for a single image, and in both modes?

Shapes: b images in a batch, each (c, h, w); k classes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from honshi.checks.finding import Finding, failed, passed, skipped, warned
from honshi.checks.raised import place_of
from honshi.checks.refusals import explain
from honshi.checks.sample import Sample
from honshi.checks.trace import PROBE, batch_shape, trace_forward
from honshi.messages import Message
from honshi.models import Layer
from honshi.models.outputs import is_binary


@dataclass(frozen=True)
class Shapes:
    """What flows through a model.

    Attributes:
        findings: what was found; the model can be trained only if none of them is a "fail".
        layers: in the order in which they were used, as far as the images came.
        logits: of a small batch in eval mode, (b, k) or (b,); None where the model gives nothing that could be that.
    """

    findings: list[Finding]
    layers: list[Layer]
    logits: Tensor | None

    @property
    def fit(self) -> bool:
        return self.logits is not None and all(finding.level != "fail" for finding in self.findings)


def check_shapes(model: nn.Module, sample: Sample, batch_size: int) -> Shapes:
    """Send a batch, a single image and a part of the batch through a model in eval mode, then a batch in train mode.

    Args:
        model: is changed by nothing but what its own forward pass does.
        sample: on the model's device.
        batch_size: of the training.
    """
    inputs, _ = sample.first(PROBE)
    trace = trace_forward(model, inputs)
    if trace.error is not None:
        return Shapes([Finding("shapes", "fail", explain(trace, trace.error))], trace.layers, None)
    output = trace.output
    problem = _output_problem(output, inputs, sample)
    if problem is not None:
        return Shapes([Finding("shapes", "fail", problem)], trace.layers, None)
    findings = [
        passed(
            "shapes",
            "A batch {shape} becomes logits {logits} by {layers} layers with {parameters:,} parameters.",
            shape=batch_shape(inputs),
            logits=batch_shape(output),
            layers=len(trace.layers),
            parameters=sum(parameter.numel() for parameter in model.parameters()),
        ),
        _check_one_output(sample) if is_binary(output) else _check_outputs(output.shape[1], sample),
        _check_single(model, inputs, output),
        _check_rows(model, inputs),
    ]
    training = trace_forward(model, inputs[:batch_size], training=True)
    if training.error is not None:
        findings.append(failed("train mode", "In train mode {reason}", reason=explain(training, training.error)))
    elif sample.last_batch(batch_size) == 1 and trace_forward(model, inputs[:1], training=True).error is not None:
        findings.append(
            failed(
                "last batch",
                "{images:,} images in batches of {batch_size} leave one image for the last batch, and batch norm has "
                "nothing to normalise it by: another batch size, or drop_last=True in a DataLoader.",
                images=sample.count,
                batch_size=sample.batch_size or batch_size,
            )
        )
    return Shapes(findings, trace.layers, output)


def _output_problem(output: Any, inputs: Tensor, sample: Sample) -> Message | None:
    """Why what a model gives cannot be logits (b, k), or None."""
    images = len(inputs)
    if output is None:
        return Message("The model gives None: forward() ends without return.")
    if not isinstance(output, Tensor):
        return Message(
            "The model gives a {kind} and not a tensor of logits (b, k): return those alone.",
            kind=type(output).__name__,
        )
    shown = batch_shape(output)
    if output.dim() == 1 and len(output) == images and not sample.binary:
        return Message(
            "The model gives {shown}, a number for each image, and not a logit for each class (b, k).", shown=shown
        )
    if output.dim() == 0 or len(output) != images:
        return Message(
            "{images} images became {shown}: the batch dimension was lost or mixed with the others. Use x.flatten(1), "
            "which keeps it, in place of view(-1, n), flatten() or squeeze().",
            images=images,
            shown=shown,
        )
    if output.dim() > 2 and math.prod(output.shape[2:]) == 1:
        return Message("The model gives {shown} and not (b, {k}): return x.flatten(1).", shown=shown, k=output.shape[1])
    if output.dim() > 2:
        return Message(
            "The model gives {shown} and not logits (b, k): flatten is missing, x = x.flatten(1) before the last "
            "linear layer.",
            shown=shown,
        )
    if not output.is_floating_point():
        return Message(
            "The model gives {kind} and not logits: return what comes before argmax(), which has no gradient.",
            kind=output.dtype,
        )
    return None


def _check_one_output(sample: Sample) -> Finding:
    """One logit for each image tells two classes apart."""
    if sample.binary:
        return passed("outputs", "There is one output, and labels are 0 or 1.")
    return failed(
        "outputs",
        "The model has one output, which tells two classes apart, and labels are not 0 or 1: the last layer needs an "
        "output for each class.",
    )


def _check_outputs(k: int, sample: Sample) -> Finding:
    labels = sample.all_labels
    classes = sample.classes
    if labels.dim() == 1 and not labels.is_floating_point() and int(labels.max()) >= k:
        low, high = int(labels.min()), int(labels.max())
        if low == 1 and high == k:
            return failed(
                "outputs",
                "Labels go from 1 to {high} and the {k} outputs are numbered from 0: labels - 1.",
                high=high,
                k=k,
            )
        return failed(
            "outputs",
            "The model has {k} outputs and there are labels up to {high}: the last layer needs {needed} outputs, one "
            "for each class.",
            k=k,
            high=high,
            needed=high + 1,
        )
    if labels.dim() == 2 and labels.is_floating_point() and labels.shape[1] != k:
        return failed(
            "outputs",
            "The model has {k} outputs and the labels {classes} probabilities.",
            k=k,
            classes=labels.shape[1],
        )
    if classes is not None and k > classes:
        return warned(
            "outputs",
            "The model has {k} outputs and the data {classes} classes: the last layer needs {classes}; the others are "
            "answers that are never right.",
            k=k,
            classes=classes,
        )
    return passed("outputs", "There are {k} outputs, and no label is above {highest}.", k=k, highest=k - 1)


def _check_single(model: nn.Module, inputs: Tensor, logits: Tensor) -> Finding:
    alone = trace_forward(model, inputs[:1])
    if alone.error is None and isinstance(alone.output, Tensor) and alone.output.shape == (1, *logits.shape[1:]):
        return passed("a single image", "A batch of one image gives one row of logits.")
    what = (
        Message("stops with {error}{place}", error=type(alone.error).__name__, place=place_of(alone.error))
        if alone.error is not None
        else Message(
            "gives {output}, not {wanted}",
            wanted=(1, *logits.shape[1:]),
            output=tuple(alone.output.shape) if isinstance(alone.output, Tensor) else alone.output,
        )
    )
    return failed(
        "a single image",
        "A batch of one image {what}: the last batch of an epoch can be one image, so keep the batch dimension: "
        "x.flatten(1) in place of squeeze().",
        what=what,
    )


def _check_rows(model: nn.Module, inputs: Tensor) -> Finding:
    """In eval mode, what an image is taken for depends on that image alone."""
    count = max(1, len(inputs) // 2)
    whole, part = trace_forward(model, inputs), trace_forward(model, inputs[:count])
    again = trace_forward(model, inputs)
    if part.error is None and isinstance(part.output, Tensor) and part.output.shape[0] == count:
        if not _close(whole.output, again.output):
            # Random in eval mode: the modes say so.
            return skipped("one image at a time", "The model answers at random in eval mode, see modes.")
        if _close(whole.output[:count], part.output):
            return passed("one image at a time", "The answer for an image does not depend on the others.")
    return failed(
        "one image at a time",
        "In eval mode the answer for an image depends on the other images in its batch: look for softmax(dim=0), "
        "view(-1, n), means over dimension 0, or batch norm with training=True or track_running_stats=False.",
    )


def _close(first: Tensor, second: Tensor) -> bool:
    return bool(torch.allclose(first, second, rtol=1e-3, atol=1e-4, equal_nan=True))
