"""The lab in a browser: how soon pages, points and bars are there, and how it bears many runs and many clients.

    python -m benchmarks.lab
    python -m benchmarks.lab --only start,stroke

start     from the command until the address is printed, and first and largest paint of each page; medians of five
live      from the renamed history file to the painted point, at ten epochs a second
stroke    from the end of a stroke to the bars, alone and while two other processes compute
digits    twenty scripted digits (thin, thick, large, small, tilted, off-centre) with recipe cnn
runs      fifty runs of a thousand epochs: until they are drawn, frames while hovering, the longest task
tabs      the eighth tab of a browser, until its runs are listed; medians of five
cost      trainings while a page shows their curves beside trainings while none does, in pairs
clients   200 clients that ask for predictions for ten seconds
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scripts.browser import chromium

from benchmarks import machine

PAGES = ("", "train", "draw", "inside", "lecture", "exam")
# Of each digit the strokes, in a square from 0 to 1.
DIGITS: dict[str, list[list[tuple[float, float]]]] = {
    "0": [[(0.5 + 0.2 * math.cos(t / 12 * math.tau), 0.5 + 0.32 * math.sin(t / 12 * math.tau)) for t in range(13)]],
    "1": [[(0.5, 0.15), (0.5, 0.85)]],
    "2": [[(0.3, 0.3), (0.4, 0.17), (0.6, 0.17), (0.68, 0.32), (0.55, 0.52), (0.3, 0.83), (0.72, 0.83)]],
    "3": [[(0.3, 0.25), (0.5, 0.15), (0.68, 0.28), (0.5, 0.47), (0.7, 0.62), (0.55, 0.82), (0.3, 0.75)]],
    "4": [[(0.55, 0.15), (0.28, 0.6), (0.75, 0.6)], [(0.6, 0.4), (0.6, 0.88)]],
    "5": [[(0.68, 0.17), (0.36, 0.17), (0.34, 0.45), (0.58, 0.42), (0.7, 0.6), (0.58, 0.82), (0.3, 0.78)]],
    "6": [[(0.62, 0.15), (0.38, 0.4), (0.33, 0.65), (0.48, 0.83), (0.66, 0.7), (0.58, 0.52), (0.36, 0.6)]],
    "7": [[(0.28, 0.18), (0.7, 0.18), (0.45, 0.85)]],
    "8": [[(0.5, 0.5), (0.36, 0.34), (0.5, 0.17), (0.64, 0.34), (0.36, 0.66), (0.5, 0.83), (0.64, 0.66), (0.5, 0.5)]],
    "9": [[(0.64, 0.38), (0.5, 0.5), (0.36, 0.36), (0.5, 0.18), (0.64, 0.32), (0.62, 0.6), (0.55, 0.85)]],
}
# How a digit is drawn: size, angle in degrees, shift to the right and down, width of the pen.
WAYS = ((1.0, 0, 0.0, 0.0, 10), (0.5, 12, 0.15, -0.12, 26))
# Trainings with and without a page.
PAIRS = 9


# Notes when a stroke ends, and when the bars after it are painted.
_BARS = """
window.at = 0; window.bars = 0;
new MutationObserver((_, self) => {
  if (!window.at) return;
  requestAnimationFrame(() => { window.bars ||= performance.now(); });
  self.disconnect();
}).observe(document.querySelector('#answer-0 .says'), { childList: true, characterData: true, subtree: true });
const ended = () => { window.at = performance.now(); };
document.getElementById('paper').addEventListener('pointerup', ended, { once: true, capture: true });
"""


class Lab:
    """The lab as a process, over some runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "HONSHI_HOME": str(folder / "home"),
            "HONSHI_LANG": "en",
            "PYTHONUNBUFFERED": "1",
        }
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "honshi", "lab", "--no-browser"],
            cwd=folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.seconds = time.perf_counter() - began
        found = re.search(r"(http://127\.0\.0\.1:(\d+))/\?token=(\S+)", line)
        assert found is not None, line
        self.address, self.port, self.token = found[1], found[2], found[3]

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)


