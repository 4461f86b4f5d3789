"""One image, many, and files: honshi beside plain PyTorch, ONNX Runtime and Pillow, all in one process.

    python -m benchmarks.prediction
    python -m benchmarks.prediction --calls 200 --rounds 1 --json prediction.json

All get uint8 pixels of MNIST and answer with the label and its probability. honshi is `honshi.predict` for one image
and `honshi.prediction.predict_pixels` for 10,000, and `honshi.Predictor` is asked for the same; they name the label and
give the probability of every class. Plain PyTorch is what the lecture writes, in eval mode and without gradients,
batches of 500; ONNX Runtime has what `honshi export` writes, batches of 500, once with the threads that it takes by
itself, and for one image also with a single thread. They take turns, so many calls each. The weights are as they were
drawn: they do not change what an answer takes.

Files are read by Pillow alone (opened, made grey, as an array), and by `honshi.prediction.predict_files`, which reads
them, prepares them and asks the model: small PNG one after the other, and JPEG of 12 megapixels in as many threads as
torch has.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from PIL import Image
from torch import Tensor, nn

import honshi
from benchmarks import machine
from honshi.export import to_onnx
from honshi.files import write_json
from honshi.models import CNN, MLP
from honshi.models.card import Card, attach
from honshi.prediction import predict_files, predict_pixels

MODELS: dict[str, Callable[[], nn.Module]] = {"mlp": MLP, "cnn": CNN}
NAMES = {
    "honshi": "honshi.predict",
    "predictor": "Predictor",
    "pytorch": "plain PyTorch",
    "onnxruntime": "ONNX Runtime",
    "one_thread": "  one thread",
}
MANY, BATCH = 10_000, 500
# So many single images each is asked about before the next has its turn, after so many that are not timed: the pace of
# a virtual machine changes by a third within seconds, which shorter turns share out alike.
TURN, WARM_UP = 20, 3
# How often a round asks for all images at once.
BATCH_CALLS = 5
# How many files of a kind, and how large a photograph is.
SMALL_FILES, PHOTOGRAPHS, PHOTOGRAPH = 3000, 12, (4000, 3000)

# The label and its probability, of each image.
Answers = list[tuple[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=500, help="single images of each in a round (default: 500)")
    parser.add_argument("--rounds", type=int, default=5, help="how often all take their turn (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measurements to a file as well")
    arguments = parser.parse_args()
    if not 2 <= arguments.calls <= MANY or arguments.rounds < 1:
        parser.error(f"--calls is from 2 to {MANY}, and --rounds at least 1")

    images = honshi.load("mnist").train.subset(range(MANY))
    report: dict[str, Any] = {"machine": machine.describe(), "models": {}}
    print(f"{'model':<6}{'':<16}  one image: p50 µs   p99 µs   images a second, {MANY:,} at once")
    for model_name, build in MODELS.items():
        torch.manual_seed(0)
        model = build().eval()
        model.preprocessing = images.preprocessing
        found = measure(runtimes(model), images.pixels, arguments.calls, arguments.rounds)
        ratios = {
            "predict / PyTorch": found["honshi"]["p50"] / found["pytorch"]["p50"],
            "Predictor / ONNX Runtime": found["predictor"]["p50"] / found["onnxruntime"]["p50"],
            "Predictor / ONNX Runtime with one thread": found["predictor"]["p50"] / found["one_thread"]["p50"],
        }
        report["models"][model_name] = found
        for name, numbers in found.items():
            print(
                f"{model_name:<6}{NAMES[name]:<16}  {numbers['p50'] * 1e6:>17.1f}  {numbers['p99'] * 1e6:>7.1f}   "
                f"{numbers['images_per_second']:>30,.0f}"
            )
        print(f"      one image: {', '.join(f'{name} {ratio:.2f}' for name, ratio in ratios.items())}")
    report["files"] = files(images, arguments.rounds)
    print(f"\n{'files a second':<22}Pillow alone   predict_files   part")
    for name, rates in report["files"].items():
        print(f"{name:<22}{rates['pillow']:>12,.0f}{rates['honshi']:>16,.0f}{rates['honshi'] / rates['pillow']:>7.2f}")
    print(f"\nSingle images of each: {arguments.calls * arguments.rounds:,}, in turn.\n{machine.line()}")
    if arguments.json:
        write_json(arguments.json, report)


def runtimes(model: nn.Module) -> dict[str, tuple[Callable[[Tensor], Answers], Callable[[Tensor], Answers]]]:
    """How each answers for one image, uint8 (1, 1, 28, 28), and for many, (n, 1, 28, 28)."""
    digits = [str(digit) for digit in range(10)]
    with tempfile.TemporaryDirectory() as folder:
        to_onnx(model, Path(folder) / "model.onnx")
        content = (Path(folder) / "model.onnx").read_bytes()
    session = onnxruntime.InferenceSession(content)
    single = onnxruntime.SessionOptions()
    single.intra_op_num_threads = 1
    session_of_one_thread = onnxruntime.InferenceSession(content, single)
    predictor = honshi.Predictor(model)
    assert predictor.engine == "onnxruntime"
    mean, std = 0.1307, 0.3081

    def honshi_one(pixels: Tensor) -> Answers:
        prediction = honshi.predict(model, pixels[0])
        return [(prediction.label, prediction.confidence)]

    def honshi_many(pixels: Tensor) -> Answers:
        predictions = predict_pixels(model, pixels)
        return list(zip(predictions.labels, predictions.confidences, strict=True))

    def predictor_one(pixels: Tensor) -> Answers:
        prediction = predictor.predict(pixels[0])
        return [(prediction.label, prediction.confidence)]

    def predictor_many(pixels: Tensor) -> Answers:
        predictions = predictor.predict_pixels(pixels)
        return list(zip(predictions.labels, predictions.confidences, strict=True))

    @torch.no_grad()
    def pytorch(pixels: Tensor) -> Answers:
        answers: Answers = []
        for part in pixels.split(BATCH):
            logits = model((part.float() / 255 - mean) / std)
            confidences, labels = logits.softmax(1).max(1)
            named = [digits[label] for label in labels.tolist()]
            answers += zip(named, confidences.tolist(), strict=True)
        return answers

    def onnx(pixels: Tensor, session: Any = session) -> Answers:
        answers: Answers = []
        for part in pixels.split(BATCH):
            (probabilities,) = session.run(["probabilities"], {"images": part.numpy()})
            named = [digits[label] for label in probabilities.argmax(1).tolist()]
            answers += zip(named, probabilities.max(1).tolist(), strict=True)
        return answers

    one_thread = partial(onnx, session=session_of_one_thread)
    return {
        "honshi": (honshi_one, honshi_many),
        "predictor": (predictor_one, predictor_many),
        "pytorch": (pytorch, pytorch),
        "onnxruntime": (onnx, onnx),
        "one_thread": (one_thread, one_thread),
    }


def measure(
    answering: dict[str, tuple[Callable[[Tensor], Answers], Callable[[Tensor], Answers]]],
    pixels: Tensor,
    calls: int,
    rounds: int,
) -> dict[str, dict[str, float]]:
    """Seconds of a single image at the median and at the 99th percentile, and images a second of many at once."""
    singles = pixels.split(1)[:calls]
    one: dict[str, list[float]] = {name: [] for name in answering}
    many: dict[str, list[float]] = {name: [] for name in answering}
    for _ in range(rounds):
        for turn in range(0, calls, TURN):
            for name, (single, _) in answering.items():
                for image in singles[:WARM_UP]:
                    single(image)
                for image in singles[turn : turn + TURN]:
                    started = time.perf_counter()
                    single(image)
                    one[name].append(time.perf_counter() - started)
        for name, (_, batch) in answering.items():
            batch(pixels[: 2 * BATCH])
            for _ in range(BATCH_CALLS):
                started = time.perf_counter()
                answers = batch(pixels)
                many[name].append(time.perf_counter() - started)
                assert len(answers) == len(pixels)
    return {
        name: {
            "p50": statistics.median(one[name]),
            "p99": statistics.quantiles(one[name], n=100)[98],
            "images_per_second": len(pixels) / statistics.median(many[name]),
        }
        for name in answering
    }


def files(images: honshi.Images, rounds: int) -> dict[str, dict[str, float]]:
    """Files a second, of Pillow alone and of honshi, by the kind of file."""
    torch.manual_seed(0)
    model = MLP()
    attach(model, Card(images.contract, images.classes))

    def decode(path: Path) -> Any:
        with Image.open(path) as opened:
            return np.asarray(opened.convert("L"))

    def pillow(paths: list[Path], threads: int) -> None:
        with ThreadPoolExecutor(threads) as pool:
            # One alone takes no thread, in which small files would take longer.
            deque(map(decode, paths) if threads == 1 else pool.map(decode, paths), maxlen=0)

    def answer(paths: list[Path]) -> None:
        for found in predict_files(model, paths, images.contract):
            assert found.prediction is not None

    found = {}
    with tempfile.TemporaryDirectory() as folder:
        small = [Path(folder) / f"{number}.png" for number in range(SMALL_FILES)]
        for path, pixels in zip(small, images.pixels[:, 0].numpy(), strict=False):
            Image.fromarray(pixels).save(path)
        large = [Path(folder) / f"{number}.jpg" for number in range(PHOTOGRAPHS)]
        noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        for path in large:
            Image.fromarray(noise).resize(PHOTOGRAPH).save(path, quality=90)
        for name, paths, threads in (("PNG, 28 x 28", small, 1), ("JPEG, 4000 x 3000", large, torch.get_num_threads())):
            seconds: dict[str, list[float]] = {"pillow": [], "honshi": []}
            for _ in range(rounds + 1):
                for who, work in (("pillow", partial(pillow, threads=threads)), ("honshi", answer)):
                    started = time.perf_counter()
                    work(paths)
                    seconds[who].append(time.perf_counter() - started)
            # The first round warms the files up.
            found[name] = {who: len(paths) / statistics.median(times[1:]) for who, times in seconds.items()}
    return found


if __name__ == "__main__":
    main()
