"""On paper: what adding up the gradients of N GPUs costs at each step, and how much work it takes to hide it.

    python -m benchmarks.allreduce

A ring passes 2(N - 1)/N of the bytes through each GPU; a tree needs 2 log2(N) messages one after the other. The time
is taken as both together:

    seconds = messages x 2 log2(N) x latency + bytes x 2(N - 1)/N / bandwidth

Gradients are float32. A step sends one message for each 25 MB of them (DDP's buckets), and two for each batch norm,
one forward and one backward, for which the next layer waits. Nothing here is measured; the assumptions are the
constants below.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from honshi.models import CNN, MLP, parameter_count

BUCKET_BYTES = 25 << 20
# What a GPU makes of its arithmetic: generous for small networks, whose kernels are over before they are started.
FLOPS = 100e12
GPUS = (8, 64, 1000)


@dataclass(frozen=True)
class Network:
    """What lies between the GPUs.

    Attributes:
        latency: seconds from one to the next.
        bandwidth: bytes a second, each way, for each GPU.
        most: GPUs that it joins.
    """

    name: str
    latency: float
    bandwidth: float
    most: int = 1000


@dataclass(frozen=True)
class Model:
    """What is trained.

    Attributes:
        norms: batch norms, and `channels` in all of them together.
        flops: of training on one image: three times the forward pass, two for each product.
    """

    name: str
    parameters: int
    norms: int
    channels: int
    flops: float

    @property
    def gradient_bytes(self) -> int:
        return 4 * self.parameters

    @property
    def norm_bytes(self) -> int:
        """Forward two sums and a count in float64, backward two sums in float32."""
        return 8 * (2 * self.channels + self.norms) + 4 * 2 * self.channels

    @property
    def messages(self) -> int:
        return math.ceil(self.gradient_bytes / BUCKET_BYTES) + 2 * self.norms

    def seconds(self, network: Network, gpus: int) -> float:
        """Of a step, spent on the exchange."""
        hops = 2 * math.log2(gpus) * self.messages
        through = (self.gradient_bytes + self.norm_bytes) * 2 * (gpus - 1) / gpus
        return hops * network.latency + through / network.bandwidth


NETWORKS = (
    Network("NVLink, 450 GB/s, 3 µs", 3e-6, 450e9, most=8),
    Network("InfiniBand, 400 Gb/s, 5 µs", 5e-6, 50e9),
    Network("Ethernet, 25 Gb/s, 30 µs", 30e-6, 25e9 / 8),
)

MODELS = (
    Model("mlp of the recipe lecture", parameter_count(MLP()), 0, 0, 6 * 109_184),
    # Products: 9 x 16 on 28 x 28, 9 x 16 x 32 on 14 x 14, 9 x 32 x 64 on 7 x 7, 64 x 10.
    Model("cnn of the recipe cnn", parameter_count(CNN()), 3, 112, 6 * 1_919_872),
    # He et al., 2015, at 224 x 224: 4.1e9 products, 25.6e6 parameters, 53 batch norms of 26,560 channels.
    Model("of ResNet-50's size", 25_557_032, 53, 26_560, 6 * 4.1e9),
)


def main() -> None:
    print(f"{'model':<28}  parameters  gradient bytes  batch norm bytes  messages")
    for model in MODELS:
        print(
            f"{model.name:<28}  {model.parameters:>10,}  {model.gradient_bytes:>14,}  {model.norm_bytes:>16,}  "
            f"{model.messages:>8}"
        )
    print(f"\n{'model':<28}  {'network':<28}  GPUs  bytes through each   exchange ms  images a GPU to balance it")
    for model in MODELS:
        for network in NETWORKS:
            for gpus in (gpus for gpus in GPUS if gpus <= network.most):
                seconds = model.seconds(network, gpus)
                through = (model.gradient_bytes + model.norm_bytes) * 2 * (gpus - 1) / gpus
                print(
                    f"{model.name:<28}  {network.name:<28}  {gpus:>4}  {through:>18,.0f}  {seconds * 1e3:>12.3f}  "
                    f"{seconds * FLOPS / model.flops:>26,.0f}"
                )


if __name__ == "__main__":
    main()