def main() -> None:
    parts: dict[str, Callable[[Lab, Any], None]] = {
        "start": start,
        "live": live,
        "stroke": stroke,
        "digits": digits,
        "runs": runs,
        "tabs": tabs,
        "cost": cost,
        "clients": clients,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME,NAME", help=f"some of {', '.join(parts)}")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(parts)
    if unknown := [name for name in names if name not in parts]:
        parser.error(f"there is no part called {', '.join(unknown)}")
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary)
        lab = Lab(folder)
        command = [sys.executable, "-m", "honshi", "train", "cnn", "--epochs", "3", "--out", "runs/cnn"]
        subprocess.run(command, cwd=folder, env=lab.environment, check=True, stdout=subprocess.DEVNULL)
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        try:
            for name in names:
                parts[name](lab, browser)
        finally:
            browser.close()
            lab.end()
    print(machine.line())


def page_of(lab: Lab, browser: Any, page: str = "") -> Any:
    found = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    found.goto(f"{lab.address}/?token={lab.token}")
    if page:
        found.goto(f"{lab.address}/{page}")
    return found


def start(lab: Lab, browser: Any) -> None:
    seconds = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as fresh:
            other = Lab(Path(fresh))
            seconds.append(other.seconds)
            other.end()
    print(f"start: address printed after {statistics.median(seconds):.2f} s")
    for name in PAGES:
        first, largest = [], []
        for _ in range(5):
            page = page_of(lab, browser, name)
            page.evaluate(
                "window.largest = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) "
                "window.largest = one.startTime; }).observe({ type: 'largest-contentful-paint', buffered: true })"
            )
            page.wait_for_timeout(1500)
            first.append(page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"))
            largest.append(page.evaluate("window.largest"))
            page.context.close()
        paints = statistics.median(first), statistics.median(largest)
        print(f"start: /{name}: first paint {paints[0]:.0f} ms, largest {paints[1]:.0f} ms")


def live(lab: Lab, browser: Any) -> None:
    """A history that grows by an epoch ten times a second, as a training writes it."""
    run = lab.folder / "runs" / "growing"
    command = [sys.executable, "-m", "honshi", "train", "--subset", "100", "--epochs", "1", "--out", str(run)]
    subprocess.run(command, cwd=lab.folder, env=lab.environment, check=True, stdout=subprocess.DEVNULL)
    (run / "model.json").unlink()
    page = page_of(lab, browser, "train")
    page.goto(f"{lab.address}/#runs=growing")
    page.wait_for_timeout(2500)
    page.evaluate(
        "window.seen = {}; const chart = document.getElementById('loss'); new MutationObserver(() => { "
        "const n = chart.dataset.points; if (!(n in window.seen)) requestAnimationFrame(() => { "
        "window.seen[n] ??= Date.now(); }); }).observe(chart, { attributes: true })"
    )
    head, row = (run / "history.csv").read_text().splitlines()[:2]
    rest = row.split(",", 1)[1]
    rows, written = [head, row], {}
    for epoch in range(2, 82):
        rows.append(f"{epoch},{rest}")
        temporary = run / ".history"
        temporary.write_text("\n".join(rows) + "\n")
        temporary.replace(run / "history.csv")
        written[str(epoch)] = 1000 * time.time()
        page.wait_for_timeout(100)
    page.wait_for_timeout(1500)
    seen = page.evaluate("window.seen")
    if not seen:
        print("live: no epoch was painted")
        return
    delays = sorted(
        min(float(at) for count, at in seen.items() if int(count) >= int(epoch)) - when
        for epoch, when in written.items()
        if any(int(count) >= int(epoch) for count in seen)
    )
    print(
        f"live: {len(delays)} of {len(written)} epochs painted, median {statistics.median(delays):.0f} ms, "
        f"95th percentile {delays[int(0.95 * len(delays))]:.0f} ms"
    )
    page.context.close()


def _draw(page: Any, strokes: list[list[tuple[float, float]]], way: tuple[float, int, float, float, int]) -> None:
    size, angle, right, down, pen = way
    page.evaluate(
        "(width) => { const pen = document.getElementById('pen'); pen.value = width; "
        "pen.dispatchEvent(new Event('input', { bubbles: true })); }",
        pen,
    )
    box = page.locator("#paper").bounding_box()
    turn = math.radians(angle)

    def place(x: float, y: float) -> tuple[float, float]:
        x, y = size * (x - 0.5), size * (y - 0.5)
        x, y = x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)
        return box["x"] + (0.5 + right + x) * box["width"], box["y"] + (0.5 + down + y) * box["height"]

    for points in strokes:
        page.mouse.move(*place(*points[0]))
        page.mouse.down()
        for point in points[1:]:
            page.mouse.move(*place(*point), steps=5)
        page.mouse.up()


