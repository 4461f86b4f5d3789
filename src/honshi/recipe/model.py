"""Kinds of model: what each is called, which options it has, how it is built, and what it can.

A kind is its options and its network, and is added without a change elsewhere:

    @register
    class Options(ModelOptions):
        network = "mine:Network"
        kind: Literal["mine"] = "mine"
        width: Count = 64

        def arguments(self, shape, classes):
            return {"inputs": math.prod(shape), "width": self.width, "classes": classes}

The network is an nn.Module which keeps the arguments that it was built with as ``self.architecture``.

Shapes: (c, h, w) one image.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import Field

from honshi.recipe.kinds import Kinds
from honshi.recipe.options import Changes, Flag, Fraction, Int, Options
from honshi.recipe.ranges import Entry, Range


class ModelOptions(Options):
    """What a kind of model is asked for; each answer but the first two may be left as it is here.

    Attributes:
        network: where its class is, "package.module:Class"; it is imported when one is built.
        convolutional: whether it need not learn a shape anew for each place.
        kind: by which the recipe knows it.
        members: so many networks are trained side by side and answer together.
    """

    network: ClassVar[str]
    convolutional: ClassVar[bool] = False

    kind: str
    members: Annotated[Int, Field(ge=1, le=100)] = 1

    @abstractmethod
    def arguments(self, shape: tuple[int, int, int], classes: int) -> dict[str, Any]:
        """What the network is called with, as JSON holds it.

        Args:
            shape: of an image, (c, h, w).
            classes: that there are.

        Raises:
            RecipeError: the images are too small.
        """

    def needs_two_images(self, shape: tuple[int, int, int]) -> bool:
        """Whether it cannot be trained on a mini-batch of a single image of this shape."""
        return False

    def kept_views(self, augmented: bool) -> int:
        """Of how many views of each training image its features can be kept; 0 where they cannot, because it learns
        them.

        Args:
            augmented: whether the training images are changed at random.
        """
        return 0

    def described(self) -> str:
        """The kind in a line, as plans and tables have it."""
        return f"{self.members} × {self.kind}" if self.members > 1 else self.kind

    def resized(self, factor: float) -> Changes | None:
        """What makes its layers so many times as wide; None where that cannot be, or not sensibly."""
        return None

    def with_batch_norm(self) -> Changes | None:
        """What has it normalise its layers; None where it cannot, or does already."""
        return None

    def with_more_dropout(self) -> Changes | None:
        """What has it drop more activations; None where it cannot."""
        return None

    def without_dropout(self) -> Changes | None:
        """What has it drop none; None where it drops none."""
        return None

    def search_space(self) -> Mapping[str, Entry]:
        """Which of its options a search varies when the recipe does not say, and between what."""
        return {}


class WithDropout(ModelOptions):
    """A kind that can drop activations."""

    dropout: Fraction = 0.0

    def with_more_dropout(self) -> Changes | None:
        return {"model.dropout": round(min(self.dropout + 0.2, 0.5), 2)} if self.dropout < 0.5 else None

    def without_dropout(self) -> Changes | None:
        return {"model.dropout": 0.0} if self.dropout else None

    def search_space(self) -> Mapping[str, Entry]:
        return {"model.dropout": Range(low=0.0, high=0.5, step=0.1)}


class TTAOptions(Options):
    """Test-time augmentation: answer by the mean over shifted (in pixels) and mirrored copies of an image."""

    shift: Annotated[Int, Field(ge=0)] = 0
    flip: Flag = False


AnyModelOptions = TypeVar("AnyModelOptions", bound=ModelOptions)

MODELS: Kinds[ModelOptions] = Kinds("mlp")


def register(options: type[AnyModelOptions]) -> type[AnyModelOptions]:
    """Add a kind of model; to be written above its options.

    Raises:
        ValueError: there is another of that name.
    """
    MODELS.register(options)
    return options


def kinds() -> list[str]:
    """The kinds of model that there are, the default first."""
    return MODELS.names


def kind_called(kind: object) -> type[ModelOptions] | None:
    """The options of a kind of model."""
    return MODELS.get(kind)
