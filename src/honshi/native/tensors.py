"""What a tensor is, asked of the tensor itself before C code is given its address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.overrides import _get_current_function_mode_stack
from torch.utils._device import DeviceContext
from torch.utils._python_dispatch import _get_current_dispatch_mode


def is_plain(tensor: object) -> bool:
    """Whether its numbers lie in this process's memory as shape and strides say, and nowhere else."""
    return (
        # A subclass may mean something else by the same numbers.
        type(tensor) in (Tensor, nn.Parameter)
        and isinstance(tensor, Tensor)
        and tensor.is_cpu
        and tensor.layout == torch.strided
        and not tensor.is_neg()
        # Zeros that autograd made up have no memory at all, nor has a tensor whose storage was emptied.
        and (tensor.data_ptr() != 0 or not tensor.numel())
    )


def address(
    tensor: Tensor,
    dtype: torch.dtype,
    shape: Sequence[int],
    memory_format: torch.memory_format = torch.contiguous_format,
) -> int:
    """Where a tensor begins.

    Raises:
        ValueError: it is not of this kind, shape and order in memory.
    """
    fits = (
        tensor.dtype == dtype
        and tensor.shape == torch.Size(shape)
        and tensor.is_contiguous(memory_format=memory_format)
        and is_plain(tensor)
        # A storage may have been emptied beneath its tensor.
        and tensor.untyped_storage().nbytes() >= tensor.itemsize * (tensor.storage_offset() + tensor.numel())
    )
    if not fits:
        raise ValueError(
            f"needs {dtype} of shape {tuple(shape)} in order on the CPU, not {tensor.dtype} of shape "
            f"{tuple(tensor.shape)} with strides {tensor.stride()} on {tensor.device}"
        )
    return tensor.data_ptr()


def disjoint(tensors: Iterable[Tensor]) -> bool:
    """Whether no two tensors without gaps lie in the same memory."""
    places = sorted((tensor.data_ptr(), tensor.data_ptr() + tensor.nbytes) for tensor in tensors if tensor.numel())
    return all(end <= start for (_, end), (start, _) in pairwise(places))


def is_watched(*tensors: Tensor) -> bool:
    """Whether something looks through what torch computes, and would not see what happens in C: torch.compile and
    torch.jit, torch.func, forward-mode differentiation, and what watches each operation."""
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        or any(map(torch._C._functorch.is_functorch_wrapped_tensor, tensors))
        or forward_ad._current_level >= 0
        or _get_current_dispatch_mode() is not None
        # A default device is kept as one, and changes nothing of what has a device.
        or not all(isinstance(mode, DeviceContext) for mode in _get_current_function_mode_stack())
    )