def stroke(lab: Lab, browser: Any) -> None:
    page = page_of(lab, browser, "draw")
    page.wait_for_timeout(2500)
    for name, others in (("alone", 0), ("beside two processes that compute", 2)):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(others)]
        delays = []
        try:
            for _ in range(40):
                page.click("#clear")
                page.wait_for_timeout(150)
                page.evaluate(_BARS)
                _draw(page, DIGITS["1"], WAYS[0])
                page.wait_for_timeout(500)
                at, bars = page.evaluate("[window.at, window.bars]")
                if at and bars:
                    delays.append(bars - at)
        finally:
            for one in busy:
                one.kill()
                one.wait()
        delays.sort()
        print(
            f"stroke: {name}: median {statistics.median(delays):.0f} ms, 95th percentile "
            f"{delays[int(0.95 * len(delays))]:.0f} ms of {len(delays)}"
        )
    page.context.close()


def digits(lab: Lab, browser: Any) -> None:
    page = page_of(lab, browser, "draw")
    page.wait_for_timeout(2500)
    right, wrong = 0, []
    for digit, strokes in DIGITS.items():
        for way in WAYS:
            page.click("#clear")
            _draw(page, strokes, way)
            page.wait_for_timeout(900)
            said = page.text_content("#answer-0 .says").strip()
            right += said.startswith(digit)
            wrong += [] if said.startswith(digit) else [f"{digit} as {said[:12]}"]
    print(f"digits: {right} of {len(DIGITS) * len(WAYS)} right; {', '.join(wrong) or 'none wrong'}")
    page.context.close()


def runs(lab: Lab, browser: Any) -> None:
    source = lab.folder / "runs" / "cnn"
    head = (source / "history.csv").read_text().splitlines()[0]
    for number in range(50):
        run = lab.folder / "runs" / f"long-{number:02}"
        run.mkdir()
        for path in source.iterdir():
            if path.suffix in (".toml", ".json", ".jsonl", ".safetensors"):
                (run / path.name).write_bytes(path.read_bytes())
        loss, gap = number / 99, number / 900
        rows = [
            f"{epoch},{1 / epoch + loss},{1 - 1 / (epoch + 1)},{1.1 / epoch + loss + gap},{1 - 1 / (epoch + 2)},0.1,1"
            for epoch in range(1, 1001)
        ]
        (run / "history.csv").write_text("\n".join([head, *rows]) + "\n")
    page = page_of(lab, browser)
    page.wait_for_timeout(3000)
    page.evaluate(
        "window.longest = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) "
        "window.longest = Math.max(window.longest, one.duration); }).observe({ type: 'longtask' })"
    )
    shown = ",".join(f"long-{number:02}" for number in range(50))
    began = time.perf_counter()
    page.evaluate("(address) => { location.hash = address; location.reload(); }", f"runs={shown}")
    page.wait_for_selector("#loss[data-points]", timeout=20_000)
    seconds = time.perf_counter() - began
    page.evaluate(
        "window.longest = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) "
        "window.longest = Math.max(window.longest, one.duration); }).observe({ type: 'longtask' });"
        "window.frames = 0; const count = () => { window.frames += 1; requestAnimationFrame(count); }; count();"
    )
    box = page.locator("#loss").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 80)
    began, before = time.perf_counter(), page.evaluate("window.frames")
    for step in range(120):
        page.mouse.move(box["x"] + 60 + step * 3, box["y"] + 80 + step % 40)
    frames = (page.evaluate("window.frames") - before) / (time.perf_counter() - began)
    curves = page.evaluate("document.querySelectorAll('#runs tbody input:checked').length")
    print(
        f"runs: {curves} of 50 runs of 1,000 epochs drawn {1000 * seconds:.0f} ms after the reload began, "
        f"{frames:.0f} frames a second while hovering, longest task {page.evaluate('window.longest'):.0f} ms"
    )
    page.context.close()


