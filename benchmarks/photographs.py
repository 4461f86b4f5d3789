"""Photographs: seconds from a folder to a score, accuracy by folds, what an interval keeps, groups, wrong labels.

    python -m benchmarks.photographs start accuracy coverage groups labels

start     1,000 photographs, nothing cached and no network; then the same again
accuracy  cells of solar modules by folds over seeds, beside scikit-learn's logistic regression on the same features
coverage  how often the interval of few photographs has the accuracy on all others in it
groups    pictures of people in groups, by folds that keep groups together and by folds that do not
labels    wrong labels planted among MNIST's, and how many of them are found

The photographs are PyPI's elpv-dataset (defect probability 0 against 1; CC BY-NC-SA 4.0, so they are fetched and never
kept), the people npm's emoji-datasource-google (fonts of Apache-2.0 and SIL OFL).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks import machine
from honshi.data.folds import deal
from honshi.evaluation.history import best_row
from honshi.evaluation.label_doubts import doubted
from honshi.evaluation.out_of_fold import OutOfFold
from honshi.experiment import Experiment, load_splits
from honshi.experiment.heads import Heads, others, walk
from honshi.features import Features, see
from honshi.features.stage import frozen_in
from honshi.models.frozen import spread
from honshi.recipe import Recipe

SEEDS, DRAWS = 5, 300
SIZES = (50, 100, 200)
PLANTED, IMAGES = 0.05, 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts: dict[str, Callable[[Path], None]] = {
        "start": start,
        "accuracy": accuracy,
        "coverage": coverage,
        "groups": groups,
        "labels": labels,
    }
    parser.add_argument("parts", nargs="+", choices=parts)
    parser.add_argument("--folder", type=Path, help="where what is fetched is kept; a temporary folder if left out")
    arguments = parser.parse_args()
    print(machine.line())
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        os.environ["HONSHI_HOME"] = str(folder / "home")
        for part in arguments.parts:
            parts[part](folder)


def start(folder: Path) -> None:
    """Whole processes, the first with an empty cache."""
    photographs = cells(folder)
    thousand = folder / "thousand"
    for label in ("ok", "defect"):
        (thousand / label).mkdir(parents=True, exist_ok=True)
        for path in sorted((photographs / label).iterdir())[: 680 if label == "ok" else 320]:
            (thousand / label / path.name).write_bytes(path.read_bytes())
    with tempfile.TemporaryDirectory() as fresh:
        seconds = []
        for _ in range(6):
            began = time.perf_counter()
            _honshi("train", str(thousand), folder=Path(fresh), home=Path(fresh) / "home")
            seconds.append(time.perf_counter() - began)
    print(f"start: 1,000 photographs, nothing cached {seconds[0]:.1f} s; again {_middle(seconds[1:])} s")


def accuracy(folder: Path) -> None:
    """Over seeds of the folds, and scikit-learn's logistic regression in the same folds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

    recipe, seen, units = _seen(cells(folder))
    scores, seconds, ours = [], [], []
    for seed in range(SEEDS):
        began = time.perf_counter()
        answers, _ = _by_folds(recipe, seen, units, seed)
        seconds.append(time.perf_counter() - began)
        scores.append(100 * answers.accuracy)
        ours.append(float(answers.right.mean()))
    print(
        f"accuracy: {len(seen):,} photographs, 5 x 5 folds, {SEEDS} seeds: {statistics.fmean(scores):.2f} ± "
        f"{statistics.stdev(scores):.2f} % ({', '.join(f'{score:.2f}' for score in scores)}); folds and head "
        f"{statistics.median(seconds):.2f} s"
    )
    truth, values = seen.labels.numpy(), seen.values.numpy()
    folds = deal(seen.labels, 5, 1, 0, units)[0].numpy()
    best = {}
    for strength in range(3, 9):
        right = np.zeros(len(truth), dtype=bool)
        for fold in range(5):
            learn = folds != fold
            scaler = StandardScaler().fit(values[learn])
            decay = 3.0 * 0.5**strength
            model = LogisticRegression(C=1 / (decay * learn.sum()), max_iter=500)
            model.fit(scaler.transform(values[learn]), truth[learn])
            right[~learn] = model.predict(scaler.transform(values[~learn])) == truth[~learn]
        best[decay] = 100 * right.mean()
    decay = max(best, key=lambda one: best[one])
    mine = OutOfFold.unanswered(torch.from_numpy(folds)[None], seen.labels, 2, recipe.training.epochs)
    walk(recipe, seen, mine)
    print(
        f"          scikit-learn's logistic regression, the same 5 folds once, its strength chosen on the result "
        f"({decay:g}): {best[decay]:.2f} %; honshi, chosen inside the folds: {100 * mine.accuracy:.2f} %"
    )


def coverage(folder: Path) -> None:
    """Few photographs at random, their interval, and the accuracy of the model that is kept on all others."""
    recipe, seen, units = _seen(cells(folder))
    draws = torch.Generator().manual_seed(0)
    for size in SIZES:
        inside = 0
        for number in range(DRAWS):
            places = torch.randperm(len(seen), generator=draws)[:size]
            few, rest = Features(seen.values[places], seen.images.subset(places)), others(places, len(seen))
            answers, heads = _by_folds(recipe, few, units[places], number)
            kept = best_row(heads.history).epoch
            mean, std = spread(few.values)
            weights = heads.weights[kept - 1]
            logits = (seen.values[rest] - mean) / std @ weights[:-1] + weights[-1]
            true = float((logits.argmax(1) == seen.labels[rest]).double().mean())
            lower, upper = answers.interval
            inside += lower <= true <= upper
        print(f"coverage: {size} photographs, {DRAWS} draws: the interval has it in {100 * inside / DRAWS:.1f} %")


