"""What the two-scale kernels share: the value of a code."""

from __future__ import annotations

import numpy as np

from intvit.kernels.jit import Scalar, device


@device
def decoded(code: Scalar, half: Scalar, coarse_shift: Scalar) -> Scalar:
    """Return the int64 value of a code; `half` is the first of the coarse region."""
    wide = np.int64(code)
    return wide if wide < half else (wide - half) << coarse_shift