def tabs(lab: Lab, browser: Any) -> None:
    first = page_of(lab, browser)
    for _ in range(6):
        first.context.new_page().goto(lab.address)
    seconds = []
    for _ in range(5):
        eighth = first.context.new_page()
        began = time.perf_counter()
        eighth.goto(lab.address)
        eighth.wait_for_selector("table tbody tr")
        seconds.append(time.perf_counter() - began)
        eighth.close()
    print(f"tabs: the eighth lists the runs after {statistics.median(seconds):.2f} s")
    first.context.close()


def cost(lab: Lab, browser: Any) -> None:
    def trained(name: str) -> float:
        command = [sys.executable, "-m", "honshi", "train", "cnn", "--epochs", "6", "--out", f"runs/{name}"]
        subprocess.run(command, cwd=lab.folder, env=lab.environment, check=True, stdout=subprocess.DEVNULL)
        with (lab.folder / "runs" / name / "history.csv").open(encoding="utf-8") as file:
            return sum(float(row["seconds"]) for row in csv.DictReader(file))

    trained("warm-up")
    ratios = []
    for pair in range(PAIRS):
        seconds = {}
        # Whichever comes second is as often the one as the other.
        for shown in (pair % 2 == 0, pair % 2 == 1):
            name = f"pair-{pair}-{'shown' if shown else 'alone'}"
            page = page_of(lab, browser) if shown else None
            if page is not None:
                page.goto(f"{lab.address}/#runs={name}")
                page.wait_for_timeout(1500)
            seconds[shown] = trained(name)
            if page is not None:
                page.context.close()
        ratios.append(seconds[True] / seconds[False])
    print(
        f"cost: with a page {statistics.median(ratios):.3f} of the training's time without "
        f"({min(ratios):.3f} to {max(ratios):.3f}, {PAIRS} pairs)"
    )


def clients(lab: Lab, _browser: Any) -> None:
    body = bytes(255 if 10 < place % 28 < 16 else 0 for place in range(784))
    delays, errors = [], []
    until = time.perf_counter() + 10

    def ask() -> None:
        while time.perf_counter() < until:
            request = urllib.request.Request(
                f"{lab.address}/api/look?run=cnn&width=28&height=28",
                data=body,
                headers={
                    "Cookie": f"honshi-{lab.port}={lab.token}",
                    "Content-Type": "application/octet-stream",
                    "Origin": lab.address,
                },
            )
            began = time.perf_counter()
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    answer.read()
                delays.append(time.perf_counter() - began)
            except OSError as error:
                errors.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    delays.sort()
    print(
        f"clients: 200 for 10 s: {len(delays):,} answers, {len(errors)} errors {errors[:1]}, median "
        f"{1000 * statistics.median(delays):.0f} ms, 99th percentile {1000 * delays[int(0.99 * len(delays))]:.0f} ms"
    )


if __name__ == "__main__":
    main()
