"""The C code of this room for tensors: which it takes, and its calls.

What may be computed is asked of the tensors themselves, at each call: a module says of itself what it likes.

Shapes: (b, c, h, w) features.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import resources

import torch
from torch import Tensor

from honshi.native.library import Library, Signature, int32, int64, load, parallel, pointer
from honshi.native.tensors import address, is_plain

# Channels are computed in vectors of this length.
LANES = 8
DTYPES = (torch.float32, torch.bfloat16)
# Numbers that are worth a second thread.
GRAIN = 1 << 15
# Pixels of a line, at most, as in the C code: four lines lie on a thread's stack.
WIDEST = 1 << 10


class Kernels:
    """The compiled functions. All features are such as they `support`."""

    def __init__(self, code: ctypes.CDLL, parallel: int | None) -> None:
        """
        Args:
            code: the compiled library.
            parallel: the address of OpenMP's ``GOMP_parallel``, where torch has it.
        """
        self.code = code
        self.parallel = parallel

    def supports(self, features: Tensor) -> bool:
        """Whether features are such as these functions know: on a CPU, float32 or bfloat16, the channels of a pixel
        side by side. And whether the threads are there that torch would use."""
        return (
            is_plain(features)
            and features.dtype in DTYPES
            and features.dim() == 4
            and 0 not in features.shape[1:]
            and features.shape[1] % LANES == 0
            and features.is_contiguous(memory_format=torch.channels_last)
            and self._has_threads()
        )

    def supports_pictures(self, images: Tensor, filters: Tensor) -> bool:
        """The same for pictures of one channel (b, 1, h, w) and 3 x 3 filters (c, 1, 3, 3), both float32."""
        return (
            all(
                is_plain(tensor) and tensor.dtype == torch.float32 and tensor.dim() == 4 for tensor in (images, filters)
            )
            and images.shape[1] == 1
            and images.shape[2] > 0
            and 0 < images.shape[3] <= WIDEST
            and filters.shape[1:] == (1, 3, 3)
            and filters.shape[0] > 0
            and filters.shape[0] % LANES == 0
            and self._has_threads()
        )

    def _has_threads(self) -> bool:
        return self.parallel is not None or torch.get_num_threads() == 1

    def max_pool(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The largest of each 2 x 2 pixels, (b, c, ⌈h/2⌉, ⌈w/2⌉), and its place in the window, uint8 (as many,)."""
        size = b, c, h, w = _shape(inputs)
        outputs = _empty_features(b, c, -(-h // 2), -(-w // 2), dtype=inputs.dtype)
        places = _empty(outputs.numel(), dtype=torch.uint8)
        self.code.max_pool(
            address(inputs, _known(inputs.dtype, c), size, torch.channels_last),
            outputs.data_ptr(),
            places.data_ptr(),
            b,
            h,
            w,
            c,
            *self._dtype_and_threads(inputs),
        )
        return outputs, places

    def max_pool_gradient(self, gradient: Tensor, places: Tensor, shape: torch.Size) -> Tensor:
        """The gradient with respect to the inputs (b, c, h, w), from that with respect to the outputs."""
        b, c, h, w = shape
        size = (b, c, -(-h // 2), -(-w // 2))
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        to_inputs = _empty_features(*shape, dtype=gradient.dtype)
        self.code.max_pool_gradient(
            address(gradient, _known(gradient.dtype, c), size, torch.channels_last),
            to_inputs.data_ptr(),
            address(places, torch.uint8, (gradient.numel(),)),
            b,
            h,
            w,
            c,
            *self._dtype_and_threads(to_inputs),
        )
        return to_inputs

    def conv_pool(
        self, images: Tensor, filters: Tensor, dtype: torch.dtype, *, places: bool
    ) -> tuple[Tensor, Tensor | None]:
        """A convolution and max pooling of what it gives.

        Args:
            images: (b, 1, h, w); a line of zeros is laid around them.
            filters: (c, 1, 3, 3).
            dtype: of the outputs, float32 or bfloat16.
            places: whether they are wanted.

        Returns:
            As `max_pool`: (b, c, ⌈h/2⌉, ⌈w/2⌉), and the places or None.
        """
        (b, _, h, w), c = _shape(images), len(filters)
        outputs = _empty_features(b, c, -(-h // 2), -(-w // 2), dtype=_known(dtype, c))
        which = _empty(outputs.numel(), dtype=torch.uint8) if places else None
        by_tap = filters.reshape(c, -1).t().contiguous()  # (9, c)
        fits = self.code.conv_pool(
            address(images, torch.float32, (b, 1, h, w)),
            address(by_tap, torch.float32, (9, c)),
            outputs.data_ptr(),
            None if which is None else which.data_ptr(),
            b,
            h,
            w,
            c,
            *self._dtype_and_threads(outputs),
        )
        _check_width(fits, w)
        return outputs, which

    def conv_pool_gradient(self, gradient: Tensor, images: Tensor, filters: Tensor, places: Tensor) -> Tensor:
        """The gradient with respect to the filters (c, 1, 3, 3), from that with respect to the outputs."""
        (b, _, h, w), c = _shape(images), len(filters)
        size = (b, c, -(-h // 2), -(-w // 2))
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        partial, by_tap = _empty(b, 9, c), _empty(9, c)
        fits = self.code.conv_pool_gradient(
            address(gradient, _known(gradient.dtype, c), size, torch.channels_last),
            address(images, torch.float32, (b, 1, h, w)),
            address(places, torch.uint8, (gradient.numel(),)),
            partial.data_ptr(),
            by_tap.data_ptr(),
            b,
            h,
            w,
            c,
            *self._dtype_and_threads(gradient),
        )
        _check_width(fits, w)
        return torch.empty_like(filters).copy_(by_tap.t().view(c, 1, 3, 3))

    def _dtype_and_threads(self, features: Tensor) -> tuple[bool, int | None, int]:
        """Whether numbers are bfloat16, what hands the work to threads, and to how many."""
        threads = torch.get_num_threads() if features.numel() > GRAIN else 1
        return features.dtype == torch.bfloat16, self.parallel, threads


@cache
def kernels() -> Kernels | None:
    """The compiled functions; None where they cannot be compiled."""
    code = library().code
    return None if code is None else Kernels(code, parallel())


@cache
def library() -> Library:
    """The C file, compiled."""
    dtype_and_threads = [int32, pointer, int32]
    signatures: dict[str, Signature] = {
        "max_pool": (None, [*[pointer] * 3, *[int64] * 4, *dtype_and_threads]),
        "max_pool_gradient": (None, [*[pointer] * 3, *[int64] * 4, *dtype_and_threads]),
        "conv_pool": (int32, [*[pointer] * 4, *[int64] * 4, *dtype_and_threads]),
        "conv_pool_gradient": (int32, [*[pointer] * 5, *[int64] * 4, *dtype_and_threads]),
    }
    return load(resources.files(__package__) / "kernels.c", signatures)


def _empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """What the C code writes to, whatever someone has made torch's defaults."""
    return torch.empty(shape, dtype=dtype, device="cpu")


def _empty_features(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="cpu", memory_format=torch.channels_last)


def _shape(tensor: Tensor) -> tuple[int, ...]:
    """Four sizes.

    Raises:
        ValueError: it has more or fewer.
    """
    if tensor.dim() != 4:
        raise ValueError(f"needs four dimensions, not shape {tuple(tensor.shape)}")
    return tuple(tensor.shape)


def _known(dtype: torch.dtype, channels: int) -> torch.dtype:
    """The type of features that the C code knows.

    Raises:
        ValueError: it is another one, or it does not know so many channels.
    """
    if dtype not in DTYPES or channels % LANES:
        raise ValueError(f"needs float32 or bfloat16 in channels by {LANES}, not {channels} of {dtype}")
    return dtype


def _check_width(fits: bool, width: int) -> None:
    if not fits:
        raise ValueError(f"needs pictures of at most {WIDEST} columns, not {width}")
