"""The lab in a browser: what a student and an instructor see and do, in two languages, on two grounds, on a phone."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from scripts.browser import FOLDER, chromium
from tests.web.test_serve import Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium here: python -m scripts.browser"),
    pytest.mark.xdist_group("browser"),
]

PAGES = {"runs": "/", "train": "/train", "draw": "/draw", "inside": "/inside", "lecture": "/lecture", "exam": "/exam"}
AXE = FOLDER / "axe.min.js"
# Where pictures of the pages go, for people to look at.
SCREENSHOTS = os.environ.get("HONSHI_SCREENSHOTS")
# A page that jumps by more than this is felt to jump.
MOST_SHIFT, MOST_BYTES, MOST_REQUESTS = 0.01, 350_000, 25
THREE = [(0.3, 0.25), (0.5, 0.15), (0.68, 0.28), (0.5, 0.47), (0.7, 0.62), (0.55, 0.82), (0.3, 0.75)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A lab over two finished runs."""
    folder = tmp_path_factory.mktemp("lab")
    environment = {**os.environ, "HONSHI_HOME": str(folder / "home"), "HONSHI_LANG": "en", "OMP_NUM_THREADS": "2"}
    for arguments in (
        ("cnn", "--subset", "6000", "--epochs", "3", "--out", "runs/cnn"),
        ("lecture", "--subset", "2000", "--epochs", "4", "--out", "runs/lecture"),
    ):
        command = [sys.executable, "-m", "honshi", "train", *arguments]
        subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    served = Served(folder)
    yield served
    served.end()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield found
        found.close()


Open = Callable[..., "Page"]


@pytest.fixture
def opened(lab: Served, browser: Browser) -> Iterator[Open]:
    """Opens a page; whatever the console says, and whatever is asked of another host, fails the test."""
    said: list[str] = []
    contexts = []

    def note(text: str) -> None:
        # What is refused in a sentence is an error to the network's log as well.
        if text and "status of 422" not in text:
            said.append(text)

    def open_page(page: str = "runs", width: int = 1280, served: Served = lab, **options: Any) -> Page:
        options = {"locale": "en-GB", "color_scheme": "light", **options}
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        found = context.new_page()
        found.on("console", lambda message: note(message.text))
        found.on("pageerror", lambda error: said.append(str(error)))
        own = f"http://127.0.0.1:{served.port}/"
        found.on(
            "request", lambda asked: None if asked.url.startswith((own, "data:", "blob:")) else said.append(asked.url)
        )
        found.goto(f"{own}?token={served.token}")
        if page != "runs":
            found.goto(own.rstrip("/") + PAGES[page])
        return found

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


def settled(page: Page) -> None:
    """Wait until nothing is asked any more; the stream of news stays open."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(1500)


def rows_beyond(run: Path, rows: int, seconds: float = 30.0) -> int:
    """How many rows a run's history has, once there are more than so many."""
    history, until = run / "history.csv", time.monotonic() + seconds
    while True:
        found = len(history.read_text("utf-8").splitlines()) - 1 if history.exists() else 0
        if found > rows:
            return found
        assert time.monotonic() < until, f"{history} has {found} rows"
        time.sleep(0.1)


def wait_until(page: Page, holds: str, seconds: float = 20.0) -> None:
    """Wait until an expression holds; asked from outside, because the page may not evaluate texts."""
    until = time.monotonic() + seconds
    while not page.evaluate(holds):
        assert time.monotonic() < until, holds
        page.wait_for_timeout(100)


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("language", "scheme"), [("en-GB", "light"), ("ja-JP", "dark")])
def test_a_page_is_small_calm_in_one_language_and_fits_a_phone(
    opened: Open, name: str, language: str, scheme: str
) -> None:
    for width, device in ((1280, "desk"), (360, "phone")):
        page = opened(name, width=width, locale=language, color_scheme=scheme)
        page.evaluate(
            "window.shift = 0; new PerformanceObserver((list) => { for (const one of list.getEntries()) "
            "if (!one.hadRecentInput) window.shift += one.value; }).observe({ type: 'layout-shift', buffered: true })"
        )
        settled(page)
        entries = page.evaluate(
            "[...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')]"
            ".filter((one) => !one.name.includes('/api/')).map((one) => one.decodedBodySize)"
        )
        assert len(entries) <= MOST_REQUESTS
        assert sum(entries) <= MOST_BYTES
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate("window.shift") <= MOST_SHIFT
        if language == "ja-JP":
            lines = page.evaluate("document.body.innerText").splitlines()
            assert [line for line in lines if re.search(r"([A-Za-z]{2,} ){3}", line)] == []
            assert page.evaluate("document.documentElement.lang") == "ja"
        if device == "desk":  # a zoom of 200 % leaves half as many pixels of CSS
            page.set_viewport_size({"width": width // 2, "height": 450})
            wait_until(page, f"document.documentElement.scrollWidth <= {width // 2}", 5)
            page.set_viewport_size({"width": width, "height": 900})
        if SCREENSHOTS:
            path = Path(SCREENSHOTS) / f"{name}-{language[:2]}-{scheme}-{device}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(path), full_page=True)


@pytest.mark.skipif(not AXE.exists(), reason="axe-core could not be fetched: python -m scripts.browser")
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("language", "scheme", "width"), [("en-GB", "light", 1280), ("ja-JP", "dark", 360)])
def test_axe_finds_no_serious_fault(opened: Open, name: str, language: str, scheme: str, width: int) -> None:
    page = opened(name, width=width, locale=language, color_scheme=scheme, bypass_csp=True)
    settled(page)
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    serious = [
        f"{one['id']}: {node['target']} {node['failureSummary']}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]
    assert serious == []


def test_another_language_loses_no_input(opened: Open) -> None:
    page = opened("train")
    page.wait_for_selector("#training:not([inert])")
    page.fill("[id='training.epochs']", "７")
    page.click("button:has-text('日本語')")
    page.wait_for_selector("text=訓練を始める")
    wait_until(page, "document.getElementById('training.epochs').value === '７'", 5)


def draw(page: Page, points: list[tuple[float, float]]) -> None:
    box = page.locator("#paper").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=8)
    page.mouse.up()


def test_a_three_that_is_drawn_is_read_as_three(opened: Open) -> None:
    page = opened("draw")
    page.select_option("#model-0", "cnn")
    page.wait_for_timeout(1500)
    draw(page, THREE)
    wait_until(page, "document.querySelector('#answer-0 .says').textContent.trim().startsWith('3')")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "honshi", *arguments]


