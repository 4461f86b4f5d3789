"""Layers whose sizes the first batch decides."""

from torch import nn

Net = nn.Sequential(nn.LazyConv2d(8, 3, stride=2), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))
