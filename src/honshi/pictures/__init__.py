"""From any picture to the pixels that a model knows: what it wants, which files are pictures, and the one way there."""

from honshi.pictures.contract import InputContract, Normalization, Preprocessing, Scale

__all__ = ["InputContract", "Normalization", "Preprocessing", "Scale"]
