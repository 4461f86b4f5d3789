"""Why a layer refused what it got, what it wanted, and the line that mends it.

Shapes: b images in a batch, each (c, h, w); f features.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from honshi.checks.raised import place_of
from honshi.checks.trace import Trace, batch_shape, times
from honshi.messages import Message, first_line


def explain(trace: Trace, error: Exception) -> Message:
    """What stopped a batch on its way: which layer refused, what it got, what it wanted, and the line that mends it."""
    if not trace.inside:
        return Message(
            "The forward pass stopped {reached}{place}: {error}.{hint}",
            reached=Message("after {layer}", layer=trace.layers[-1].name)
            if trace.layers
            else Message("before the first layer"),
            place=place_of(error),
            error=first_line(error),
            hint=_hint(trace, error),
        )
    name, layer, arguments = trace.inside[-1]
    got = arguments[0] if arguments and isinstance(arguments[0], Tensor) else None
    reason = _refusal(layer, name, got, trace) if got is not None else None
    if reason is None:
        shown = f" {batch_shape(got)}" if got is not None else ""
        reason = Message("got{shown} and refused: {error}.", shown=shown, error=first_line(error))
    return Message(
        "{name} {layer}{place} {reason}", name=name, layer=_describe(layer), place=place_of(error), reason=reason
    )


def _hint(trace: Trace, error: Exception) -> Message:
    """What mends a forward pass that stopped between two layers, after a space; empty where no cure is known."""
    first = first_line(error)
    if isinstance(error, TypeError) and "forward()" in first and "positional" in first:
        return Message(" The model is called with the images alone: def forward(self, x).")
    if (cure := _dtype_cure(next(trace.model.parameters(), None), trace.inputs)) and "type" in first:
        return Message(" {cure}", cure=cure)
    if "view" in first or ("shape" in first and "invalid for input" in first):
        return Message(" To make an image a row of numbers, whatever its size: x.flatten(1).")
    if trace.image is not None and isinstance(error, RuntimeError):
        return Message(
            " What came out of the last layer with height and width was {image} an image.", image=times(trace.image)
        )
    return Message("")


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


def _refusal(layer: nn.Module, name: str, got: Tensor, trace: Trace) -> Message | None:
    """What a layer got and wanted and the cure, or None where it is none of the known cases."""
    parameter = next(layer.parameters(), None)
    cure = _dtype_cure(parameter, got) if not isinstance(layer, nn.Embedding) else None
    if cure is not None and parameter is not None:
        return Message(
            "got {kind} and has {weights} weights: {cure}", kind=_kind(got), weights=_kind(parameter), cure=cure
        )
    shown = batch_shape(got)
    match layer:
        case nn.Linear():
            return _linear(layer, name, got, trace)
        case nn.Conv2d():
            return _conv(layer, name, got)
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return _batch_norm(layer, got)
        case nn.MaxPool2d() | nn.AvgPool2d() if got.dim() >= 3:
            height, width = got.shape[-2:]
            return Message(
                "got {shown}: an image of {height}×{width} is too small to be made smaller. Leave this pool out, or "
                "give the convolutions before it padding.",
                shown=shown,
                height=height,
                width=width,
            )
        case _:
            return None


def _dtype_cure(parameter: Tensor | None, got: Tensor) -> Message | None:
    """What makes numbers and weights of one type, or None where they are."""
    if parameter is None or got.dtype == parameter.dtype or not parameter.is_floating_point():
        return None
    weights = Message("make the model float32 after it is built, with model.float().")
    inputs = Message(
        "make the inputs float32 where they are made, with x.float(){bytes_left}.",
        bytes_left=", divided by 255" if got.dtype == torch.uint8 else "",
    )
    if parameter.dtype == torch.float32:
        return inputs
    if got.dtype == torch.float32:
        return weights
    return Message("{inputs} And {weights}", inputs=inputs, weights=weights)


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _linear(layer: nn.Linear, name: str, got: Tensor, trace: Trace) -> Message:
    wanted, outputs, images = layer.in_features, layer.out_features, len(trace.inputs)
    shown = batch_shape(got)
    if got.dim() > 2:
        features = math.prod(got.shape[1:])
        if features == wanted:
            return Message(
                "got {shown} and wants (b, {wanted}); flatten is missing: put x = x.flatten(1) before {name}.",
                shown=shown,
                wanted=wanted,
                name=name,
            )
        return Message(
            "got {shown} and wants (b, {wanted}); flatten is missing: put x = x.flatten(1) before {name}, and make it "
            "nn.Linear({features}, {outputs}), {sizes} = {features}.",
            shown=shown,
            wanted=wanted,
            name=name,
            features=features,
            outputs=outputs,
            sizes=times(tuple(got.shape[1:])),
        )
    if got.dim() == 1 or got.shape[0] != images:
        return Message(
            "got {shown} for {images} images: the batch dimension was lost, each image has {each} numbers. Keep it "
            "with x.flatten(1) in place of flatten(), view(-1) or squeeze().",
            shown=shown,
            images=images,
            each=got.numel() // images,
        )
    features = got.shape[1]
    source = Message("")
    if trace.image is not None and math.prod(trace.image) == features:
        source = Message(" The image is {image} = {features} there.", image=times(trace.image), features=features)
    return Message(
        "got {shown} and wants (b, {wanted}): wrong in_features, make it nn.Linear({features}, {outputs}).{source}",
        shown=shown,
        wanted=wanted,
        features=features,
        outputs=outputs,
        source=source,
    )


def _conv(layer: nn.Conv2d, name: str, got: Tensor) -> Message | None:
    wanted, shown = layer.in_channels, batch_shape(got)
    expects = f"wants (b, {wanted}, h, w)"
    if got.dim() == 2:
        side = math.isqrt(got.shape[1] // wanted)
        size = f"{side}, {side}" if side * side * wanted == got.shape[1] else "h, w"
        return Message(
            "got {shown}, flat rows, and {expects}: x = x.view(-1, {wanted}, {size}) before {name}.",
            shown=shown,
            expects=expects,
            wanted=wanted,
            size=size,
            name=name,
        )
    if got.dim() == 3 and wanted == 1:
        return Message(
            "got {shown} and {expects}: the channel dimension is missing, x = x.unsqueeze(1) before {name}.",
            shown=shown,
            expects=expects,
            name=name,
        )
    if got.dim() == 3:
        return Message(
            "got {shown} and {expects}: a dimension is missing; for a batch without channels x.unsqueeze(1), for one "
            "image without a batch x.unsqueeze(0).",
            shown=shown,
            expects=expects,
        )
    if got.dim() != 4:
        return None
    if got.shape[1] != wanted and got.shape[3] == wanted:
        return Message(
            "got {shown}, channels last, and {expects}, channels first: x = x.permute(0, 3, 1, 2) before {name}, or in "
            "the data set.",
            shown=shown,
            expects=expects,
            name=name,
        )
    if got.shape[1] != wanted:
        return Message(
            "got {shown} and {expects}: make it nn.Conv2d({channels}, {outputs}, …).",
            shown=shown,
            expects=expects,
            channels=got.shape[1],
            outputs=layer.out_channels,
        )
    return Message(
        "got {shown}: an image of {image} is smaller than its filter of {filter}. Pool less before it, or give it "
        "padding.",
        shown=shown,
        image=times(tuple(got.shape[2:])),
        filter=times(layer.kernel_size),
    )


def _batch_norm(layer: nn.BatchNorm1d | nn.BatchNorm2d, got: Tensor) -> Message | None:
    shown = batch_shape(got)
    if len(got) == 1 and layer.training:
        return Message(
            "got {shown}: one image has nothing to be normalised by; a larger batch size, or drop_last=True.",
            shown=shown,
        )
    flat = isinstance(layer, nn.BatchNorm1d)
    if flat and got.dim() == 4:
        return Message("got {shown}, images still: use nn.BatchNorm2d({channels}).", shown=shown, channels=got.shape[1])
    if not flat and got.dim() == 2:
        return Message(
            "got {shown}, rows of features: use nn.BatchNorm1d({features}).", shown=shown, features=got.shape[1]
        )
    if got.dim() >= 2 and got.shape[1] != layer.num_features:
        return Message(
            "got {shown}, {channels} channels and not {wanted}: nn.{kind}({channels}).",
            shown=shown,
            channels=got.shape[1],
            wanted=layer.num_features,
            kind=type(layer).__name__,
        )
    return None
