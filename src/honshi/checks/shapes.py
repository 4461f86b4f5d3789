"""The table of layers, and where the shapes do not fit: which layer, what it got, what it wanted, the cure.

Shapes: b images in a batch, each (c, h, w); k classes; f features.
"""

from __future__ import annotations

import math
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from honshi.checks.finding import Finding
from honshi.checks.sample import Sample
from honshi.models import Layer
from honshi.models.modes import evaluating

# Images in the batch that is sent through: no number that a layer is likely to have as its size.
PROBE = 11

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Shapes:
    """What flows through a model.

    Attributes:
        findings: what was found; the model can be trained only if none of them is a "fail".
        layers: in the order in which they were used, as far as the images came.
        outputs: k, or None where the model gives nothing that could be logits.
    """

    findings: list[Finding]
    layers: list[Layer]
    outputs: int | None

    @property
    def fit(self) -> bool:
        return self.outputs is not None and all(finding.level != "fail" for finding in self.findings)


@dataclass
class Trace:
    """One way of a batch through a model.

    Attributes:
        layers: what each layer gave, in the order of use.
        inside: the layers without layers in them that have been entered and not left, with what they got.
        image: the last output (c, h, w) that still had height and width.
        output: of the whole model.
        error: what stopped it.
    """

    layers: list[Layer] = field(default_factory=list)
    inside: list[tuple[str, nn.Module, tuple[Any, ...]]] = field(default_factory=list)
    image: Shape | None = None
    output: Any = None
    error: Exception | None = None


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
        return Shapes([Finding("shapes", "fail", explain(trace, trace.error, inputs))], trace.layers, None)
    output = trace.output
    problem = _output_problem(output, inputs, trace)
    if problem is not None:
        return Shapes([Finding("shapes", "fail", problem)], trace.layers, None)
    k = output.shape[1]
    parameters = sum(parameter.numel() for parameter in model.parameters())
    findings = [
        Finding(
            "shapes",
            "pass",
            f"A batch {batch_shape(inputs)} becomes logits (b, {k}) by {len(trace.layers)} layers with {parameters:,} "
            "parameters.",
        ),
        _check_outputs(k, sample),
        _check_single(model, inputs),
        _check_rows(model, inputs),
    ]
    trained = inputs[:batch_size]
    training = trace_forward(model, trained, training=True)
    if training.error is not None:
        findings.append(Finding("train mode", "fail", f"In train mode {explain(training, training.error, trained)}"))
    return Shapes(findings, trace.layers, k)


def trace_forward(model: nn.Module, inputs: Tensor, training: bool = False) -> Trace:
    """Send a batch through a model, in eval mode or in train mode, and note what each layer gets and gives."""
    trace = Trace()

    def enter(name: str) -> Any:
        def hook(layer: nn.Module, arguments: tuple[Any, ...]) -> None:
            trace.inside.append((name, layer, arguments))

        return hook

    def leave(name: str) -> Any:
        def hook(layer: nn.Module, _arguments: object, output: object) -> None:
            trace.inside.pop()
            if isinstance(output, Tensor):
                own = sum(parameter.numel() for parameter in layer.parameters(recurse=False))
                trace.layers.append(Layer(name, type(layer).__name__, tuple(output.shape[1:]), own))
                if output.dim() == 4:
                    trace.image = tuple(output.shape[1:])

        return hook

    handles = []
    for name, layer in model.named_modules():
        if not any(layer.children()):
            handles.append(layer.register_forward_pre_hook(enter(name or "model")))
            handles.append(layer.register_forward_hook(leave(name or "model")))
    try:
        with evaluating(model):
            model.train(training)
            trace.output = model(inputs.clone())
    except Exception as error:
        trace.error = error
    finally:
        for handle in handles:
            handle.remove()
    return trace


def batch_shape(tensor: Tensor, images: int = PROBE) -> str:
    """A shape in which the batch is called b: ``(b, 1, 28, 28)``."""
    sizes = [str(size) for size in tensor.shape]
    if tensor.dim() and tensor.shape[0] == images:
        sizes[0] = "b"
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def place_of(error: BaseException) -> str:
    """Where in the user's own file an error arose, `` (net.py, line 12)``, or nothing."""
    libraries = (Path(torch.__file__).parent, Path(__file__).parents[1])
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.suffix == ".py" and not any(path.is_relative_to(library) for library in libraries):
            return f" ({path.name}, line {frame.lineno})"
    return ""