def groups(folder: Path) -> None:
    """Emoji of people: the same person in five colours of skin is one group."""
    table = people(folder)
    for name, data in (
        ("groups together", {}),
        ("groups torn apart", {"data.columns": {"path": "path", "label": "label"}}),
    ):
        recipe = Recipe.read("photos").changed({"data.source": str(table), **data})
        recipe, seen, units = _seen(table, recipe)
        if data:
            units = torch.arange(len(seen))
        answers, _ = _by_folds(recipe, seen, units, 0)
        lower, upper = answers.interval
        print(
            f"groups: {len(seen):,} pictures in {len(seen.classes)} classes, {len(units.unique()):,} units, {name}: "
            f"{100 * answers.accuracy:.1f} % ({100 * lower:.1f} to {100 * upper:.1f})"
        )


def labels(folder: Path) -> None:
    """Labels of MNIST's training images made wrong at random, and the doubts of recipe cnn by 5 folds."""
    splits = load_splits(Recipe.read("cnn"))
    for seed in (1, 2, 3):
        draws = np.random.default_rng(seed)
        pick = draws.permutation(len(splits.train))[:IMAGES]
        pixels, true = splits.train.pixels.numpy()[pick, 0], splits.train.labels.numpy()[pick]
        wrong = draws.permutation(IMAGES)[: round(PLANTED * IMAGES)]
        given = true.copy()
        given[wrong] = (true[wrong] + draws.integers(1, 10, len(wrong))) % 10
        path = folder / f"noisy-{seed}.npz"
        test = splits.val.pixels.numpy()[:500, 0], splits.val.labels.numpy()[:500]
        np.savez(path, x_train=pixels, y_train=given, x_test=test[0], y_test=test[1])
        with tempfile.TemporaryDirectory() as fresh:
            _honshi("train", "cnn", "--data", str(path), "--folds", "5", "--out", "run", folder=Path(fresh))
            answers = OutOfFold.read(Path(fresh) / "run")
            manifest = json.loads((Path(fresh) / "run" / "split.json").read_text())
        assert manifest["train_size"] == IMAGES
        found = np.array([doubt.place for doubt in doubted(answers.probabilities, answers.labels)])
        hits = np.isin(found, wrong).sum()
        print(
            f"labels: seed {seed}, {len(wrong)} of {IMAGES:,} wrong: {len(found)} in doubt, "
            f"{100 * hits / len(wrong):.1f} % of the wrong ones found, {100 * hits / len(found):.1f} % of doubts right"
        )


def _by_folds(recipe: Recipe, seen: Features, units: torch.Tensor, seed: int) -> tuple[OutOfFold, Heads]:
    dealt = deal(seen.labels, 5, 5, seed, units)
    answers = OutOfFold.unanswered(dealt, seen.labels, len(seen.classes), recipe.training.epochs)
    return answers, walk(recipe, seen, answers)


def _seen(data: Path, recipe: Recipe | None = None) -> tuple[Recipe, Features, torch.Tensor]:
    """The recipe, the features of all training pictures, and which of them belong together."""
    recipe = recipe or Recipe.read("photos").changed({"data.source": str(data)})
    splits = load_splits(recipe.changed({"data.folds": 5}), folds=True)
    experiment = Experiment.build(recipe, splits)
    frozen = frozen_in(experiment.model)
    assert frozen is not None
    assert splits.units is not None
    return recipe, see(frozen, experiment.splits.train), splits.units


def elpv(folder: Path) -> Path:
    """The folder with the photographs of PyPI's elpv-dataset and their table."""
    data = folder / "elpv" / "elpv_dataset" / "data"
    if not data.exists():
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), "elpv-dataset"], check=True
        )
        (wheel,) = folder.glob("elpv_dataset-*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder / "elpv")
    return data


def cells(folder: Path) -> Path:
    """Photographs of solar cells, as class folders."""
    cells = folder / "cells"
    if not cells.exists():
        data = elpv(folder)
        for label in ("ok", "defect"):
            (cells / label).mkdir(parents=True, exist_ok=True)
        for line in (data / "labels.csv").read_text().splitlines():
            name, probability, _kind = line.split()
            if float(probability) in (0.0, 1.0):
                label = "defect" if float(probability) else "ok"
                (cells / label / Path(name).name).write_bytes((data / name).read_bytes())
    return cells


def people(folder: Path) -> Path:
    """A table of emoji of people: path, subcategory, and the person that it is in one colour of skin or another."""
    emoji = folder / "package"
    if not emoji.exists():
        subprocess.run(["npm", "pack", "--silent", "emoji-datasource-google@16.0.0"], check=True, cwd=folder)
        (archive,) = folder.glob("emoji-datasource-google-*.tgz")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    rows = ["path,label,group"]
    for one in json.loads((emoji / "emoji.json").read_text()):
        if one["category"] == "People & Body":
            for shown in (one, *one.get("skin_variations", {}).values()):
                if (emoji / "img" / "google" / "64" / shown["image"]).exists():
                    rows.append(f"img/google/64/{shown['image']},{one['subcategory']},{one['short_name']}")
    table = emoji / "people.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


def _honshi(*arguments: str, folder: Path, home: Path | None = None) -> None:
    environment = {**os.environ, **({} if home is None else {"HONSHI_HOME": str(home)})}
    subprocess.run(
        [sys.executable, "-m", "honshi", *arguments], check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL
    )


def _middle(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


if __name__ == "__main__":
    main()
