"""The numbers of both GELU kernels: `gelu(x) = relu(x) - bump(|x|)`."""

VALUE_BITS, TAIL = 15, 4
"""Fraction bits of the value and the end of the bump, as in `intvit.ops.gelu`."""
