"""What a look at the first images tells before the first step is taken.

Shapes: b images in a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader, Dataset, IterableDataset

from honshi.data.batches import Batch, Data
from honshi.errors import ModelError
from honshi.models.modes import evaluating
from honshi.training.draws import Draws


def is_lazy(model: nn.Module) -> bool:
    """Whether a layer of it waits for its first inputs to learn its size."""
    return any(nn.parameter.is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers()))


def rehearse(model: nn.Module, data: Data, batch_size: int, batches: Iterable[Batch], draws: Draws) -> None:
    """Ask the model about the first images, where something hangs on it; nothing is drawn by that.

    1. Lazy layers learn their sizes, so that all that is made of the weights can be made. The tensors stay the same
       objects, which an optimizer may hold already.
    2. A mini-batch of a single image, where batch norm would have nothing to normalise it by, is found.

    Args:
        model: to be trained.
        data: what it is trained on.
        batch_size: images in a mini-batch, of data that have no size of their own.
        batches: of these data.
        draws: what they are drawn from.

    Raises:
        ModelError: there is such a mini-batch.
    """
    norms = _trained_norms(model) if _leaves_one(data, batch_size) else []
    if not norms and not is_lazy(model):
        return
    alone: list[bool] = []

    def look(_norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        alone.append(inputs[0].numel() == inputs[0].shape[1])

    handles = [norm.register_forward_pre_hook(look) for norm in norms]
    before = draws.state()
    try:
        for inputs, _ in batches:
            with evaluating(model):
                model(inputs[:1])  # (1, …)
            break
    finally:
        draws.go_on_from(before)
        for handle in handles:
            handle.remove()
    if any(alone):
        raise _a_single_image()


def _trained_norms(model: nn.Module) -> list[nn.Module]:
    """Batch norms that are not frozen."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    return [norm for norm in norms if norm.training or not model.training]


@contextmanager
def single_image_said() -> Iterator[None]:
    """Inside, torch's refusal to normalise a single image, in batches not known before, is said plainly."""
    try:
        yield
    except ValueError as error:
        if "Expected more than 1 value per channel" not in str(error):
            raise
        raise _a_single_image() from error


def _a_single_image() -> ModelError:
    return ModelError(
        "A mini-batch has a single image, and batch norm has nothing to normalise it by: "
        "choose another batch size, or drop_last=True in a DataLoader."
    )


def _leaves_one(data: Data, batch_size: int) -> bool:
    """Whether a mini-batch is a single image, where that can be known."""
    if isinstance(data, DataLoader):
        if data.batch_size is None or isinstance(data.dataset, IterableDataset):
            return False
        try:
            count, size, drops = len(data.sampler), data.batch_size, data.drop_last  # type: ignore[arg-type]
        except TypeError:  # a sampler of the caller's own need not tell
            return False
        return size == 1 or (count % size == 1 and not drops)
    if isinstance(data, IterableDataset) or not isinstance(data, Dataset):
        return False
    count = len(data)  # type: ignore[arg-type]
    return batch_size == 1 or count % batch_size == 1
