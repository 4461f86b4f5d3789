"""The C code of this room for tensors: which it takes, and its calls.

Shapes: (b, c, h, w) features, or (b, c); r = b h w rows of c channels.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import resources

import torch
from torch import Tensor
from torch.autograd.graph import increment_version
from torch.nn.modules.batchnorm import _BatchNorm

from honshi.native.library import Library, Signature, float64, int32, int64, load, parallel, pointer
from honshi.native.tensors import address, disjoint, is_plain

# Channels are computed in vectors of this length.
LANES = 8
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
        layout = torch.channels_last if features.dim() == 4 else torch.contiguous_format
        return (
            is_plain(features)
            and features.dtype in (torch.float32, torch.bfloat16)
            and features.dim() in (2, 4)
            and 0 not in features.shape[1:]
            and features.shape[1] % LANES == 0
            and features.is_contiguous(memory_format=layout)
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

    def supports_norm(self, norm: _BatchNorm, channels: int) -> bool:
        """The same for a batch norm's weights and running moments, float32 (c,), where it has them."""
        tensors = [norm.weight, norm.bias, norm.running_mean, norm.running_var]
        there = [tensor for tensor in tensors if tensor is not None]
        return (
            (norm.running_mean is None) is (norm.running_var is None)
            and all(
                is_plain(tensor)
                and tensor.dtype == torch.float32
                and tensor.shape == (channels,)
                and tensor.is_contiguous()
                for tensor in there
            )
            and disjoint(there)
        )

    def _has_threads(self) -> bool:
        return self.parallel is not None or torch.get_num_threads() == 1

    def max_pool(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """The largest of each 2 x 2 pixels, (b, c, ⌈h/2⌉, ⌈w/2⌉), and its place in the window, uint8 (as many,)."""
        b, c, h, w = inputs.shape
        outputs = _empty_features(b, c, -(-h // 2), -(-w // 2), dtype=inputs.dtype)
        places = _empty(outputs.numel(), dtype=torch.uint8)
        self.code.max_pool(
            address(inputs, *_kind(inputs), torch.channels_last),
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
            address(gradient, _kind(gradient)[0], size, torch.channels_last),
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
        (b, _, h, w), c = images.shape, len(filters)
        outputs = _empty_features(b, c, -(-h // 2), -(-w // 2), dtype=dtype)
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
        (b, _, h, w), c = images.shape, len(filters)
        size = (b, c, -(-h // 2), -(-w // 2))
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        partial, by_tap = _empty(b, 9, c), _empty(9, c)
        fits = self.code.conv_pool_gradient(
            address(gradient, _kind(gradient)[0], size, torch.channels_last),
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

    def sums(self, inputs: Tensor) -> Tensor:
        """The sum of each channel, its sum of squares, and how many numbers each has, float64 (2 c + 1,)."""
        rows, channels = _rows(inputs)
        partial = self._partial(rows, channels)
        sums = _empty(2 * channels + 1, dtype=torch.float64)
        self.code.norm_sums(
            _address_of_features(inputs),
            rows,
            channels,
            partial.data_ptr(),
            sums.data_ptr(),
            *self._dtype_and_threads(inputs),
        )
        return sums

    def moments(self, norm: _BatchNorm, sums: Tensor, momentum: float | None) -> tuple[Tensor, Tensor]:
        """Mean and inverse deviation, float64 (2, c), and the factors that normalise by them, float32 (2, c).

        The running moments take a step of momentum towards them, if there is one.
        """
        channels = len(sums) // 2
        moments, factors = _empty(2, channels, dtype=torch.float64), _empty(2, channels)
        running = [norm.running_mean, norm.running_var] if momentum else [None, None]
        self.code.norm_moments(
            address(sums, torch.float64, (2 * channels + 1,)),
            channels,
            norm.eps,
            _address(norm.weight, channels),
            _address(norm.bias, channels),
            momentum or 0.0,
            *(_address(tensor, channels) for tensor in running),
            moments.data_ptr(),
            factors.data_ptr(),
        )
        increment_version([tensor for tensor in running if tensor is not None])
        return moments, factors

    def gradient_sums(self, gradient: Tensor, inputs: Tensor, moments: Tensor) -> tuple[Tensor, Tensor]:
        """For each channel the sum of the gradient and of its product with inputs - mean, float64 (2, c); and the
        gradients with respect to weight and bias, float32 (2, c)."""
        rows, channels = _rows(inputs)
        partial = self._partial(rows, channels)
        sums, to_weights = _empty(2, channels, dtype=torch.float64), _empty(2, channels)
        self.code.norm_gradient_sums(
            _address_of_features(gradient, like=inputs),
            _address_of_features(inputs),
            address(moments, torch.float64, (2, channels)),
            rows,
            channels,
            partial.data_ptr(),
            sums.data_ptr(),
            to_weights.data_ptr(),
            *self._dtype_and_threads(inputs),
        )
        return sums, to_weights

    def gradient_factors(self, norm: _BatchNorm, sums: Tensor, moments: Tensor, count: float) -> Tensor:
        """What turns the gradient with respect to the outputs, and the inputs, into that with respect to the inputs.

        Returns:
            Factors, float32 (3, c).
        """
        channels = moments.shape[1]
        factors = _empty(3, channels)
        self.code.norm_gradient_factors(
            address(sums, torch.float64, (2, channels)),
            address(moments, torch.float64, (2, channels)),
            channels,
            count,
            _address(norm.weight, channels),
            factors.data_ptr(),
        )
        return factors

    def scaled(self, inputs: Tensor, factors: Tensor, other: Tensor | None = None) -> Tensor:
        """For each channel inputs x factors[0] + factors[1] (+ other x factors[2]); factors are float32 (2 or 3, c)."""
        rows, channels = _rows(inputs)
        outputs = torch.empty_like(inputs)
        self.code.norm_scale(
            _address_of_features(inputs),
            None if other is None else _address_of_features(other, like=inputs),
            outputs.data_ptr(),
            address(factors, torch.float32, (2 if other is None else 3, channels)),
            rows,
            channels,
            *self._dtype_and_threads(inputs),
        )
        return outputs

    def _partial(self, rows: int, channels: int) -> Tensor:
        return _empty(self.code.norm_partial_size(rows, channels))

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
        "norm_partial_size": (int64, [int64, int64]),
        "norm_sums": (None, [pointer, int64, int64, pointer, pointer, *dtype_and_threads]),
        "norm_moments": (None, [pointer, int64, float64, pointer, pointer, float64, *[pointer] * 4]),
        "norm_gradient_sums": (None, [*[pointer] * 3, int64, int64, *[pointer] * 3, *dtype_and_threads]),
        "norm_gradient_factors": (None, [pointer, pointer, int64, float64, pointer, pointer]),
        "norm_scale": (None, [*[pointer] * 4, int64, int64, *dtype_and_threads]),
    }
    return load(resources.files(__package__) / "kernels.c", signatures)


def _empty(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """What the C code writes to, whatever someone has made torch's defaults."""
    return torch.empty(shape, dtype=dtype, device="cpu")


def _empty_features(*shape: int, dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="cpu", memory_format=torch.channels_last)


def _address(tensor: Tensor | None, channels: int) -> int | None:
    return None if tensor is None else address(tensor, torch.float32, (channels,))


def _address_of_features(features: Tensor, *, like: Tensor | None = None) -> int:
    """Of features, or of such as lie in memory like others."""
    layout = torch.channels_last if features.dim() == 4 else torch.contiguous_format
    return address(features, *_kind(features if like is None else like), layout)


def _kind(features: Tensor) -> tuple[torch.dtype, torch.Size]:
    """Type and shape of features, if the C code knows such.

    Raises:
        ValueError: it does not.
    """
    if features.dtype not in (torch.float32, torch.bfloat16) or features.shape[1] % LANES:
        raise ValueError(
            f"needs float32 or bfloat16 in channels by {LANES}, not {features.dtype} of shape {tuple(features.shape)}"
        )
    return features.dtype, features.shape


def _check_width(fits: bool, width: int) -> None:
    if not fits:
        raise ValueError(f"needs pictures of at most {WIDEST} columns, not {width}")


def _rows(features: Tensor) -> tuple[int, int]:
    channels = features.shape[1]
    return features.numel() // channels, channels
