"""Arrays for kernels: where they start, and that they share nothing."""

import gc
import itertools

import numpy as np
import pytest

from intvit.kernels.aligned import ALIGNMENT, LARGE_PAGE, MARGIN, SLAB, Pool, aligned_copy, aligned_empty


@pytest.mark.parametrize("empty", [aligned_empty, Pool().empty], ids=["alone", "from a pool"])
@pytest.mark.parametrize("shape", [(1,), (5, 13), (SLAB // 4 + 1,)])
def test_an_array_starts_at_a_cache_line(empty, shape):
    array = empty(shape, np.dtype(np.int32))
    assert array.shape == shape
    assert array.dtype == np.int32
    assert array.flags.c_contiguous
    assert array.ctypes.data % ALIGNMENT == 0


def test_arrays_of_a_pool_lie_one_behind_the_other_with_a_margin():
    pool = Pool()
    arrays = [pool.empty((size,), np.dtype(np.uint8)) for size in (1, 64, 1000, SLAB // 2, SLAB // 2, 3 * SLAB, 10)]
    assert arrays[0].ctypes.data % LARGE_PAGE == 0
    spans = sorted((a.ctypes.data, a.ctypes.data + a.size) for a in arrays)
    assert all(start - end >= MARGIN for (_, end), (start, _) in itertools.pairwise(spans))
    assert arrays[1].ctypes.data - arrays[0].ctypes.data == 2 * ALIGNMENT


def test_arrays_outlive_their_pool():
    pool = Pool()
    first, second = (pool.empty((1000,), np.dtype(np.uint8)) for _ in range(2))
    first[:], second[:] = 1, 2
    del pool, second
    gc.collect()
    assert (first == 1).all()


def test_a_copy_is_aligned_and_in_native_order():
    copy = aligned_copy(np.arange(5, dtype=">i4")[::2])
    np.testing.assert_array_equal(copy, [0, 2, 4])
    assert copy.dtype == np.int32
