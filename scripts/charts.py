"""Bring the library that draws the lab's curves: uPlot (MIT), by npm, at one version and one hash, never committed.

    python -m scripts.charts

Where no registry answers the lab shows the curves as the pictures that the reports draw, and everything else works.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.npm import Package, bring

UPLOT = Package(
    name="uplot",
    version="1.6.32",
    integrity="sha512-KIMVnG68zvu5XXUbC4LQEPnhwOxBuLyW1AHtpm6IKTXImkbLgkMy+jabjLgSLMasNuGGzQm/ep3tOkyTxpiQIw==",
    files={
        "package/dist/uPlot.iife.min.js": "uPlot.iife.min.js",
        "package/dist/uPlot.min.css": "uPlot.min.css",
        "package/LICENSE": "uPlot.LICENSE",
    },
)
FOLDER = Path(__file__).parent.parent / "src" / "honshi" / "web" / "static" / "vendor"


if __name__ == "__main__":
    try:
        bring(UPLOT, FOLDER)
    except (OSError, ValueError) as error:
        print(f"The lab will show its curves as pictures: {error}.", file=sys.stderr)
