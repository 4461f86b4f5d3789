"""Does the device compute what the CPU computes?"""

from __future__ import annotations

import torch

from honshi.checks.finding import Finding, failed, passed
from honshi.checks.sample import Sample
from honshi.checks.subject import Subject, without_dropout
from honshi.models.modes import train_mode

STEPS = 20
BATCH = 64
# Of the loss. Other orders of the sums, and TF32 in convolutions, part the two slowly.
TOLERANCE = 0.02


def check_device(subject: Subject, sample: Sample) -> Finding:
    """The same 20 steps of SGD on the CPU and on the model's device, without dropout, on copies."""
    batches = list(sample.batches(BATCH, STEPS))
    losses = [_losses(subject, batches, device) for device in (torch.device("cpu"), subject.device)]
    differences = [abs(there - here) / max(abs(here), 1e-3) for here, there in zip(*losses, strict=True)]
    largest = max(differences)
    name = subject.device.type
    if not largest <= TOLERANCE:
        step = next(step for step, difference in enumerate(differences, start=1) if not difference <= TOLERANCE)
        return failed(
            "device",
            "On {device} the loss of step {step} is {there:.4f} and on the CPU {here:.4f}: train with --device cpu, "
            "and look for random numbers or a fixed device in forward().",
            device=name,
            step=step,
            there=losses[1][step - 1],
            here=losses[0][step - 1],
        )
    return passed(
        "device",
        "{steps} steps on {device} and on the CPU agree, their losses within {largest:.1%}.",
        steps=STEPS,
        device=name,
        largest=largest,
    )


def _losses(subject: Subject, batches: list[tuple[torch.Tensor, torch.Tensor]], device: torch.device) -> list[float]:
    work = subject.copy()
    model = without_dropout(work.model).to(device)
    criterion = work.criterion.to(device) if isinstance(work.criterion, torch.nn.Module) else work.criterion
    optimizer = torch.optim.SGD((parameter for parameter in model.parameters() if parameter.requires_grad), lr=0.01)
    train_mode(model)
    trained = Subject(model, criterion, optimizer)
    return [trained.step(inputs.to(device), labels.to(device))[1] for inputs, labels in batches]
