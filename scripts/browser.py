"""What the tests of the lab's pages need beside Python: a browser, fonts with Japanese, and axe-core.

    python -m scripts.browser

Chromium and the fonts are Debian's, installed where they are missing and that may be done (by root, with apt-get). axe
(MPL-2.0) is fetched by npm at one version and one hash, and never committed. Where something cannot be had the tests
that need it say so and are passed over.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.npm import Package, bring

AXE = Package(
    name="axe-core",
    version="4.14.1",
    integrity="sha512-FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    files={"package/axe.min.js": "axe.min.js"},
)
FOLDER = Path(__file__).parent.parent / "tests" / "web" / "vendor"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FONTS = "fonts-noto-cjk"


def chromium() -> str | None:
    """Where a browser is; None where there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name)) is not None), None)


def _install() -> None:
    fonts = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
    wanted = [*([] if chromium() else ["chromium"]), *([] if fonts.exists() else [FONTS])]
    if not wanted:
        return
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise OSError(
            f"{' and '.join(wanted)} must be installed by hand, as by: sudo apt-get install {' '.join(wanted)}"
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *wanted],
    ):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


if __name__ == "__main__":
    for prepare in (_install, lambda: bring(AXE, FOLDER)):
        try:
            prepare()
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            print(f"Tests in a browser are passed over: {error}", file=sys.stderr)
