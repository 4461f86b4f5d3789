"""A model asked about pictures.

1. answers.py: what it answers, and `answered`, the one place where logits become an answer.
2. engines.py: what computes the logits: torch, or ONNX Runtime where it is installed.
3. asking.py: `predict`, for a model at hand.
4. files.py: many files, some of which cannot be read.
5. predictor.py: `Predictor`, made once and asked often, also by several threads.
"""

from honshi.pictures.prepare import Picture, prepare
from honshi.prediction.answers import Answer, Prediction, Predictions
from honshi.prediction.asking import predict, predict_files, predict_pixels
from honshi.prediction.predictor import Predictor

__all__ = [
    "Answer",
    "Picture",
    "Prediction",
    "Predictions",
    "Predictor",
    "predict",
    "predict_files",
    "predict_pixels",
    "prepare",
]
