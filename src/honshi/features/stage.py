"""The first stage of a model over a frozen backbone: what it sees in examples is computed once and kept.

`fit` and `evaluate` ask `at_the_head` what they really train or score: of such a model its head, on kept features.
Everything else takes the whole model, and so needs to know nothing of this.

Shapes: n images, b of them at once; d features; v views.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from honshi.data.augment import Augmentation
from honshi.data.batches import Data
from honshi.data.examples import PIXELS_DIGEST, Examples
from honshi.features.kept import Kept
from honshi.features.seen import Features
from honshi.models import Frozen
from honshi.models.card import unwrapped
from honshi.models.identity import identity_of
from honshi.models.modes import evaluating
from honshi.pictures.contract import InputContract
from honshi.runtime import device_of, keep_freed_memory

# Of 224 x 224 pixels the widest features of 16 images are 77 MB: more are not quicker, and take more memory.
BATCH_SIZE = 16
# What was computed is written down after so long, so that an interruption costs no more.
SECONDS = 30.0


@dataclass(frozen=True)
class Seen:
    """How far the features have come.

    Attributes:
        done: images and views that were seen, of
        total: those that were not kept already.
        seconds: that took.
    """

    done: int
    total: int
    seconds: float

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.done / max(self.seconds, 1e-9)

    @property
    def left(self) -> float:
        """Seconds until all are seen, at this rate."""
        return (self.total - self.done) / max(self.rate, 1e-9)


Tell = Callable[[Seen], None]


def frozen_in(model: nn.Module) -> Frozen | None:
    """The model itself where it has a backbone that is frozen; None of any other, or where it is wrapped."""
    inner = unwrapped(model)
    return inner if isinstance(inner, Frozen) and inner.frozen and inner is model else None


def at_the_head(model: nn.Module, data: Data) -> tuple[nn.Module, Data]:
    """What is to be scored: of a model over a frozen backbone its head and the kept features, where all are kept.

    Nothing is computed, and nothing kept: a test set that is scored once leaves no trace.
    """
    frozen = frozen_in(model)
    if frozen is None or not isinstance(data, Examples) or isinstance(data, Features) or not len(data):
        return model, data
    features = _Stage(frozen, data, None, 0).kept()
    return (model, data) if features is None else (frozen.head, features)


def see(model: Frozen, data: Examples, augment: Augmentation | None = None, tell: Tell | None = None) -> Features:
    """The features of examples, computed where they are not kept yet.

    Args:
        model: of which the backbone looks at them.
        data: the images.
        augment: by which views of them are made; where it is given there are `Frozen.views` rows for each image, the
            first of them of the image itself.
        tell: called as it goes on, where something is to be computed.
    """
    views = 1 if augment is None else model.views
    stages = [_Stage(model, data, augment if view else None, view) for view in range(views)]
    parts = [stage.kept() for stage in stages]
    missing = [stage for stage, part in zip(stages, parts, strict=True) if part is None]
    progress = _Progress(sum(stage.missing for stage in missing), tell)
    for stage in missing:
        stage.compute(progress)
    values = torch.cat([stage.values() for stage in stages])
    return Features(values, data, torch.arange(len(data)).repeat(views))


class _Progress:
    """Counts what is seen, and tells it."""

    def __init__(self, total: int, tell: Tell | None) -> None:
        self.total, self.tell, self.done, self.started = total, tell, 0, time.perf_counter()

    def note(self, count: int) -> None:
        self.done += count
        if self.tell is not None:
            self.tell(Seen(self.done, self.total, time.perf_counter() - self.started))


class _Stage:
    """One view of a set of images through one backbone."""

    def __init__(self, model: Frozen, images: Examples, augment: Augmentation | None, view: int) -> None:
        self.model, self.images, self.augment, self.view = model, images, augment, view
        self.digests = images.digests[:, :PIXELS_DIGEST]
        self.store = Kept(_key(model.backbone, images, augment, view))
        self.found, self.there = self.store.find(self.digests)

    @property
    def missing(self) -> int:
        return int((~self.there).sum())

    def values(self) -> Tensor:
        assert self.found is not None
        return self.found

    def kept(self) -> Features | None:
        """All features; None where one is missing."""
        if self.found is None or not bool(self.there.all()):
            return None
        return Features(self.found, self.images)

    def compute(self, progress: _Progress) -> None:
        """See what is missing, and keep it."""
        device = device_of(self.model)
        if device.type == "cpu":
            keep_freed_memory()
        places = (~self.there).nonzero().flatten()
        since, begin = time.perf_counter(), 0
        with evaluating(self.model) as model:
            assert isinstance(model, Frozen)
            for start in range(0, len(places), BATCH_SIZE):
                some = places[start : start + BATCH_SIZE]
                features = model.see(self._inputs(some, device)).flatten(1).float().cpu()
                if self.found is None:
                    self.found = torch.empty(len(self.there), features.shape[1])
                self.found[some] = features
                progress.note(len(some))
                end = start + len(some)
                if end == len(places) or time.perf_counter() - since > SECONDS:
                    done = places[begin:end]
                    self.store.add(self.digests[done.numpy()], self.found[done])
                    since, begin = time.perf_counter(), end
        self.there[:] = True

    def _inputs(self, places: Tensor, device: torch.device) -> Tensor:
        """Normalised images (b, c, h, w), of a view changed by draws that follow from each image's own content."""
        pixels = self.images.gather(places)
        if self.augment is not None:
            draws = torch.Generator()
            changed = []
            for place, image in zip(places.tolist(), pixels, strict=True):
                seed = hashlib.sha256(self.digests[place].tobytes() + bytes([self.view % 256])).digest()[:8]
                draws.manual_seed(int.from_bytes(seed) >> 1)
                changed.append(self.augment(image.unsqueeze(0), draws).float())
            pixels = torch.cat(changed)
        return self.images.normalization(pixels.to(device))


def _key(backbone: nn.Module, images: Examples, augment: Augmentation | None, view: int) -> str:
    """A hash of all but the images themselves that makes features what they are."""
    said = (
        identity_of(backbone),
        images.shape,
        images.normalization,
        getattr(images, "wanted", InputContract(shape=images.shape, normalization=images.normalization)).fit,
        None if augment is None else (sorted(asdict(augment).items()), view),
    )
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]
