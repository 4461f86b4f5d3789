"""What is seen in milliseconds, and so is looked at before every training."""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor

from honshi.checks.data import check_balance, check_images, check_labels
from honshi.checks.draw import few_of
from honshi.checks.finding import Finding, failed, passed, warned
from honshi.data import Examples, Splits
from honshi.evaluation.intervals import wilson

# Of the images that are looked at, and of their pixels; the labels are looked at all.
IMAGES, FEWEST, PIXELS = 1000, 50, 5_000_000
# With fewer validation images, an accuracy of 90 % is not known to 6 points either way.
VALIDATION = 100
# An interval wider than this tells good models from poor ones, and not better ones from good ones.
WIDE = 0.1
# EMNIST's files: their shape, how many classes each has (letters numbered from 1 among them), and that what lies in
# them is transposed: written characters are taller than wide, so there they are so many times wider than tall.
EMNIST_SHAPE, EMNIST_CLASSES, WIDER = (1, 28, 28), (10, 26, 27, 36, 37, 47, 62), 1.1


def before_training(splits: Splits[Examples]) -> list[Finding]:
    """What is wrong with the data of a training, as far as a short look tells.

    Returns:
        Warnings, and failures: with those a training teaches nothing.
    """
    train = splits.train
    if not len(train):
        return []
    few = few_of(train, min(IMAGES, max(FEWEST, PIXELS // math.prod(train.shape))))
    whole = replace(few, all_labels=train.labels)
    findings = [
        check_labels(whole),
        check_balance(whole),
        check_images(few),
        check_upright(few.inputs, len(train.classes)),
        *([] if splits.manifest.by_folds else [check_validation(len(splits.val))]),
        *([] if splits.exam_size is None else [check_exam(splits.exam_size)]),
    ]
    return [finding for finding in findings if finding.level in ("warn", "fail")]


def check_upright(inputs: Tensor, classes: int) -> Finding:
    """Written characters as EMNIST's files hold them lie on their side.

    Args:
        inputs: (n, c, h, w), as a model is shown them.
        classes: that there are.
    """
    if tuple(inputs.shape[1:]) == EMNIST_SHAPE and classes in EMNIST_CLASSES:
        lowest, highest = inputs.amin(), inputs.amax()
        ink = inputs[:, 0] > (lowest + highest) / 2
        width, height = ink.any(1).sum().item(), ink.any(2).sum().item()
        if width > WIDER * height:
            return warned(
                "upright",
                "What is in the images is {ratio:.2f} times as wide as tall, like characters that lie on their side, "
                "as in EMNIST's files: harmless here, but a picture given to honshi predict has to lie like that, too.",
                ratio=width / height,
            )
    return passed("upright", "Nothing looks as if it lay on its side.")


def check_validation(n: int) -> Finding:
    """Whether a score on so many validation images says much."""
    if n >= VALIDATION:
        return passed("validation", "There are {n:,} validation images.", n=n)
    if not n:
        return failed("validation", "There are no validation images: set some aside with --val.")
    lower, upper = wilson(round(0.9 * n), n)
    return warned(
        "validation",
        "There are only {n} validation images: 90 % of them right may be anything from {lower:.0%} to {upper:.0%} of "
        "all such images. Set more aside with --val.",
        n=n,
        lower=lower,
        upper=upper,
    )


def check_exam(n: int) -> Finding:
    """Whether a score on so many test images will say much."""
    if not n:
        return warned(
            "exam",
            "There is no exam: no test images with labels. Scores on validation images, which decisions are made on, "
            "are all that there will be.",
        )
    lower, upper = wilson(round(0.8 * n), n)
    if upper - lower <= WIDE:
        return passed("exam", "There are {n:,} test images.", n=n)
    return warned(
        "exam",
        "The exam has {n} images: 80 % right would mean {lower:.0%} to {upper:.0%} of all such images. More images, or "
        "a larger --test when they are first seen, make that narrower.",
        n=n,
        lower=lower,
        upper=upper,
    )
