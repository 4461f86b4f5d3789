from __future__ import annotations

import pytest
import torch

from honshi.errors import RequestError
from honshi.training.distributed import ALONE, World, joined, launched

CPU = torch.device("cpu")


@pytest.mark.parametrize(("count", "size"), [(10, 3), (2, 5), (0, 2), (7, 1)])
def test_shares_cover_everything_once_and_differ_by_one_at_most(count: int, size: int) -> None:
    shares = [range(count)[World(rank, size).share(count)] for rank in range(size)]

    assert [place for share in shares for place in share] == list(range(count))
    lengths = [len(share) for share in shares]
    assert max(lengths) - min(lengths) <= 1
    assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize(
    ("batch_size", "device", "told"),
    [(2, CPU, "--batch-size 3"), (8, torch.device("mps"), "--device cpu"), (8, torch.device("cuda", 5), "cuda:5")],
)
def test_what_so_many_processes_cannot_do_is_said_before(batch_size: int, device: torch.device, told: str) -> None:
    with pytest.raises(RequestError, match=told):
        World(0, 3).check(batch_size, device)


def test_one_process_alone_has_nothing_to_agree_on() -> None:
    ALONE.check(1, torch.device("mps"))
    with ALONE.agreed():
        pass

    assert ALONE.first
    assert ALONE.total(1.5, 2) == [1.5, 2]
    assert ALONE.least(3) == 3
    assert ALONE.from_first("run") == "run"


def test_a_failure_of_one_process_alone_is_its_own() -> None:
    with pytest.raises(RequestError, match="no"), ALONE.agreed():
        raise RequestError("no")


def test_nothing_is_joined_where_nothing_was_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)

    assert not launched()
    with joined() as world:
        assert world == ALONE
