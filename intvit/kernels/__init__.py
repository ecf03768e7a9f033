"""Fast integer kernels in Numba: the same bits as `intvit.ops`, without knowing graphs."""
