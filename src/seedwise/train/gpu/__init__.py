"""The GPU engine: a training step of Triton kernels and cuDNN's convolutions, captured once.

Needs triton, which comes with CUDA builds of torch; `seedwise.train.trainer` loads it by need.
"""