def explain(trace: Trace, error: Exception, inputs: Tensor) -> str:
    """Which layer refused, what it got, what it wanted, and the line that mends it."""
    where = place_of(error)
    if not trace.inside:
        first = str(error).strip().splitlines()[0] if str(error).strip() else ""
        reached = f"after {trace.layers[-1].name}" if trace.layers else "before the first layer"
        hint = ""
        if isinstance(error, TypeError) and "forward()" in first and "positional" in first:
            hint = " The model is called with the images alone: def forward(self, x)."
        elif "view" in first or ("shape" in first and "invalid for input" in first):
            hint = " To make an image a row of numbers, whatever its size: x.flatten(1)."
        elif trace.image is not None and isinstance(error, RuntimeError):
            hint = f" What came out of the last layer with height and width was {_times(trace.image)} an image."
        return f"The forward pass stopped {reached}{where}: {type(error).__name__}: {first}.{hint}"
    name, layer, arguments = trace.inside[-1]
    got = arguments[0] if arguments and isinstance(arguments[0], Tensor) else None
    reason = _refusal(layer, name, got, trace, inputs) if got is not None else None
    if reason is None:
        shown = f" {batch_shape(got)}" if got is not None else ""
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        reason = f"got{shown} and refused: {first}."
    return f"{name} {_describe(layer)}{where} {reason}"


def _describe(layer: nn.Module) -> str:
    """``Linear(784, 128)``, as it was written."""
    match layer:
        case nn.Linear():
            return f"Linear({layer.in_features}, {layer.out_features})"
        case nn.Conv2d():
            return f"Conv2d({layer.in_channels}, {layer.out_channels}, {layer.kernel_size[0]})"
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return f"{type(layer).__name__}({layer.num_features})"
        case _:
            return type(layer).__name__


def _refusal(layer: nn.Module, name: str, got: Tensor, trace: Trace, inputs: Tensor) -> str | None:
    """What a layer got and wanted and the cure, or None where it is none of the known cases."""
    shown = batch_shape(got)
    parameter = next(layer.parameters(), None)
    if parameter is not None and got.dtype != parameter.dtype:
        kind = str(got.dtype).removeprefix("torch.")
        bytes_left = ", divided by 255" if got.dtype == torch.uint8 else ""
        return (
            f"got {kind} and has {str(parameter.dtype).removeprefix('torch.')} weights: make the inputs float32 where "
            f"they are made, with x.float(){bytes_left}."
        )
    match layer:
        case nn.Linear():
            return _linear(layer, name, got, trace, inputs, shown)
        case nn.Conv2d():
            return _conv(layer, name, got, shown)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            flat = isinstance(layer, nn.BatchNorm1d)
            if len(got) == 1 and layer.training:
                return (
                    f"got {shown}: one image has nothing to be normalised by; a larger batch size, or drop_last=True."
                )
            if flat and got.dim() == 4:
                return f"got {shown}, images still: use nn.BatchNorm2d({got.shape[1]})."
            if not flat and got.dim() == 2:
                return f"got {shown}, rows of features: use nn.BatchNorm1d({got.shape[1]})."
            if got.dim() >= 2 and got.shape[1] != layer.num_features:
                kind = type(layer).__name__
                return f"got {shown}, {got.shape[1]} channels and not {layer.num_features}: nn.{kind}({got.shape[1]})."
            return None
        case nn.MaxPool2d() | nn.AvgPool2d() if got.dim() >= 3:
            height, width = got.shape[-2:]
            return (
                f"got {shown}: an image of {height}×{width} is too small to be made smaller. Leave this pool out, or "
                "give the convolutions before it padding."
            )
        case _:
            return None


def _linear(layer: nn.Linear, name: str, got: Tensor, trace: Trace, inputs: Tensor, shown: str) -> str:
    wanted, images = layer.in_features, len(inputs)
    if got.dim() > 2:
        features = math.prod(got.shape[1:])
        cure = f"flatten is missing: put x = x.flatten(1) before {name}"
        if features != wanted:
            cure += f", and make it nn.Linear({features}, {layer.out_features}), {_times(got.shape[1:])} = {features}"
        return f"got {shown} and wants (b, {wanted}); {cure}."
    if got.dim() == 1 or got.shape[0] != images:
        each = got.numel() // images
        return (
            f"got {shown} for {images} images: the batch dimension was lost, each image has {each} numbers. Keep it "
            f"with x.flatten(1) in place of flatten(), view(-1) or squeeze()."
        )
    features = got.shape[1]
    source = ""
    if trace.image is not None and math.prod(trace.image) == features:
        source = f" The image is {_times(trace.image)} = {features} there."
    return (
        f"got {shown} and wants (b, {wanted}): wrong in_features, make it nn.Linear({features}, "
        f"{layer.out_features}).{source}"
    )


