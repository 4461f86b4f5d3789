"""PyTorch Lightning on a DataLoader over a TensorDataset.

One Trainer and one module live through all epochs; an epoch is a call of ``Trainer.fit`` for one more,
with what Lightning does around it. Logger, checkpoints, progress bar and summary are off, and the loss
is summed by hand, which costs less than ``self.log``.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable

import lightning
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import mnist
from benchmarks.lecture_script import Net
from benchmarks.peers import BATCH_SIZE, LEARNING_RATE


# mypy takes Lightning for Any, since it need not be installed.
class LectureModule(lightning.LightningModule):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.net = Net()
        self.criterion = nn.CrossEntropyLoss()
        self.loss_sum = 0.0

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> Tensor:
        inputs, labels = batch
        loss: Tensor = self.criterion(self.net(inputs), labels)
        self.loss_sum += loss.item() * len(labels)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=LEARNING_RATE)


def prepare() -> Callable[[], float]:
    # It tells of the device it chose and of workers that this loader is better off without.
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")

    torch.manual_seed(0)
    pixels, labels = mnist.training_set()
    dataset = TensorDataset(torch.from_numpy(mnist.normalized(pixels)), torch.from_numpy(labels))
    loader = DataLoader(dataset, batch_size=BATCH_SIZE, shuffle=True)
    module = LectureModule()
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_epochs=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )

    def epoch() -> float:
        module.loss_sum = 0.0
        trainer.fit_loop.max_epochs += 1
        trainer.fit(module, loader)
        return module.loss_sum / len(dataset)

    return epoch
