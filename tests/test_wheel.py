"""What users install: the wheel, in an environment that holds nothing else."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
import torch

import honshi
from honshi.native.compiler import suffix_for
from honshi.native.levels import Level, levels_of, runnable

ROOT = Path(__file__).parents[1]
NATIVE = ROOT / "src" / "honshi" / "native"
MNIST_FILES = {f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")} | {
    "LICENSE.md"
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    build("--sdist", folder)
    # As an installer does that has no wheel.
    with tarfile.open(next(folder.glob("*.tar.gz"))) as sdist:
        sdist.extractall(folder / "sdist", filter="data")
    (unpacked,) = (folder / "sdist").iterdir()
    build("--wheel", folder, unpacked)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's packages, beside which the tests' own have everything that it needs."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder)]
    subprocess.run([*command, str(next(built.glob("*.whl")))], check=True, capture_output=True)
    return folder


def build(what: str, folder: Path, source: Path = ROOT) -> str:
    """What the build says.

    The build backend is among the tests' own packages, so no environment has to be made for it.
    """
    command = [sys.executable, "-m", "build", "--no-isolation", what, "--outdir", str(folder), str(source)]
    built = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return built.stdout


def test_mnist_its_licence_and_the_recipes_are_in_the_wheel(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())

    assert {f"honshi/data/mnist_files/{name}" for name in MNIST_FILES} <= names
    assert "honshi/recipes/lecture.toml" in names
    assert "honshi/py.typed" in names
    assert not [name for name in names if name.startswith("tests/")]


def test_the_c_code_is_in_the_wheel(built: Path) -> None:
    sources = {f"honshi/native/{path.name}" for path in NATIVE.glob("*.c")}
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())

    assert sources
    assert sources <= names


def test_the_c_code_is_compiled_for_each_kind_of_processor_and_the_wheel_for_this_machine(built: Path) -> None:
    wheel = next(built.glob("*.whl"))
    names = zipfile.ZipFile(wheel).namelist()

    for source in NATIVE.glob("*.c"):
        for level in levels_of(platform.machine()):
            library = f"{source.stem}-{level.name}{suffix_for(sys.platform)}"
            assert f"honshi/native/compiled/{library}" in names
    tag = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    if sys.platform != "darwin":  # whose tag names the oldest macOS for which it is compiled
        assert wheel.name.endswith(f"-py3-none-{tag}.whl")
    (about,) = (name for name in names if name.endswith(".dist-info/WHEEL"))
    assert b"Root-Is-Purelib: false" in zipfile.ZipFile(wheel).read(about)


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("objdump") is None, reason="needs objdump")
def test_the_compiled_code_needs_nothing_but_the_c_library(built: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(next(built.glob("*.whl"))).extractall(tmp_path)
    libraries = list((tmp_path / "honshi" / "native" / "compiled").glob("*.so"))

    for library in libraries:
        said = subprocess.run(["objdump", "-p", library], capture_output=True, text=True, check=True).stdout
        assert set(re.findall(r"NEEDED +(\S+)", said)) <= {"libc.so.6", "libm.so.6", "libpthread.so.0"}
    assert libraries


def test_the_wheel_of_the_tree_is_that_of_the_sdist(built: Path, tmp_path: Path) -> None:
    build("--wheel", tmp_path)

    ours, theirs = (zipfile.ZipFile(next(folder.glob("*.whl"))) for folder in (tmp_path, built))
    assert ours.namelist() == theirs.namelist()
    assert [name for name in ours.namelist() if ours.read(name) != theirs.read(name)] == []


def test_without_a_compiler_the_wheel_is_for_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")

    said = build("--wheel", tmp_path)

    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.endswith("-py3-none-any.whl")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "/compiled/" in name]
    assert "There is no C compiler here" in said


@pytest.mark.parametrize("level", runnable(), ids=lambda level: level.name)
def test_each_level_is_found_without_a_compiler_and_computes_what_torch_does(
    level: Level, installed: Path, tmp_path: Path
) -> None:
    (tmp_path / "no-programs").mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(installed),
        "PATH": str(tmp_path / "no-programs"),
        "HONSHI_HOME": str(tmp_path / "home"),
        "ATEN_CPU_CAPABILITY": level.name if level.capability else "default",
    }
    environment.pop("CC", None)

    code = "from honshi.native.parts import parts; print([(part.level, part.shipped) for part in parts()])"
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    tests = [str(ROOT / "tests" / "native" / f"test_{name}.py") for name in ("kernels", "mlp_sgd")]
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert found.stdout.strip() == str([(level.name, True)] * 3)
    assert tested.returncode == 0, tested.stdout
    assert not (tmp_path / "home").exists()


def test_mnist_and_its_licence_are_in_the_sdist(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {Path(name).name for name in sdist.getnames() if "mnist_files" in name}

    assert names >= MNIST_FILES


def test_the_wheel_installs_into_an_empty_environment_and_trains(built: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / ("Scripts" if os.name == "nt" else "bin") / "python"
    constraints = ROOT / "constraints.txt"
    wheel = next(built.glob("*.whl"))
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--constraint", constraints, wheel], check=True, capture_output=True
    )

    trained = subprocess.run(
        [python.parent / "honshi", "train", "--subset", "1000", "--epochs", "1", "--out", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert trained.returncode == 0, trained.stderr
    assert honshi.load_model(tmp_path / "run" / "model.safetensors")(torch.zeros(1, 1, 28, 28)).shape == (1, 10)
