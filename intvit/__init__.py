"""Bit-exact, integer-only inference for Vision Transformers."""

__version__ = "0.1.0"
