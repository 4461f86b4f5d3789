"""What a training is about to do, a line for each part of the lecture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from honshi.data.leak_policy import compared, describe
from honshi.experiment import Experiment
from honshi.messages import Message
from honshi.models import Frozen, layer_table, network_in, parameter_count
from honshi.recipe import AugmentOptions, Options, TTAOptions
from honshi.runs.environment import device_name
from honshi.runtime.bfloat16 import has_bfloat16


@dataclass(frozen=True)
class Line:
    """A line of a plan; without a name it goes on with the one before.

    Attributes:
        name: what it is about.
        texts: what is said, one below the other.
    """

    name: Message | None
    texts: list[Message]


@dataclass(frozen=True)
class Plan:
    """What a training is about to do.

    Attributes:
        title: of the recipe.
        lines: data first, device last.
    """

    title: Message
    lines: list[Line]

    @classmethod
    def of(cls, experiment: Experiment, warnings: Sequence[Message] = ()) -> Plan:
        """The plan of a training, and what its data give to think about before it begins."""
        noted = [Line(Message("note"), [warning]) for warning in warnings]
        lines = [*_data(experiment), *noted, *_model(experiment), *_training(experiment)]
        return cls(Message("recipe {name}", name=experiment.recipe.name), lines)


def _line(name: str, sentence: str, /, **parameters: object) -> Line:
    return Line(Message(name) if name else None, [Message(sentence, **parameters)])


def _data(experiment: Experiment) -> list[Line]:
    splits, recipe = experiment.splits, experiment.recipe
    mean, std = splits.train.normalization.mean, splits.train.normalization.std
    lines = [
        _line(
            "data",
            "{data}, images {shape}, normalised by {normalization}",
            data=splits.manifest.source,
            shape="×".join(map(str, splits.train.shape)),
            normalization=", ".join(f"{m:.4g} ± {s:.4g}" for m, s in zip(mean, std, strict=True)),
        ),
        *(Line(told.about, list(told.texts)) for told in splits.told),
        _line("train", "{n:,} images: {classes}", n=len(splits.train), classes=_classes(experiment)),
        *(_folds(experiment) if splits.manifest.by_folds else _validation(experiment)),
        _line("test", "sealed, the real exam: honshi test, once"),
    ]
    if recipe.augment != AugmentOptions():
        lines.append(_line("augment", "{options}", options=shown(recipe.augment)))
    return lines


def _validation(experiment: Experiment) -> list[Line]:
    splits, leaks = experiment.splits, experiment.leaks
    found: Message = Message("{found}", found=describe(leaks, len(splits.val)))
    if leaks:
        found = Message("{found}: leaks.json, leaks.png; --drop-leaks trains without them", found=found)
    return [
        _line("validation", "{n:,} images, the mock exam: as often as you like", n=len(splits.val)),
        Line(Message("leaks"), [found, compared(splits.train, splits.val)]),
    ]


def _folds(experiment: Experiment) -> list[Line]:
    options = experiment.recipe.data
    return [
        _line(
            "validation",
            "by {folds} folds, {repeats} times: each training image is scored by models that have not seen it, and the "
            "model that is kept learns from all of them",
            folds=options.folds,
            repeats=options.repeats or 1,
        ),
        *([] if experiment.splits.units is None else [_line("", "copies and pictures of one group are in one fold")]),
    ]


def _classes(experiment: Experiment) -> Message:
    """How many images each class has; of more than ten classes only how many at least and at most."""
    train = experiment.splits.train
    counts = train.class_counts()
    if len(counts) > 10:
        return Message(
            "{classes} classes of {fewest:,} to {most:,}", classes=len(counts), fewest=min(counts), most=max(counts)
        )
    named = (f"{name}: {count:,}" for name, count in zip(train.classes, counts, strict=True))
    return Message("{named}", named=" · ".join(named))


def _model(experiment: Experiment) -> list[Line]:
    recipe, model = experiment.recipe, experiment.model
    network: nn.Module = network_in(model)
    shape: tuple[int, ...] = experiment.splits.train.shape
    if isinstance(network, Frozen):
        # What learns; a backbone has a hundred layers.
        shape, network = (network.head.features,), network.head
    layers = [
        f"{layer.name} {layer.kind} → {'×'.join(map(str, layer.output))}"
        + (f" ({layer.parameters:,})" if layer.parameters else "")
        for layer in layer_table(network, shape)
    ]
    lines = [
        _line(
            "model",
            "{kind}, {parameters:,} parameters",
            kind=recipe.model.described(),
            parameters=parameter_count(model),
        ),
        Line(None, [Message("{layer}", layer=layer) for layer in layers]),
    ]
    if recipe.tta != TTAOptions():
        lines.append(_line("answers", "the mean over copies of an image: {options}", options=shown(recipe.tta)))
    return lines


def _training(experiment: Experiment) -> list[Line]:
    recipe, options = experiment.recipe, experiment.recipe.training
    precision = _precision(experiment)
    lines = [
        _line("loss", "{options}", options=shown(recipe.loss)),
        _line(
            "optimizer",
            "{options}; learning rate {schedule}",
            options=shown(recipe.optimizer),
            schedule=shown(recipe.schedule),
        ),
        _line(
            "training",
            "{epochs} epochs of {steps:,} steps, batch size {batch_size}, seed {seed}{precision}",
            epochs=options.epochs,
            steps=experiment.steps_per_epoch,
            batch_size=options.batch_size,
            seed=options.seed,
            precision=precision,
        ),
    ]
    if options.ema is not None:
        lines.append(
            _line("", "the average of the weights is scored and kept, fading by {ema} a step", ema=options.ema)
        )
    if options.swa is not None:
        lines.append(
            _line("", "the mean of the weights over the last {swa:.0%} of steps is scored and kept", swa=options.swa)
        )
    if (chosen := experiment.precision) is not None:
        lines.append(_line("precision", "{used}: {why}", used=chosen.used, why=chosen.why))
    device = {"device": experiment.device, "name": device_name(experiment.device)}
    if experiment.device.type == "cpu":
        lines.append(_line("device", "{device} ({name}, {threads} threads)", threads=torch.get_num_threads(), **device))
    else:
        lines.append(_line("device", "{device} ({name})", **device))
    return lines


def _precision(experiment: Experiment) -> Message:
    """What the steps are computed in, where that was not chosen and is not float32."""
    if experiment.precision is not None or experiment.recipe.training.precision == "float32":
        return Message("")
    if experiment.device.type == "cpu" and not has_bfloat16(experiment.device):
        return Message(", bfloat16: slower than float32 on this CPU, which has no instructions for it")
    return Message(", bfloat16")


def shown(options: Options) -> str:
    """A part of the recipe in a line: its kind, and what differs from 0, off and none."""
    values = options.model_dump()
    kind = [values.pop("kind")] if "kind" in values else []
    return " ".join([*kind, *(f"{key}={value}" for key, value in values.items() if value not in (0, False, None))])