def environment(lab: Served) -> dict[str, str]:
    return {**os.environ, "HONSHI_HOME": str(lab.home), "HONSHI_LANG": "en"}


def test_a_run_of_another_process_appears_and_advances_and_its_death_is_told(opened: Open, lab: Served) -> None:
    page = opened("runs")
    settled(page)
    trainer = subprocess.Popen(
        command("train", "mlp", "--epochs", "200", "--out", "runs/other"),
        cwd=lab.folder,
        env=environment(lab),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        row = page.locator("tr", has_text="other")
        row.wait_for(timeout=20_000)
        about_it = "[...document.querySelectorAll('tr')].some((row) => row.innerText.includes('other') && "
        wait_until(page, about_it + r"/running/.test(row.innerText) && /\b[2-9]\b/.test(row.innerText))", 30)
        trainer.send_signal(signal.SIGKILL)
        trainer.wait(10)
        killed = time.monotonic()
        wait_until(page, about_it + "/killed/.test(row.innerText))")
        assert time.monotonic() - killed <= 4
    finally:
        trainer.kill()
        trainer.wait(10)


def test_a_training_is_started_stopped_and_resumed_by_the_keyboard_alone(opened: Open) -> None:
    page = opened("train")
    settled(page)
    page.focus("#recipe")
    page.keyboard.type("lecture")
    for key, value in (("training.epochs", "40"), ("data.subset", "20000")):
        page.focus(f"[id='{key}']")
        page.keyboard.press("Control+A")
        page.keyboard.type(value)
    page.focus("#start")
    page.keyboard.press("Enter")
    page.wait_for_selector("#running article progress", timeout=20_000)
    page.focus("#running button:has-text('Stop')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#running button:has-text('Go on')", timeout=20_000)
    page.focus("#running button:has-text('Go on')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#running article progress", timeout=20_000)
    page.wait_for_selector("#running .verdict p", timeout=60_000)


def test_the_exam_is_sat_once_whoever_asks_again(opened: Open, lab: Served) -> None:
    first, second = opened("exam"), opened("exam")
    for page in (first, second):
        page.select_option("#run", "cnn")
        page.wait_for_selector("#before:not([hidden])", timeout=15_000)
        page.fill("#expected", "９７")
        page.press("#expected", "Enter")
        page.fill("#name", "cnn")
    first.click("#open")
    second.click("#open")
    first.wait_for_selector("#result:not([hidden]) .score", timeout=30_000)
    second.wait_for_selector("#result:not([hidden]) .score", timeout=30_000)
    assert first.text_content(".score") == second.text_content(".score")
    third = opened("exam")
    third.select_option("#run", "lecture")
    wait_until(third, "document.getElementById('wrong').textContent.length > 20")
    assert "was opened" in (third.text_content("#wrong") or "")
    ledger = subprocess.run(
        command("ledger", "--json"),
        cwd=lab.folder,
        env=environment(lab),
        capture_output=True,
        text=True,
        check=True,
    )
    assert '"opening": 1' in ledger.stdout
    assert '"opening": 2' not in ledger.stdout


def test_trainings_outlive_the_server_and_the_page_comes_back(browser: Browser, tmp_path: Path) -> None:
    served = Served(tmp_path)
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    try:
        page.goto(f"http://127.0.0.1:{served.port}/?token={served.token}")
        page.goto(f"http://127.0.0.1:{served.port}/train")
        page.wait_for_selector("#training:not([inert])")
        page.fill("[id='training.epochs']", "300")
        page.click("#start")
        page.wait_for_selector("#running article progress", timeout=20_000)
        served.process.send_signal(signal.SIGKILL)
        served.process.wait(10)
        page.wait_for_selector("#lost:not([hidden])", timeout=10_000)
        again = Served(tmp_path)
        try:
            assert again.port == served.port
            page.wait_for_selector("#lost", state="hidden", timeout=8_000)
            (run,) = (tmp_path / "runs").iterdir()
            epochs = rows_beyond(run, 0)  # the bar moves by the step: the first epoch may not be over yet
            rows_beyond(run, epochs)
            (run / "stop").touch()
            page.wait_for_selector("#running button:has-text('Go on')", timeout=20_000)
        finally:
            again.end()
    finally:
        context.close()
        served.end()
