"""What each process sees of the images: its share of every mini-batch, and of what is scored.

Shapes: b images in a share, B in the whole mini-batch, each (c, h, w); k classes.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from honshi.data.augment import Augmentation
from honshi.data.batches import Batch, Batches, Data, OnDevice, make_batches
from honshi.data.examples import Examples
from honshi.data.order import shard_orders
from honshi.errors import ModelError, WrongKindError
from honshi.evaluation.answers import Criterion, classes_of, loss_of
from honshi.evaluation.evaluate import infer
from honshi.evaluation.evaluate import loss_and_accuracy as loss_and_accuracy_alone
from honshi.losses import CrossEntropy
from honshi.training.distributed.world import World


class SharedBatches(Batches):
    """This process's share of every mini-batch of all.

    The order of an epoch is the same in all processes, drawn from the same generator, and is that of one process.
    """

    def __init__(
        self,
        images: Examples,
        batch_size: int,
        world: World,
        *,
        shuffle: torch.Generator | None = None,
        augment: Augmentation | None = None,
        device: torch.device | None = None,
    ) -> None:
        """
        Args:
            batch_size: images in a mini-batch over all processes, at least one for each.
            images, shuffle, augment, device: as for `Batches`.
        """
        own = world.share(batch_size)
        super().__init__(images, own.stop - own.start, shuffle=shuffle, augment=augment, device=device)
        self.world = world
        self.whole_batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.labels) // self.whole_batch_size)

    def whole_size(self, step: int) -> int:
        """Images in a mini-batch over all processes; the first is step 1."""
        return min(self.whole_batch_size, len(self.labels) - (step - 1) * self.whole_batch_size)

    def order(self) -> Tensor:
        """The places of this process's images in the order of one epoch."""
        if self.shuffle is not None and self.images.homes is not None:
            # Each process reads files of its own, so the order is another one than that of one process.
            batches, rest = divmod(len(self.labels), self.whole_batch_size)
            shares = zip(self.world.shares(self.whole_batch_size), self.world.shares(rest), strict=True)
            counts = [batches * each + last for each, last in shares]
            own = shard_orders(self.images.homes, counts, self.at_once, self.shuffle)[self.world.rank].to(self.device)
        else:
            mini_batches = super().order().split(self.whole_batch_size)
            own = torch.cat([places[self.world.share(len(places))] for places in mini_batches])
        if self.shuffle is not None:
            # What else an epoch draws, augmentation and mixup, each process draws for itself.
            self.shuffle.manual_seed(int(torch.randint(2**62, (), generator=self.shuffle)) + self.world.rank)
        return own

    def __iter__(self) -> Iterator[Batch]:
        yield from super().__iter__()
        last = self.world.share(self.whole_size(len(self)))
        if last.start == last.stop:
            nothing = torch.empty(0, *self.images.shape, dtype=torch.uint8, device=self.device)
            mixed = self.augment is not None and self.augment.mixup > 0
            labels = torch.zeros(0, self.classes, device=self.device) if mixed else self.labels[:0]  # (0, k) or (0,)
            yield self.normalization(nothing), labels


def batches_of(
    data: object,
    batch_size: int,
    world: World,
    *,
    shuffle: torch.Generator | None = None,
    augment: Augmentation | None = None,
    device: torch.device | None = None,
) -> Batches | OnDevice:
    """As `make_batches`; with several processes each gets its share of every mini-batch.

    Raises:
        WrongKindError: as `make_batches`; or the data are to be shared and are no `Examples`.
    """
    if world.size == 1:
        return make_batches(data, batch_size, shuffle=shuffle, augment=augment, device=device)
    return SharedBatches(_images(data), batch_size, world, shuffle=shuffle, augment=augment, device=device)


def whole(world: World, share: Tensor, size: int) -> Tensor:
    """The shares of all processes, (B, …), of this one's, (b, …), through which alone gradients go back.

    Args:
        size: B.
    """
    own = world.share(size)
    everything = torch.zeros(size, *share.shape[1:], dtype=torch.float64, device=share.device)
    everything[own] = share.detach().double()
    world.add_up(everything)
    everything = everything.to(share.dtype)
    return torch.cat([everything[: own.start], share, everything[own.stop :]])


def loss_and_accuracy(model: nn.Module, data: Data, criterion: Criterion, world: World) -> tuple[float, float]:
    """As `honshi.evaluation.evaluate.loss_and_accuracy`; of several processes each scores its share of the images.

    Args:
        model, data: as there; `Examples` where they are to be shared.
        criterion: logits and labels to a mean over images.
        world: the processes.
    """
    if world.size == 1:
        return loss_and_accuracy_alone(model, data, criterion)
    images = _images(data)
    if not len(images):
        raise ModelError("There are no images to evaluate.")
    by_share = is_mean_over_images(criterion)
    if not by_share and len(images) < world.size:
        return loss_and_accuracy_alone(model, data, criterion)
    own = world.share(len(images))
    loss, right = 0.0, 0
    if own.stop > own.start:
        logits, labels = infer(model, images.subset(range(own.start, own.stop)))  # (b, k) and (b,)
        answered, true = classes_of(logits, labels)  # (b,) both
        right = int((answered == true).sum())
        if not by_share:
            logits, labels = whole(world, logits, len(images)), whole(world, labels, len(images))
        loss = loss_of(criterion, logits, labels).item() * len(true)
    loss_total, right_total = world.total(loss, right)
    return loss_total / len(images), right_total / len(images)


def is_mean_over_images(criterion: Criterion) -> bool:
    """Whether the loss of a mini-batch is the mean of the losses of its images, by what is known of its kind."""
    if type(criterion) is nn.CrossEntropyLoss:
        return criterion.reduction == "mean" and criterion.weight is None and criterion.ignore_index < 0
    return type(criterion) is CrossEntropy


def _images(data: object) -> Examples:
    """Raises: WrongKindError, where they are something else."""
    if not isinstance(data, Examples):
        raise WrongKindError(
            "Only honshi.Images are divided among processes, and these data are a {kind}: "
            "make Images of them, or train in one process.",
            kind=type(data).__name__,
        )
    return data
