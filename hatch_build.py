"""Compiles the C code for a wheel, for each kind of processor of the machine that it is for, and the catalogues of
sentences for gettext.

Hatchling calls it (pyproject.toml). Where there is no compiler, or it fails, the wheel carries the sources alone and is
one for every machine; an editable installation compiles what it needs when it is first used.

`CC` names another compiler, and `_PYTHON_HOST_PLATFORM` another machine than this one, as for every build of Python:

    CC=aarch64-linux-gnu-gcc _PYTHON_HOST_PLATFORM=linux-aarch64 python -m build --wheel
"""

from __future__ import annotations

import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# macOS 11 is the first for arm64, and older than any that torch works on.
MACOS = "11.0"
CATALOGUES = "src/honshi/locale/*/LC_MESSAGES/honshi.po"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds ``honshi/native/compiled/`` and ``honshi/locale/*/LC_MESSAGES/honshi.mo``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        if version == "editable":
            for catalogue in sorted(root.glob(CATALOGUES)):
                _compile(catalogue, catalogue.with_suffix(".mo"))
            return
        self.folder = tempfile.TemporaryDirectory(prefix="honshi-")
        for catalogue in sorted(root.glob(CATALOGUES)):
            language = catalogue.parent.parent.name
            made_of_it = Path(self.folder.name) / f"{language}.mo"
            _compile(catalogue, made_of_it)
            build_data["force_include"][str(made_of_it)] = f"honshi/locale/{language}/LC_MESSAGES/honshi.mo"
        # Of the package itself: these modules need nothing but Python's own library.
        sys.path.insert(0, str(Path(self.root) / "src"))
        try:
            from honshi.native.compiler import CompilerError, find_compiler
            from honshi.native.shipped import FOLDER, build
        finally:
            sys.path.pop(0)

        compiler = find_compiler()
        if compiler is None:
            self.app.display_warning("There is no C compiler here: the wheel carries no compiled code.")
            return
        system, machine, tag = _target()
        flags = [f"-mmacosx-version-min={MACOS}"] if system == "darwin" else []
        native = Path(self.root) / "src" / "honshi" / "native"
        try:
            made = build([*compiler, *flags], sorted(native.glob("*.c")), Path(self.folder.name), machine, system)
        except CompilerError as error:
            problem = str(error.problem)
            self.app.display_warning(f"{compiler[0]}: {problem} The wheel carries no compiled code.")
            return
        for path in made:
            build_data["force_include"][str(path)] = f"honshi/native/{FOLDER}/{path.name}"
        if made:
            build_data["pure_python"] = False
            build_data["tag"] = f"py3-none-{tag}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


def _compile(catalogue: Path, to: Path) -> None:
    """What gettext reads of what people write."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with catalogue.open("rb") as source, to.open("wb") as target:
        write_mo(target, read_po(source))


def _target() -> tuple[str, str, str]:
    """Python's name of the system that the wheel is for, the kind of machine, and the last part of the wheel's tag."""
    # linux-x86_64, linux-aarch64, win-amd64, win-arm64, macosx-11.0-arm64, macosx-10.9-universal2
    words = sysconfig.get_platform().split("-")
    name, machine = words[0], words[-1]
    if name == "macosx":
        import platform

        # What a compiler makes is for one of the two kinds, whichever Python holds both.
        machine = platform.machine() if machine == "universal2" else machine
        return "darwin", machine, f"macosx_{MACOS.replace('.', '_')}_{machine}"
    return {"win": "win32"}.get(name, name), machine, "_".join(words).replace(".", "_")
