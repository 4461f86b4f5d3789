"""What models take a drawing or a picture for, as quickly as a hand draws."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from honshi.files import home
from honshi.language import speaking

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
    runs: list[str], content: bytes, size: tuple[int, int] | None, invert: bool, as_is: bool, language: str
) -> list[dict[str, Any]]:
    """What each of some runs takes a picture for.

    Args:
        runs: their folders.
        content: of a picture's file, or a drawing's grey pixels, dark on light.
        size: (w, h) of a drawing; None of a file.
        invert: swap dark and light first.
        as_is: do not bring it into the form that the training images had.
        language: of what is wrong with it.

    Raises:
        HonshiError: it is no picture that can be read, or there is no such model.
    """
    import numpy as np

    from honshi.pictures.prepare import look_inverted, prepared

    picture: Any = content
    if size is not None:
        picture = np.frombuffer(content, np.uint8).reshape(size[1], size[0])
    answers = []
    with speaking(language):
        for run in runs:
            hand = at_hand(run)
            contract = replace(hand.predictor.contract, form=None) if as_is else hand.predictor.contract
            seen = prepared(picture, contract, invert=invert)
            answer = hand.predictor.predict_pixels(seen.pixels.unsqueeze(0))
            unlike = None if hand.novelty is None else hand.novelty.unlike(hand.model, seen.pixels.unsqueeze(0))[0]
            answers.append(
                {
                    "classes": list(answer.classes),
                    "probabilities": answer.probabilities[0].tolist(),
                    "unlike": unlike,
                    "formed": seen.formed,
                    "inverted": not seen.formed and bool(look_inverted(seen.pixels.unsqueeze(0), contract)[0]),
                    "seen": {
                        "shape": list(seen.pixels.shape),
                        "pixels": b64encode(seen.pixels.contiguous().numpy().tobytes()).decode("ascii"),
                    },
                }
            )
    return answers


def learn(run: str, language: str) -> bool:
    """Look at a run's training and validation images, to know what is unlike them; kept for `look`.

    Raises:
        HonshiError: there is no such model, or its data are gone.
    """
    from honshi.evaluation.novelty import Novelty
    from honshi.experiment import open_finished

    with speaking(language):
        hand = at_hand(run)
        if hand.novelty is None:
            _, model, splits = open_finished(run)
            Novelty.of(model, splits.train, splits.val).write(hand.kept)
    return True


def at_hand(run: str) -> AtHand:
    """A run's model as it is now.

    Raises:
        HonshiError: there is none.
    """
    about = (Path(run) / "model.json").stat() if (Path(run) / "model.json").is_file() else None
    hand = _loaded(run, None if about is None else (about.st_mtime_ns, about.st_size))
    if hand.novelty is None:
        from honshi.evaluation.novelty import Novelty

        try:
            hand.novelty = Novelty.read(hand.kept)
        except (OSError, ValueError, KeyError):
            hand.novelty = None
    return hand


@lru_cache(MOST_AT_HAND)
def _loaded(run: str, _stamp: tuple[int, int] | None) -> AtHand:
    from honshi.prediction import Predictor
    from honshi.runs import Run
    from honshi.runs.sidecar import read_sidecar

    found = Run(Path(run))
    model = found.model()
    sidecar = read_sidecar(found.path / "model.safetensors")
    # The same weights trained on other images would be a coincidence.
    return AtHand(Predictor(model), model, home() / "novelty" / f"{sidecar.weights_sha256}.safetensors")
