"""Loops that give the numbers of `honshi.training.epoch` in less time, each for a case that it recognises.

compiled.py is for the lecture's own case on a CPU, captured.py for honshi's own networks on a CUDA device.
"""
