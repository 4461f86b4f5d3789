from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from honshi.native.tensors import address, disjoint, is_plain


class Subclass(Tensor):
    pass


@pytest.mark.parametrize(
    ("tensor", "plain"),
    [
        (torch.zeros(3), True),
        (nn.Parameter(torch.zeros(3)), True),
        (torch.zeros(3)[1:], True),
        (torch.zeros(3, device="meta"), False),
        (torch.zeros(3).to_sparse(), False),
        (torch.zeros(3, dtype=torch.complex64).conj().imag, False),
        (torch.zeros(3).as_subclass(Subclass), False),
        (torch._efficientzerotensor(3), False),
        (torch.zeros(0), True),
    ],
    ids=[
        "tensor",
        "parameter",
        "a part",
        "elsewhere",
        "sparse",
        "negated when it is read",
        "subclass",
        "no memory",
        "no number",
    ],
)
def test_what_is_plain(tensor: Tensor, plain: bool) -> None:
    assert is_plain(tensor) is plain


def test_the_address_of_a_part_is_where_the_part_begins() -> None:
    whole = torch.zeros(4, 5)

    assert address(whole[1], torch.float32, (5,)) == whole.data_ptr() + 5 * 4


@pytest.mark.parametrize(
    "tensor",
    [
        torch.zeros(4, 6),
        torch.zeros(20),
        torch.zeros(4, 5, dtype=torch.float64),
        torch.zeros(5, 4).t(),
        torch.zeros(1, 5).expand(4, 5),
        torch.zeros(4, 5, device="meta"),
    ],
    ids=["larger", "in one row", "float64", "in another order", "one row four times", "elsewhere"],
)
def test_a_tensor_of_another_kind_has_no_address(tensor: Tensor) -> None:
    with pytest.raises(ValueError, match=r"needs torch.float32 of shape \(4, 5\)"):
        address(tensor, torch.float32, (4, 5))


def test_a_tensor_whose_memory_was_taken_away_has_no_address() -> None:
    tensor = torch.zeros(4, 5)
    tensor.untyped_storage().resize_(79)

    with pytest.raises(ValueError, match="in order on the CPU"):
        address(tensor, torch.float32, (4, 5))


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5)), max_size=6))
def test_tensors_are_disjoint_where_no_number_is_in_two_of_them(parts: list[tuple[int, int]]) -> None:
    memory = torch.zeros(25)
    tensors = [memory[start : start + size] for start, size in parts]
    for tensor in tensors:
        tensor += 1

    assert disjoint(tensors) is bool((memory <= 1).all())
