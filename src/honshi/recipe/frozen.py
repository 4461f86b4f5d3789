"""A pretrained backbone that is left as it is, and a head that learns: their options, and what they can."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import model_validator

from honshi.messages import said
from honshi.recipe.model import WithDropout, register
from honshi.recipe.options import Changes, Count, Flag, problem
from honshi.recipe.ranges import Choices, Entry

# The backbones that have a name: side of the pictures that each was trained on, in pixels.
BACKBONES = {"efficientnet-lite0": 224, "efficientnet-lite2": 260}
# What stands before the name of one from the Hugging Face Hub, or before the folder that holds one.
HUB = "hf:"


@register
class FrozenOptions(WithDropout):
    """``backbone``: efficientnet-lite0, efficientnet-lite2 or hf:ORG/MODEL; of that last ``revision`` says which
    commit. ``hidden``: the sizes of the head's hidden layers; none makes it linear. ``views``: where the recipe
    augments, features of so many changed views of each training image are kept. ``finetune``: train the whole network
    afterwards, and keep that where it is better by more than chance.
    """

    network = "honshi.models.frozen:Pretrained"
    convolutional = True

    kind: Literal["frozen"] = "frozen"
    backbone: str = "efficientnet-lite0"
    revision: str | None = None
    hidden: tuple[Count, ...] = ()
    views: Count = 2
    finetune: Flag = False

    @model_validator(mode="after")
    def _one_that_is_known(self) -> Self:
        if self.members > 1:
            raise problem("members is 1: several heads on the same features would answer alike")
        if not self.backbone.startswith(HUB):
            if self.backbone not in BACKBONES:
                raise problem(
                    "there is no backbone called {name!r}; there are {known}, and hf:ORG/MODEL of the Hugging Face Hub",
                    name=self.backbone,
                    known=", ".join(BACKBONES),
                )
            if self.revision is not None:
                raise problem("revision belongs to a backbone of the Hugging Face Hub, hf:ORG/MODEL")
        return self

    def arguments(self, shape: tuple[int, int, int], classes: int) -> dict[str, Any]:
        return {
            "backbone": self.backbone,
            "revision": self.revision,
            "classes": classes,
            "hidden": list(self.hidden),
            "dropout": self.dropout,
            "views": self.views,
        }

    def kept_views(self, augmented: bool) -> int:
        return self.views if augmented else 1

    def described(self) -> str:
        if self.hidden:
            sizes = ", ".join(map(str, self.hidden))
            return said("{backbone}, frozen, with an MLP {sizes} as its head", backbone=self.backbone, sizes=sizes)
        return said("{backbone}, frozen, with a linear head", backbone=self.backbone)

    def with_more_dropout(self) -> Changes | None:
        return super().with_more_dropout() if self.hidden else None

    def resized(self, factor: float) -> Changes | None:
        if factor > 1 and not self.hidden:
            return {"model.hidden": [128], "optimizer.kind": "adamw", "optimizer.lr": 0.001}
        if not self.hidden or min(self.hidden) * factor < 8:
            return None
        return {"model.hidden": [int(size * factor) for size in self.hidden]}

    def search_space(self) -> Mapping[str, Entry]:
        space: dict[str, Entry] = {"model.hidden": Choices(choices=((64,), (128,), (256,)))} if self.hidden else {}
        return space | (dict(super().search_space()) if self.hidden else {})
