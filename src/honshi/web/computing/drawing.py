"""What models take a drawing or a picture for, as quickly as a hand draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from honshi.files import home
from honshi.web.computing.models import opened, picture, stamp

if TYPE_CHECKING:
    from torch import nn

    from honshi.evaluation.novelty import Novelty
    from honshi.prediction import Predictor

# Models that are kept at hand: the two on the page, and those before.
MOST_AT_HAND = 4


@dataclass
class AtHand:
    """A run's model, ready to be asked.

    Attributes:
        predictor: answers what a picture is.
        model: the same, of which one can see what goes on inside.
        kept: where what is known of its training images is kept.
        novelty: the same, once it is there.
    """

    predictor: Predictor
    model: nn.Module
    kept: Path
    novelty: Novelty | None = None


def look(
    runs: list[str], content: bytes, size: tuple[int, int] | None, invert: bool, as_is: bool
) -> list[dict[str, Any]]:
    """What each of some runs takes a picture for.

    Args:
        runs: their folders.
        content: of a picture's file, or a drawing's grey pixels, dark on light.
        size: (w, h) of a drawing; None of a file.
        invert: swap dark and light first.
        as_is: do not bring it into the form that the training images had.

    Raises:
        HonshiError: it is no picture that can be read, or there is no such model.
    """
    import numpy as np

    from honshi.pictures.prepare import look_inverted, prepared

    given: Any = content
    if size is not None:
        given = np.frombuffer(content, np.uint8).reshape(size[1], size[0])
    answers = []
    for run in runs:
        hand = at_hand(run)
        contract = replace(hand.predictor.contract, form=None) if as_is else hand.predictor.contract
        seen = prepared(given, contract, invert=invert)
        answer = hand.predictor.predict_pixels(seen.pixels.unsqueeze(0))
        unlike = None if hand.novelty is None else hand.novelty.unlike(hand.model, seen.pixels.unsqueeze(0))[0]
        answers.append(
            {
                "classes": list(answer.classes),
                "probabilities": answer.probabilities[0].tolist(),
                "unlike": unlike,
                "formed": seen.formed,
                "inverted": not seen.formed and bool(look_inverted(seen.pixels.unsqueeze(0), contract)[0]),
                "seen": picture(seen.pixels),
            }
        )
    return answers


def learn(run: str) -> bool:
    """Look at a run's training and validation images, to know what is unlike them; kept for `look`.

    Raises:
        HonshiError: there is no such model, or its data are gone.
    """
    from honshi.evaluation.novelty import Novelty
    from honshi.evaluation.out_of_fold import OutOfFold
    from honshi.experiment import answered_images, first_fold
    from honshi.runs import Run

    path = _kept(run)
    if _novelty(path) is None:
        model, splits = opened(run)
        if splits.manifest.by_folds:
            images, places = answered_images(Run(Path(run)), splits)
            splits = first_fold(replace(splits, train=images), OutOfFold.read(Path(run)), places)
        Novelty.of(model, splits.train, splits.val).write(path)
    return True


def at_hand(run: str) -> AtHand:
    """A run's model as it is now.

    Raises:
        HonshiError: there is none.
    """
    hand = _loaded(run, stamp(run))
    if hand.novelty is None:
        hand.novelty = _novelty(hand.kept)
    return hand


@lru_cache(MOST_AT_HAND)
def _loaded(run: str, _stamp: tuple[int, int] | None) -> AtHand:
    from honshi.prediction import Predictor
    from honshi.runs import Run

    model = Run(Path(run)).model()
    return AtHand(Predictor(model), model, _kept(run))


def _kept(run: str) -> Path:
    """Where what is known of a run's training images is kept.

    By its weights alone: the same ones trained on other images would be a coincidence.

    Raises:
        ModelError: it has no model.
    """
    from honshi.runs.sidecar import read_sidecar

    return home() / "novelty" / f"{read_sidecar(Path(run) / 'model.safetensors').weights_sha256}.safetensors"


def _novelty(path: Path) -> Novelty | None:
    """What is kept there; None where nothing is, or it is damaged."""
    from honshi.evaluation.novelty import Novelty

    try:
        return Novelty.read(path)
    except (OSError, ValueError, KeyError):
        return None
