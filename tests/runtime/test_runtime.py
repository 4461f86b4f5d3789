"""The device that is picked, and the random state that a seed sets and gives back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest
import torch

from honshi.errors import RequestError
from honshi.runtime import available_devices, pick_device, seeded


class TestDevice:
    def test_the_processor_is_always_there_and_comes_last(self) -> None:
        assert available_devices()[-1] == "cpu"

    def test_auto_is_the_fastest_there_is(self) -> None:
        assert pick_device().type == pick_device("auto").type == available_devices()[0]

    @pytest.mark.parametrize("name", available_devices())
    def test_a_device_that_is_there_is_taken_by_its_name(self, name: str) -> None:
        assert pick_device(name) == torch.device(name)

    @pytest.mark.parametrize("name", ["gpu", "", "cpu cuda", "cuda:x"])
    def test_a_name_that_means_nothing_gets_the_list(self, name: str) -> None:
        with pytest.raises(RequestError, match=rf"no device called '{name}'; choose auto, .*cpu\."):
            pick_device(name)

    @pytest.mark.parametrize("name", ["meta", "xpu", "cuda:99"])
    def test_a_device_that_is_not_there_gets_what_is(self, name: str) -> None:
        with pytest.raises(RequestError, match=rf"'{name}' was asked for and this machine offers .*cpu\. .*doctor"):
            pick_device(name)

    @pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has one")
    def test_without_a_gpu_cuda_is_refused_before_anything_starts(self) -> None:
        with pytest.raises(RequestError, match=r"'cuda' was asked for .* Use --device auto"):
            pick_device("cuda")


@pytest.mark.parametrize("device", [None, *map(torch.device, available_devices())], ids=str)
class TestSeeded:
    def draw(self, device: torch.device | None) -> list[float]:
        return torch.rand(3, device=device).tolist()

    def test_the_same_seed_gives_the_same_numbers(self, device: torch.device | None) -> None:
        with seeded(7, device):
            once = self.draw(device)
        with seeded(7, device):
            again = self.draw(device)
        assert once == again

    def test_another_seed_gives_others(self, device: torch.device | None) -> None:
        with seeded(7, device):
            once = self.draw(device)
        with seeded(8, device):
            other = self.draw(device)
        assert once != other

    def test_the_callers_numbers_go_on_as_if_nothing_had_been(self, device: torch.device | None) -> None:
        torch.manual_seed(0)
        expected = self.draw(device) + self.draw(device)
        torch.manual_seed(0)
        first = self.draw(device)
        with seeded(7, device):
            self.draw(device)
        assert first + self.draw(device) == expected

    def test_so_they_do_where_the_block_fails(self, device: torch.device | None) -> None:
        before = torch.get_rng_state()
        with pytest.raises(RuntimeError, match="broken off"), seeded(7, device):
            raise RuntimeError("broken off")
        assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is told to keep memory")
def test_a_large_tensor_takes_the_memory_that_another_one_left() -> None:
    # In a process of its own, because malloc is told once and for all.
    script = """
import resource, torch
from honshi.runtime import keep_freed_memory

def pages_touched_anew():
    for _ in range(20):
        torch.ones(10_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(10_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

print(pages_touched_anew())
keep_freed_memory()
print(pages_touched_anew())
"""
    finished = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    before, after = map(int, finished.stdout.split())

    assert before > 20
    assert after < before / 20
