"""Handwriting from a camera or a drawing program: how many digits does plain `honshi predict` read?

    python -m benchmarks.digits RUN
    python -m benchmarks.digits RUN --all --keep FOLDER

RUN was trained on MNIST (`honshi train cnn --epochs 2`). Sixty pictures are made from seeds: each digit as a line of
ink in one of several hands, on one of many pages, as a file that a phone or a program would have written. None of them
is made from MNIST. ``--all`` makes every digit on every page.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Points = NDArray[np.float64]
Light = NDArray[np.float64]

SIDE = 600
PICTURES = 60


def arc(x: float, y: float, width: float, height: float, start: float, end: float) -> list[tuple[float, float]]:
    """Of an ellipse, clockwise from an angle to another in degrees; 0 is to the right, 90 down."""
    angles = np.radians(np.linspace(start, end, 24))
    return [(x + width * float(np.cos(angle)), y + height * float(np.sin(angle))) for angle in angles]


# The strokes of each digit, in the ways in which people write it, in a box of 1 x 1: x to the right, y down.
HANDS: dict[int, list[list[list[tuple[float, float]]]]] = {
    0: [[arc(0.5, 0.5, 0.3, 0.48, -90, 270)], [arc(0.5, 0.5, 0.38, 0.46, -60, 320)]],
    1: [[[(0.5, 0.02), (0.5, 0.98)]], [[(0.32, 0.25), (0.52, 0.02), (0.52, 0.98)]]],
    2: [
        [[*arc(0.48, 0.27, 0.3, 0.25, -170, 30), (0.2, 0.97), (0.85, 0.97)]],
        [
            [
                *arc(0.48, 0.25, 0.28, 0.23, -150, 50),
                (0.3, 0.82),
                *arc(0.3, 0.88, 0.1, 0.08, 180, 350),
                (0.55, 0.95),
                (0.85, 0.9),
            ]
        ],
    ],
    3: [
        [[*arc(0.45, 0.27, 0.28, 0.24, -150, 85), *arc(0.45, 0.74, 0.32, 0.25, -85, 150)]],
        [[(0.22, 0.04), (0.75, 0.04), (0.45, 0.4), *arc(0.45, 0.7, 0.32, 0.28, -90, 150)]],
    ],
    4: [
        [[(0.62, 0.98), (0.62, 0.02), (0.15, 0.68), (0.88, 0.68)]],
        [[(0.25, 0.05), (0.2, 0.5), (0.8, 0.5)], [(0.72, 0.05), (0.68, 0.98)]],
    ],
    5: [
        [[(0.8, 0.04), (0.3, 0.04), (0.26, 0.45), *arc(0.47, 0.68, 0.32, 0.28, -130, 140)]],
        [[(0.3, 0.05), (0.27, 0.45), *arc(0.45, 0.68, 0.3, 0.27, -125, 130)], [(0.3, 0.05), (0.8, 0.06)]],
    ],
    6: [
        [[(0.68, 0.03), *arc(0.55, 0.6, 0.33, 0.5, -120, -180)[:12], *arc(0.5, 0.72, 0.28, 0.25, -180, 180)]],
        [[*arc(0.72, 0.55, 0.5, 0.52, -100, -190), *arc(0.48, 0.75, 0.25, 0.22, 170, 530)]],
    ],
    7: [
        [[(0.15, 0.05), (0.82, 0.05), (0.42, 0.98)]],
        [[(0.15, 0.05), (0.82, 0.05), (0.45, 0.98)], [(0.38, 0.5), (0.78, 0.5)]],
    ],
    8: [
        [[*arc(0.5, 0.26, 0.24, 0.23, 90, 450), *arc(0.5, 0.74, 0.3, 0.25, -90, 270)]],
        [
            [
                (0.72, 0.12),
                *arc(0.5, 0.26, 0.24, 0.23, -40, -270),
                *arc(0.5, 0.74, 0.28, 0.24, -90, 200),
                (0.7, 0.4),
                (0.74, 0.14),
            ]
        ],
    ],
    9: [
        [[*arc(0.48, 0.28, 0.27, 0.26, 0, -360), (0.73, 0.3), (0.68, 0.98)]],
        [[*arc(0.47, 0.28, 0.27, 0.26, -20, -370), *arc(0.45, 0.5, 0.3, 0.48, -10, 110)]],
    ],
}


def ink(digit: int, seed: np.random.Generator, *, extent: float, pen: float, place: tuple[float, float]) -> Light:
    """A digit as a line of ink: 1 where the pen went, (600, 600).

    Args:
        digit: which.
        seed: of the hand: its slant, its proportions, how it trembles.
        extent: its height, of the whole.
        pen: the width of the line, of its height.
        place: of its centre, of the whole.
    """
    strokes = HANDS[digit][seed.integers(len(HANDS[digit]))]
    slant, width, turn = seed.normal(-0.08, 0.1), seed.uniform(0.55, 0.85), np.radians(seed.normal(0, 4))
    grain = 2
    canvas = Image.new("L", (SIDE * grain, SIDE * grain))
    draw = ImageDraw.Draw(canvas)
    thick = max(1.0, pen * extent * SIDE * grain)
    for stroke in strokes:
        points = np.array(stroke) - 0.5  # (p, 2) around the middle
        knots = seed.normal(0, 0.018, (5, 2))
        along = np.linspace(0, 4, len(points))
        points += np.stack([np.interp(along, range(5), knots[:, axis]) for axis in (0, 1)], 1)
        points = np.stack([points[:, 0] * width - slant * -points[:, 1], points[:, 1]], 1)
        rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        points = (points @ rotation.T * extent + np.array(place)) * SIDE * grain
        line = [(float(x), float(y)) for x, y in points]
        draw.line(line, fill=255, width=round(thick), joint="curve")
        for x, y in line:
            draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)
    return np.asarray(canvas.resize((SIDE, SIDE), Image.Resampling.BOX), np.float64) / 255


ROWS, COLUMNS = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]


def photograph(light: Light, seed: np.random.Generator, noise: float = 3, blur: float = 1) -> Image.Image:
    """As a camera saw it: a little blurred, with noise, a little yellow."""
    soft = np.asarray(
        Image.fromarray(light.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(blur)), float
    )
    colours = np.stack([soft, soft * 0.98, soft * 0.93], 2) + seed.normal(0, noise, (*soft.shape, 3))
    return Image.fromarray(colours.clip(0, 255).astype(np.uint8))


def plain(digit: int, seed: np.random.Generator) -> tuple[Light, Light]:
    """A digit of a usual size, and the page that it was written on."""
    place = (seed.uniform(0.42, 0.58), seed.uniform(0.42, 0.58))
    return ink(digit, seed, extent=seed.uniform(0.45, 0.65), pen=seed.uniform(0.07, 0.1), place=place), np.full(
        (SIDE, SIDE), 215.0
    )


def on(page: Light, drawn: Light, depth: float = 0.75) -> Light:
    return page * (1 - depth * drawn)


def lined(every: int, across: bool, seed: np.random.Generator) -> Light:
    """Ruled, or squared, in a weaker colour than ink."""
    start = int(seed.integers(every))
    rows = ((np.arange(SIDE) + start) % every) < 3
    lines = rows[:, None] | (rows[None, :] if across else False)
    return np.where(np.broadcast_to(lines, (SIDE, SIDE)), 170.0, 222.0)


def a_usual_one(digit: int, seed: np.random.Generator) -> Image.Image:
    drawn, page = plain(digit, seed)
    return photograph(on(page, drawn), seed)


def of(extent: float, pen: float, spread: float = 0.05) -> Callable[[int, np.random.Generator], Image.Image]:
    def page(digit: int, seed: np.random.Generator) -> Image.Image:
        place = (0.5 + seed.uniform(-spread, spread), 0.5 + seed.uniform(-spread, spread))
        return photograph(on(np.full((SIDE, SIDE), 215.0), ink(digit, seed, extent=extent, pen=pen, place=place)), seed)

    return page


def tilted(digit: int, seed: np.random.Generator) -> Image.Image:
    angle = float(seed.choice([-1, 1]) * seed.uniform(9, 16))
    return a_usual_one(digit, seed).rotate(angle, Image.Resampling.BICUBIC, fillcolor=(215, 210, 200))


def on_lines(every: int, across: bool) -> Callable[[int, np.random.Generator], Image.Image]:
    def page(digit: int, seed: np.random.Generator) -> Image.Image:
        return photograph(
            np.minimum(lined(every, across, seed), on(np.full((SIDE, SIDE), 222.0), plain(digit, seed)[0])), seed
        )

    return page


def with_shadow(digit: int, seed: np.random.Generator) -> Image.Image:
    angle, where = seed.uniform(0, 2 * np.pi), seed.uniform(-0.2, 0.2)
    edge = (COLUMNS - 0.5) * np.cos(angle) + (ROWS - 0.5) * np.sin(angle) + where
    drawn, page = plain(digit, seed)
    return photograph(on(page * (0.55 + 0.45 / (1 + np.exp(-edge * 60))), drawn), seed)


def in_uneven_light(digit: int, seed: np.random.Generator) -> Image.Image:
    x, y = seed.uniform(0, 1, 2)
    drawn, page = plain(digit, seed)
    return photograph(on(page * (1.1 - 0.6 * np.hypot(COLUMNS - x, ROWS - y)), drawn), seed, noise=5)


def in_colour(colour: tuple[int, int, int]) -> Callable[[int, np.random.Generator], Image.Image]:
    def page(digit: int, seed: np.random.Generator) -> Image.Image:
        drawn = plain(digit, seed)[0][..., None]
        colours = (1 - drawn) * np.array([225.0, 222.0, 212.0]) + drawn * np.array(colour, float)
        return Image.fromarray((colours + seed.normal(0, 4, colours.shape)).clip(0, 255).astype(np.uint8))

    return page


def in_pencil(digit: int, seed: np.random.Generator) -> Image.Image:
    drawn, page = plain(digit, seed)
    return photograph(on(page, drawn * seed.uniform(0.5, 1, drawn.shape), 0.35), seed)


def noisy(digit: int, seed: np.random.Generator) -> Image.Image:
    drawn, page = plain(digit, seed)
    return photograph(on(page * 0.5, drawn), seed, noise=16)


def blurred(digit: int, seed: np.random.Generator) -> Image.Image:
    drawn, page = plain(digit, seed)
    return photograph(on(page, drawn), seed, blur=9)


def as_poor_jpeg(digit: int, seed: np.random.Generator) -> Image.Image:
    content = BytesIO()
    a_usual_one(digit, seed).resize((160, 160)).save(content, "JPEG", quality=40)
    return Image.open(content).convert("RGB")


def of_12_megapixels(digit: int, seed: np.random.Generator) -> Image.Image:
    sheet = Image.new("RGB", (4000, 3000), (214, 210, 200))
    sheet.paste(
        a_usual_one(digit, seed).resize((1500, 1500)), (int(seed.integers(300, 2200)), int(seed.integers(300, 1200)))
    )
    noise = Image.effect_noise((1000, 750), 12).resize((4000, 3000))
    return Image.blend(sheet, noise.convert("RGB"), 0.1)


def cropped_tight(digit: int, seed: np.random.Generator) -> Image.Image:
    drawn, page = plain(digit, seed)
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    margin = int(seed.integers(2, 14))
    left, top = int(columns[0]) - margin, int(rows[0]) - margin
    right, bottom = int(columns[-1]) + margin, int(rows[-1]) + margin
    return photograph(on(page, drawn), seed).crop((left, top, right, bottom))


def from_a_drawing_program(digit: int, seed: np.random.Generator) -> Image.Image:
    alpha = Image.fromarray((plain(digit, seed)[0] * 255).astype(np.uint8))
    picture = Image.new("RGBA", alpha.size, (0, 0, 0, 0))
    picture.paste((10, 10, 30, 255), (0, 0), alpha)
    return picture.resize((280, 280))


def white_on_black(digit: int, seed: np.random.Generator) -> Image.Image:
    return Image.fromarray((plain(digit, seed)[0] * 255).astype(np.uint8)).resize((200, 200))


def on_a_blackboard(digit: int, seed: np.random.Generator) -> Image.Image:
    drawn = plain(digit, seed)[0] * seed.uniform(0.6, 1, (SIDE, SIDE))
    smears = np.asarray(Image.fromarray(seed.uniform(0, 40, (6, 6)).astype(np.uint8)).resize((SIDE, SIDE)), float)
    return photograph(45 + smears + 150 * drawn, seed)


def on_a_table(digit: int, seed: np.random.Generator) -> Image.Image:
    drawn, page = plain(digit, seed)
    light = on(page, drawn)
    margin = int(seed.integers(30, 90))
    light[:margin], light[:, :margin] = 90, 90
    return photograph(light, seed)


# What was written with, on what, and how it became a file.
PAGES: dict[str, Callable[[int, np.random.Generator], Image.Image]] = {
    "as usual": a_usual_one,
    "thin": of(0.55, 0.02),
    "thick": of(0.55, 0.19),
    "large": of(0.92, 0.08, 0.01),
    "small": of(0.16, 0.09, 0.25),
    "off-centre": of(0.35, 0.09, 0.25),
    "tilted": tilted,
    "on lined paper": on_lines(60, False),
    "on squared paper": on_lines(36, True),
    "with a shadow": with_shadow,
    "in uneven light": in_uneven_light,
    "in blue ink": in_colour((40, 70, 170)),
    "in red": in_colour((200, 50, 60)),
    "in pencil": in_pencil,
    "with noise": noisy,
    "blurred": blurred,
    "as a JPEG of quality 40": as_poor_jpeg,
    "of 12 megapixels": of_12_megapixels,
    "cropped tight": cropped_tight,
    "from a drawing program": from_a_drawing_program,
    "white on black": white_on_black,
    "on a blackboard": on_a_blackboard,
    "on a table": on_a_table,
}


def make(folder: Path, every: bool) -> dict[str, tuple[int, str]]:
    """The digit and the page of each file that was made."""
    pages = list(PAGES)
    if every:
        wanted = [(digit, page) for page in pages for digit in HANDS]
    else:
        wanted = [(place % 10, pages[place % len(pages)]) for place in range(PICTURES)]
    made = {}
    for place, (digit, page) in enumerate(wanted):
        picture = PAGES[page](digit, np.random.default_rng([place, 16]))
        path = folder / f"{place:03}.{'jpg' if 'JPEG' in page or 'mega' in page else 'png'}"
        picture.save(path)
        made[str(path)] = digit, page
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="the run that is asked")
    parser.add_argument("--all", action="store_true", help="every digit on every page")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the pictures there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        made = make(folder, arguments.all)
        command = [sys.executable, "-m", "honshi", "predict", arguments.run, *made, "--json"]
        answers = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    right, of_page = Counter[str](), Counter[str]()
    for answer in answers:
        digit, page = made[answer["path"]]
        of_page[page] += 1
        right[page] += answer.get("label") == str(digit)
        if answer.get("label") != str(digit):
            print(f"{Path(answer['path']).name}: {digit}, {page}: taken for {answer.get('label')}")
    for page, count in of_page.items():
        print(f"{page:<26}{right[page]:>3} of {count}")
    print(f"{'all':<26}{right.total():>3} of {of_page.total()}")


if __name__ == "__main__":
    main()
