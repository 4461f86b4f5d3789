"""What this machine offers: device, threads, compiled parts, versions and data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from honshi import losses, models
from honshi.data import Images, Normalization, fashion_mnist, mnist
from honshi.files import home
from honshi.messages import Message, said
from honshi.native.library import COMPILE
from honshi.native.parts import Part, parts
from honshi.recipe import Recipe
from honshi.runs.environment import describe
from honshi.runtime import available_devices, pick_device, seeded, threads
from honshi.training.precision import PrecisionChoice, choose_precision

WHY = {
    "cuda": Message("the first of cuda, mps, cpu that works here"),
    "mps": Message("no cuda here"),
    "cpu": Message("neither cuda nor mps here"),
}


@dataclass(frozen=True)
class Machine:
    """This machine as honshi sees it.

    Attributes:
        device: which ``auto`` chooses.
        available: all that work here.
        environment: what a run's ``environment.json`` would hold.
        precision: what ``training.precision = "auto"`` chooses for recipe `fast99`.
        compiled: each part of the C code, and whether it is used.
        fashion_mnist: where its files are; None where they are not here.
        home: honshi's own folder.
    """

    device: torch.device
    available: list[str]
    environment: dict[str, Any]
    precision: PrecisionChoice
    compiled: list[Part]
    fashion_mnist: Path | None
    home: Path

    @property
    def lines(self) -> list[tuple[Message, Message]]:
        """What a line is about, and what is said; an empty name goes on with the line before."""
        facts = self.environment
        versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
        not_here = Message("not here; fetched when first used")
        found = not_here if self.fashion_mnist is None else Message("{folder}", folder=self.fashion_mnist)
        return [
            (
                Message("device"),
                Message(
                    "{device} ({name}): {why}", device=self.device, name=facts["device_name"], why=WHY[self.device.type]
                ),
            ),
            (Message("threads"), self._threads()),
            (
                Message("precision"),
                Message("auto is {used} for recipe fast99: {why}", used=self.precision.used, why=self.precision.why),
            ),
            *self._compiled_lines(),
            (Message("system"), Message("{system}", system=facts["system"])),
            (Message("versions"), Message("{versions}", versions=versions)),
            (Message("mnist"), Message("in the package")),
            (Message("fashion-mnist"), found),
            (Message("home"), Message("{home} (HONSHI_HOME names another)", home=self.home)),
        ]

    def _threads(self) -> Message:
        counts = {"threads": self.environment["threads"], "cores": self.environment["cores"]}
        name = threads.set_by()
        if name is not None:
            return Message("{threads} of {cores} cores, as {name} says", name=name, **counts)
        if threads.may_be_changed():
            return Message("{threads} of {cores} cores; fewer while other processes compute on them", **counts)
        return Message("{threads} of {cores} cores", **counts)

    def _compiled_lines(self) -> list[tuple[Message, Message]]:
        lines: list[tuple[Message, Message]] = []
        for part in self.compiled:
            used = Message("{part}: used. {why}", part=said(part.name), why=part.why)
            without = Message("{part}: not used. {why}", part=said(part.name), why=part.why)
            lines.append((Message("" if lines else "compiled"), used if part.used else without))
        if any(part.shipped for part in self.compiled):
            instead = Message(
                "{variable}=1 compiles them for this very processor instead, once, where a C compiler is.",
                variable=COMPILE,
            )
            lines.append((Message(""), instead))
        return lines

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.environment,
            "available_devices": self.available,
            "data": {
                "mnist": str(mnist.FOLDER),
                "fashion-mnist": None if self.fashion_mnist is None else str(self.fashion_mnist),
            },
            "home": str(self.home),
            "precision": self.precision.to_dict(),
            "compiled": {
                part.name: {"used": part.used, "why": str(part.why), "level": part.level, "shipped": part.shipped}
                for part in self.compiled
            },
            "compiled_epochs": self.compiled[0].used,
        }


def examine() -> Machine:
    """Look at this machine; compiled parts are built where they are not yet."""
    device = pick_device()
    environment = describe(device)
    del environment["started"]
    folders = [home() / "datasets" / "fashion-mnist", fashion_mnist.DEBIAN_FOLDER]
    here = [folder for folder in folders if all((folder / name).is_file() for name in fashion_mnist.SHA256)]
    return Machine(
        device=device,
        available=available_devices(),
        environment=environment,
        precision=_precision(device),
        compiled=list(parts()),
        fashion_mnist=here[0] if here else None,
        home=home(),
    )


def _precision(device: torch.device) -> PrecisionChoice:
    """What is quicker for the network of a recipe that leaves it open, on pictures of noise."""
    recipe = Recipe.read("fast99")
    count = recipe.training.batch_size
    with seeded(0):
        pixels = torch.randint(256, (count, 1, 28, 28), dtype=torch.uint8)
        images = Images(
            pixels=pixels,
            labels=torch.arange(count) % 10,
            classes=tuple(map(str, range(10))),
            normalization=Normalization(mean=(0.5,), std=(0.5,)),
        )
        model = models.build(recipe.model, images.shape, 10).to(device)
    criterion = losses.build(recipe.loss, images.class_counts()).to(device)
    return choose_precision(model, criterion, images, count)
