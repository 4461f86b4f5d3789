"""A run's model for other runtimes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from honshi.export import Exported, to_onnx
from honshi.messages import Message
from honshi.models.graph import INPUT, OUTPUTS
from honshi.runs import Run, find


@dataclass(frozen=True)
class Export:
    """A model that was written and tried.

    Attributes:
        run: whose model it is.
        exported: the file and what is in it.
    """

    run: Run
    exported: Exported

    @property
    def sentences(self) -> list[Message]:
        file, classes = self.exported, len(self.exported.classes)
        channels, height, width = file.shape
        return [
            Message("{path}: {size:,} bytes, ONNX opset {opset}", path=file.path, size=file.size, opset=file.opset),
            Message(
                "input   {name}: uint8 (n, {channels}, {height}, {width}), from 0 to 255",
                name=INPUT,
                channels=channels,
                height=height,
                width=width,
            ),
            *(Message("output  {name}: float32 (n, {classes})", name=name, classes=classes) for name in OUTPUTS),
            Message(
                "ONNX Runtime was asked: its logits are within {difference:.0e} of PyTorch's.",
                difference=file.difference,
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        file = self.exported
        return {
            "run": str(self.run.path),
            "onnx": str(file.path),
            "bytes": file.size,
            "opset": file.opset,
            "input": {"name": INPUT, "type": "uint8", "shape": ["n", *file.shape]},
            "outputs": [{"name": name, "type": "float32", "shape": ["n", len(file.classes)]} for name in OUTPUTS],
            "classes": file.classes,
            "largest_difference": file.difference,
        }


def export(name: str, path: Path) -> Export:
    """Write a run's model as ONNX.

    Args:
        name: of the run.
        path: the file.

    Raises:
        RunNotFoundError, RunError: there is no such run, or it is not finished.
        RequestError, ModelError: as `honshi.export.to_onnx`.
    """
    run = find(name)
    return Export(run, to_onnx(run.model(), path))
