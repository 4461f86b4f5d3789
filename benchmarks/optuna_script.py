"""A search as a user of Optuna and PyTorch writes it, after Optuna's own example for PyTorch.

    python -m benchmarks.optuna_script --seconds 60

TensorDataset and DataLoader, made once; TPE, the MedianPruner, one report an epoch, the study in memory. The
space is the default one of `honshi tune`, so the images are augmented here too, by kornia, a batch at a time.
Prints JSON: trials finished and complete, seconds, and the best validation accuracy.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import optuna
import torch
from kornia.augmentation import RandomAffine
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import mnist

EPOCHS = 10
VALIDATION = 6000

pixels, labels = mnist.training_set()
order = np.random.default_rng(0).permutation(len(labels))
images = torch.from_numpy(mnist.normalized(pixels)).view(-1, 1, 28, 28)
targets = torch.from_numpy(labels)
train_set = TensorDataset(images[order[VALIDATION:]], targets[order[VALIDATION:]])
val_set = TensorDataset(images[order[:VALIDATION]], targets[order[:VALIDATION]])


def define_model(trial: optuna.Trial) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    dropout = trial.suggest_float("dropout", 0.0, 0.5, step=0.1)
    inputs = 784
    for number in range(trial.suggest_int("layers", 1, 3)):
        outputs = trial.suggest_int(f"units_{number}", 32, 512, log=True)
        layers += [nn.Linear(inputs, outputs), nn.ReLU(), nn.Dropout(dropout)]
        inputs = outputs
    return nn.Sequential(*layers, nn.Linear(inputs, 10))


def define_optimizer(trial: optuna.Trial, model: nn.Module) -> torch.optim.Optimizer:
    weight_decay = trial.suggest_categorical("weight_decay", [0.0, 1e-5, 1e-4, 1e-3])
    if trial.suggest_categorical("optimizer", ["sgd", "adam"]) == "sgd":
        lr = trial.suggest_float("lr_sgd", 0.01, 1.0, log=True)
        return torch.optim.SGD(model.parameters(), lr=lr, weight_decay=weight_decay)
    lr = trial.suggest_float("lr_adam", 0.0001, 0.03, log=True)
    return torch.optim.Adam(model.parameters(), lr=lr, weight_decay=weight_decay)


def objective(trial: optuna.Trial) -> float:
    model = define_model(trial)
    optimizer = define_optimizer(trial, model)
    batch_size = trial.suggest_categorical("batch_size", [32, 64, 128, 256])
    strength = trial.suggest_float("strength", 0.0, 1.0, step=0.25)
    augment = RandomAffine(
        10 * strength, (0.1 * strength, 0.1 * strength), (1 - 0.1 * strength, 1 + 0.1 * strength), p=1.0
    )
    criterion = nn.CrossEntropyLoss()
    train_loader = DataLoader(train_set, batch_size=batch_size, shuffle=True)
    val_loader = DataLoader(val_set, batch_size=1000)
    accuracy = 0.0
    for epoch in range(EPOCHS):
        model.train()
        for batch, answers in train_loader:
            inputs = augment(batch) if strength else batch
            optimizer.zero_grad()
            loss = criterion(model(inputs), answers)
            loss.backward()
            optimizer.step()

        model.eval()
        correct = 0
        with torch.no_grad():
            for batch, answers in val_loader:
                correct += int((model(batch).argmax(1) == answers).sum())
        accuracy = correct / len(val_set)
        trial.report(accuracy, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return accuracy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    torch.manual_seed(0)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(),
    )
    started = time.perf_counter()
    study.optimize(objective, timeout=seconds)
    elapsed = time.perf_counter() - started
    complete = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    answer = {
        "finished": len(study.trials),
        "complete": len(complete),
        "seconds": elapsed,
        "best": study.best_value if complete else None,
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
