"""Which images are in which part, by what they are: wherever they lie and in whatever order, it is the same split."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from honshi.errors import DataError
from honshi.messages import Message

if TYPE_CHECKING:
    from torch import Tensor

    from honshi.data.examples import Examples

# So many bytes of its digest tell an image from the others of a set.
SHORT = 8


@dataclass(frozen=True)
class Changes:
    """What has become of the pictures of a run since it was begun. A picture that only has another name is unchanged.

    Attributes:
        added: pictures that were not there.
        removed: of the run's, those that are not there any more.
        relabelled: of the run's, those that have another label now.
    """

    added: int
    removed: int
    relabelled: int

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.relabelled)

    @property
    def sentence(self) -> Message:
        return Message(
            "Since this run was begun, its data have changed: pictures added {added:,}, removed {removed:,}, given "
            "another label {relabelled:,}. What was added is in none of its parts.",
            added=self.added,
            removed=self.removed,
            relabelled=self.relabelled,
        )


@dataclass(frozen=True)
class Manifest:
    """The division of a data set; ``split.json`` of a run folder.

    Attributes:
        source: what the data set is called, to be shown.
        seed: of the division.
        val_fraction: as asked for.
        train_size, val_size: images in each part.
        train_sha256, val_sha256: `Examples.identity` of each part; in a manifest with ``val_indices`` their
            `Examples.sha256`.
        val_indices: places of the validation images in the published training set, in manifests of the first
            version alone.
        val_digests: of the validation images, in their order (`short_digests`).
        train_digests: of the training images, where they are not all the others.
        test_digests: of someone's own pictures, those that were set aside for the exam.
        classes: of someone's own pictures, in the order of the labels.
        form: to which shape they were brought, and how (`honshi.data.store.Form`).
        normalization: mean and deviation of each channel, as they were shown to the model.
        by_folds: true where no validation part was set aside: the training images are the mock exam, each scored by
            models that did not see it.
        since: what was found to have changed in the data when they were last looked at (`Changes`).
    """

    source: str
    seed: int
    val_fraction: float
    train_size: int
    val_size: int
    train_sha256: str
    val_sha256: str
    val_indices: list[int] | None = None
    val_digests: list[str] | None = None
    train_digests: list[str] | None = None
    test_digests: list[str] | None = None
    classes: list[str] | None = None
    form: dict[str, Any] | None = None
    normalization: dict[str, list[float]] | None = None
    by_folds: bool | None = None
    since: dict[str, int] | None = field(default=None, compare=False)

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, text: str) -> Self:
        """
        Raises:
            ValueError, TypeError: this is none.
        """
        manifest = cls(**json.loads(text))
        sizes, names = (manifest.train_size, manifest.val_size), (manifest.train_sha256, manifest.val_sha256)
        if not (isinstance(manifest.source, str) and isinstance(manifest.val_fraction, float)):
            raise TypeError("source is a name and val_fraction a fraction")
        if not all(isinstance(size, int) and size > 0 for size in sizes):
            raise ValueError(f"there cannot be parts of {manifest.train_size} and {manifest.val_size} images")
        if not all(isinstance(name, str) and name.isalnum() for name in names):
            raise ValueError("its hashes are not hashes")
        return manifest

    @property
    def size(self) -> int:
        """Images that are not for the exam."""
        return self.train_size if self.by_folds else self.train_size + self.val_size

    @property
    def by_order(self) -> bool:
        """Whether it is one of the first version, which knew images by their places and data by their folder."""
        return self.val_digests is None

    def describes(self, train: Examples, val: Examples) -> bool:
        """Whether these are the parts that it was written for."""
        if self.by_order:
            return (train.sha256(), val.sha256()) == (self.train_sha256, self.val_sha256)
        return (train.identity, val.identity) == (self.train_sha256, self.val_sha256)

    def places(self, published: Examples) -> tuple[Tensor, Tensor]:
        """Where the images of both parts are in the data as they are now.

        Returns:
            int64 places of the training part, ascending where it is all the others, and of the validation part.

        Raises:
            DataError: they are not all there; the message says how many.
        """
        import torch  # what only reads a manifest does without

        if self.val_digests is None:
            raise DataError(
                "An earlier version has written down the order of the data alone, and neither their order nor their "
                "content may have changed since."
            )
        known: defaultdict[str, list[int]] = defaultdict(list)
        for place, digest in reversed(list(enumerate(short_digests(published)))):
            known[digest].append(place)

        def find(digests: Iterable[str]) -> list[int | None]:
            return [known[digest].pop() if known[digest] else None for digest in digests]

        val, train = find(self.val_digests), find(self.train_digests or ())
        missing = val.count(None) + train.count(None)
        if self.by_folds and not missing:
            return torch.tensor(val, dtype=torch.int64), torch.tensor(val, dtype=torch.int64)
        others = sorted(place for places in known.values() for place in places)
        if self.train_digests is None:
            train = list(others)
            missing_of_train = self.train_size - len(others)
            if missing_of_train > 0:
                missing += missing_of_train
            elif missing_of_train < 0:
                raise DataError(
                    "{missing:,} of its images are missing, and {new:,} are new.",
                    missing=missing,
                    new=-missing_of_train,
                )
        if missing:
            raise DataError(
                "{missing:,} of its {count:,} images are missing.",
                missing=missing,
                count=self.size,
            )
        return torch.tensor(train, dtype=torch.int64), torch.tensor(val, dtype=torch.int64)


def short_digests(images: Examples) -> list[str]:
    """The first 16 hexadecimal digits of the hash of each image's pixels, a dash, and its label."""
    from honshi.data.examples import LABEL_DIGEST

    digits = images.digests[:, :SHORT].tobytes().hex()
    labels = [int.from_bytes(label.tobytes(), "big") for label in images.digests[:, -LABEL_DIGEST:]]
    return [f"{digits[2 * SHORT * place : 2 * SHORT * (place + 1)]}-{label}" for place, label in enumerate(labels)]