def _conv(layer: nn.Conv2d, name: str, got: Tensor, shown: str) -> str | None:
    wanted = layer.in_channels
    expects = f"wants (b, {wanted}, h, w)"
    if got.dim() == 2:
        side = math.isqrt(got.shape[1] // wanted)
        size = f"{side}, {side}" if side * side * wanted == got.shape[1] else "h, w"
        return f"got {shown}, flat rows, and {expects}: x = x.view(-1, {wanted}, {size}) before {name}."
    if got.dim() == 3:
        if wanted == 1:
            return f"got {shown} and {expects}: the channel dimension is missing, x = x.unsqueeze(1) before {name}."
        return (
            f"got {shown} and {expects}: a dimension is missing; for a batch without channels x.unsqueeze(1), for one "
            "image without a batch x.unsqueeze(0)."
        )
    if got.dim() != 4:
        return None
    if got.shape[1] != wanted:
        if got.shape[3] == wanted:
            return (
                f"got {shown}, channels last, and {expects}, channels first: "
                f"x = x.permute(0, 3, 1, 2) before {name}, or in the data set."
            )
        return f"got {shown} and {expects}: make it nn.Conv2d({got.shape[1]}, {layer.out_channels}, …)."
    height, width = got.shape[2:]
    return (
        f"got {shown}: an image of {height}×{width} is smaller than its filter of {layer.kernel_size[0]}×"
        f"{layer.kernel_size[1]}. Pool less before it, or give it padding."
    )


def _times(shape: Shape | torch.Size) -> str:
    return "×".join(map(str, shape))


def _output_problem(output: Any, inputs: Tensor, trace: Trace) -> str | None:
    """Why what a model gives cannot be logits (b, k), or None."""
    images = len(inputs)
    if output is None:
        return "The model gives None: forward() ends without return."
    if not isinstance(output, Tensor):
        return f"The model gives a {type(output).__name__} and not a tensor of logits (b, k): return those alone."
    shown = batch_shape(output)
    if output.dim() == 1 and len(output) == images:
        return f"The model gives {shown}, a number for each image, and not a logit for each class (b, k)."
    if output.dim() == 0 or len(output) != images:
        return (
            f"{images} images became {shown}: the batch dimension was lost or mixed with the others. Use x.flatten(1), "
            f"which keeps it, in place of view(-1, n), flatten() or squeeze()."
        )
    if output.dim() > 2:
        if math.prod(output.shape[2:]) == 1:
            return f"The model gives {shown} and not (b, {output.shape[1]}): return x.flatten(1)."
        return (
            f"The model gives {shown} and not logits (b, k): flatten is missing, x = x.flatten(1) before the last "
            "linear layer."
        )
    if not output.is_floating_point():
        return (
            f"The model gives {output.dtype} and not logits: return what comes before argmax(), which has no gradient."
        )
    return None


def _check_outputs(k: int, sample: Sample) -> Finding:
    labels = sample.all_labels
    classes = sample.classes
    if labels.dim() == 1 and not labels.is_floating_point() and int(labels.max()) >= k:
        low, high = int(labels.min()), int(labels.max())
        if low == 1 and high == k:
            return Finding(
                "outputs", "fail", f"Labels go from 1 to {high} and the {k} outputs are numbered from 0: labels - 1."
            )
        return Finding(
            "outputs",
            "fail",
            f"The model has {k} outputs and there are labels up to {high}: the last layer needs {high + 1} outputs, "
            "one for each class.",
        )
    if labels.dim() == 2 and labels.is_floating_point() and labels.shape[1] != k:
        return Finding("outputs", "fail", f"The model has {k} outputs and the labels {labels.shape[1]} probabilities.")
    if classes is not None and k > classes:
        return Finding(
            "outputs",
            "warn",
            f"The model has {k} outputs and the data {classes} classes: the last layer needs {classes}; the others are "
            "answers that are never right.",
        )
    return Finding("outputs", "pass", f"There are {k} outputs, and no label is above {k - 1}.")


def _check_single(model: nn.Module, inputs: Tensor) -> Finding:
    alone = trace_forward(model, inputs[:1])
    if alone.error is None and isinstance(alone.output, Tensor) and alone.output.dim() == 2:
        return Finding("a single image", "pass", "A batch of one image gives one row of logits.")
    what = (
        f"stops with {type(alone.error).__name__}{place_of(alone.error)}"
        if alone.error is not None
        else f"gives {tuple(alone.output.shape) if isinstance(alone.output, Tensor) else alone.output}, not (1, k)"
    )
    return Finding(
        "a single image",
        "fail",
        f"A batch of one image {what}: the last batch of an epoch can be one image, so keep the batch dimension: "
        "x.flatten(1) in place of squeeze().",
    )


def _check_rows(model: nn.Module, inputs: Tensor) -> Finding:
    """In eval mode, what an image is taken for depends on that image alone."""
    count = max(1, len(inputs) // 2)
    whole, part = trace_forward(model, inputs), trace_forward(model, inputs[:count])
    again = trace_forward(model, inputs)
    if part.error is None and isinstance(part.output, Tensor) and part.output.shape[0] == count:
        if not _close(whole.output, again.output):
            # Random in eval mode: the modes say so.
            return Finding("one image at a time", "skip", "The model answers at random in eval mode, see modes.")
        if _close(whole.output[:count], part.output):
            return Finding("one image at a time", "pass", "The answer for an image does not depend on the others.")
    return Finding(
        "one image at a time",
        "fail",
        "In eval mode the answer for an image depends on the other images in its batch: look for softmax(dim=0), "
        "view(-1, n), means over dimension 0, or batch norm with training=True or track_running_stats=False.",
    )


def _close(first: Tensor, second: Tensor) -> bool:
    return bool(torch.allclose(first, second, rtol=1e-3, atol=1e-4, equal_nan=True))
