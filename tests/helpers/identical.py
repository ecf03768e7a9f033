"""The only way in which two results are compared: every bit."""

import numpy as np

SHOWN = 10


def assert_identical(a, b):
    """Fail unless `a` and `b` have one dtype, one shape and the same values."""
    assert a.dtype == b.dtype, f"element types differ: {a.dtype} and {b.dtype}"
    assert a.shape == b.shape, f"shapes differ: {a.shape} and {b.shape}"
    positions = np.argwhere(a != b)
    if not len(positions):
        return
    largest = max(abs(int(a[tuple(p)]) - int(b[tuple(p)])) for p in positions)
    lines = [f"{len(positions)} of {a.size} values differ, by at most {largest}; the first ones:"]
    for p in positions[:SHOWN]:
        at = tuple(int(i) for i in p)
        lines.append(f"  {at}: {a[at]} and {b[at]}")
    raise AssertionError("\n".join(lines))


def assert_all_identical(a, b):
    """Fail unless two dictionaries of arrays hold the same names and the same bits."""
    assert a.keys() == b.keys()
    for name in a:
        assert_identical(a[name], b[name])
