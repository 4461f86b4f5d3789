"""The examples for clusters: they parse, they match, and they call a command that exists."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from honshi.cli.options import read_recipe
from honshi.cli.train import train

EXAMPLES = Path(__file__).parents[1] / "examples"
SLURM = EXAMPLES / "slurm" / "train.sbatch"
KUBERNETES = EXAMPLES / "kubernetes" / "train.yaml"


def slurm_command() -> list[str]:
    """What srun starts on each machine."""
    text = SLURM.read_text().replace("\\\n", " ")
    (line,) = [line for line in text.splitlines() if line.startswith("srun ")]
    return shlex.split(line)[1:]


def kubernetes_documents() -> dict[str, Any]:
    return {document["kind"]: document for document in yaml.safe_load_all(KUBERNETES.read_text())}


def container() -> Any:
    (container,) = kubernetes_documents()["Job"]["spec"]["template"]["spec"]["containers"]
    return container


def without_place(command: list[str]) -> list[str]:
    """A command without what a cluster says in its own way: where to meet, and under which name."""
    return [word for word in command if not re.match("--rdzv-(endpoint|id)=", word)]


def test_bash_reads_the_slurm_script() -> None:
    subprocess.run(["bash", "-n", str(SLURM)], check=True)


def test_both_run_the_same_command() -> None:
    assert without_place(slurm_command()) == without_place(container()["command"])


@pytest.mark.parametrize("command", [slurm_command(), container()["command"]], ids=["slurm", "kubernetes"])
def test_torchrun_and_honshi_know_every_option(command: list[str]) -> None:
    from torch.distributed.run import get_args_parser

    launch = get_args_parser().parse_args(command[1:])
    assert command[0] == "torchrun"
    assert launch.module
    assert launch.training_script == "honshi"
    assert launch.training_script_args[0] == "train"

    options = train.make_context("train", launch.training_script_args[1:]).params
    assert options.pop("out") is not None
    recipe, _ = read_recipe(options.pop("recipe"), options.pop("settings"), options)
    assert recipe.training.batch_size >= 16


def test_slurm_starts_one_torchrun_on_each_of_as_many_machines_as_it_waits_for() -> None:
    options = dict(re.findall(r"^#SBATCH --([\w-]+)=(\S+)", SLURM.read_text(), flags=re.MULTILINE))

    assert f"--nnodes={options['nodes']}" in slurm_command()
    assert options["ntasks-per-node"] == "1"


def test_the_pods_find_one_another_at_the_first_one() -> None:
    documents = kubernetes_documents()
    service, job = documents["Service"], documents["Job"]
    name, pods = job["metadata"]["name"], job["spec"]

    assert pods["completionMode"] == "Indexed"
    assert pods["completions"] == pods["parallelism"]
    assert f"--nnodes={pods['completions']}" in container()["command"]
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["selector"] == {"job-name": name}
    assert pods["template"]["spec"]["subdomain"] == service["metadata"]["name"]
    (endpoint,) = [word for word in container()["command"] if word.startswith("--rdzv-endpoint=")]
    assert endpoint.startswith(f"--rdzv-endpoint={name}-0.{service['metadata']['name']}:")


def test_every_mounted_volume_is_declared() -> None:
    declared = {volume["name"] for volume in kubernetes_documents()["Job"]["spec"]["template"]["spec"]["volumes"]}

    assert {mount["name"] for mount in container()["volumeMounts"]} == declared
