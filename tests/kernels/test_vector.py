"""Vectors as values in kernels, lane by lane against NumPy."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from intvit.kernels import lanes, vector
from intvit.kernels.lookup import lookup, lookup_words
from intvit.kernels.simd import host_features
from intvit.kernels.vector import load, store

TYPES = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)
LANES = 16
RNG = np.random.default_rng(0)


def numbers(dtype, size=LANES):
    """Codes that include the extremes."""
    info = np.iinfo(dtype)
    codes = RNG.integers(info.min, info.max, size, dtype, endpoint=True)
    codes[:4] = info.min, info.max, 0, 1
    return RNG.permutation(codes)


def wider(dtype, factor=2):
    info = np.iinfo(dtype)
    return np.dtype(f"{np.dtype(dtype).kind}{info.bits * factor // 8}")


def result(function, dtype, *arrays, lanes=LANES, source=LANES):
    """Return what `function` makes of vectors with the content of the arrays, `source` lanes each."""
    y, inner = np.zeros(lanes, dtype), numba.njit(function)

    def unary(a, y):
        store(y, 0, inner(load(a, 0, source, 0)))

    def binary(a, b, y):
        store(y, 0, inner(load(a, 0, source, 0), load(b, 0, source, 0)))

    numba.njit(unary if len(arrays) == 1 else binary)(*arrays, y)
    return y


@pytest.mark.parametrize("dtype", TYPES)
def test_a_partial_vector(dtype):
    """Lanes beyond the array's end are filled, and nothing is written there."""

    @numba.njit
    def copy(x, start, y):
        store(y, start, load(x, start, LANES, 7))

    @numba.njit
    def show(x, start, y):
        store(y, 0, load(x, start, LANES, 7))

    for count in range(LANES + 3):
        x, y, shown = numbers(dtype, 40), np.zeros(40, dtype), np.zeros(LANES, dtype)
        copy(x[: 5 + count], 5, y[: 5 + count])
        end = 5 + min(count, LANES)
        np.testing.assert_array_equal(y, np.where((np.arange(40) >= 5) & (np.arange(40) < end), x, 0))
        show(x[: 5 + count], 5, shown)
        np.testing.assert_array_equal(shown, np.where(np.arange(LANES) < count, x[5 : 5 + LANES], 7))


@pytest.mark.parametrize("dtype", TYPES)
def test_arithmetic_wraps(dtype):
    a, b = numbers(dtype), numbers(dtype)
    np.testing.assert_array_equal(result(lambda a, b: a + b, dtype, a, b), a + b)
    np.testing.assert_array_equal(result(lambda a, b: a - b, dtype, a, b), a - b)
    np.testing.assert_array_equal(result(lambda a, b: a * b, dtype, a, b), a * b)
    np.testing.assert_array_equal(result(lambda a, b: (a & b) | 3, dtype, a, b), (a & b) | dtype(3))
    np.testing.assert_array_equal(result(lambda a: 5 - a, dtype, a), dtype(5) - a)


def shifted_by(number, dtype, a):
    """Return `a` shifted left and right by a number that the compiler does not know."""
    y = np.zeros((2, LANES), dtype)

    @numba.njit
    def shift(a, number, y):
        store(y[0], 0, load(a, 0, LANES, 0) << number)
        store(y[1], 0, load(a, 0, LANES, 0) >> number)

    shift(a, number, y)
    return y


@pytest.mark.parametrize("dtype", TYPES)
def test_shifts_and_order(dtype):
    a, b = numbers(dtype), numbers(dtype)
    by = RNG.integers(0, np.iinfo(dtype).bits, LANES).astype(dtype)
    smaller, larger = vector.smaller, vector.larger
    np.testing.assert_array_equal(result(lambda a, b: a << b, dtype, a, by), a << by)
    np.testing.assert_array_equal(result(lambda a, b: a >> b, dtype, a, by), a >> by)
    for number in (0, 1, np.iinfo(dtype).bits - 1):
        np.testing.assert_array_equal(shifted_by(number, dtype, a), np.stack([a << dtype(number), a >> dtype(number)]))
    np.testing.assert_array_equal(result(lambda a, b: smaller(a, b), dtype, a, b), np.minimum(a, b))
    np.testing.assert_array_equal(result(lambda a, b: larger(a, b), dtype, a, b), np.maximum(a, b))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32])
def test_products(dtype):
    a, b = numbers(dtype), numbers(dtype)
    high = (a.astype(np.uint64) * b) >> np.iinfo(dtype).bits
    product_high = vector.product_high
    np.testing.assert_array_equal(result(lambda a, b: product_high(a, b), dtype, a, b), high.astype(dtype))


@pytest.mark.parametrize("size", [16, 32, 64])
def test_products_of_pairs(size):
    """Also in several pieces, where a vector is wider than the CPU's."""
    a, b = numbers(np.int16, size), numbers(np.int16, size)
    a[:2] = b[:2] = -(1 << 15), 1 << 14
    wide = a.astype(np.int64) * b
    y = np.zeros(size // 2, np.int32)
    pair_dot = lanes.pair_dot

    def pairs(a, b, y):
        store(y, 0, pair_dot(load(a, 0, size, 0), load(b, 0, size, 0)))

    numba.njit(pairs)(a, b, y)
    np.testing.assert_array_equal(y, wide[::2] + wide[1::2])


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.uint32])
def test_halves_and_pairs_of_lanes(dtype):
    a, wide = numbers(dtype), wider(dtype)
    even, odd, join, join_high = lanes.even, lanes.odd, lanes.join, lanes.join_high
    np.testing.assert_array_equal(result(lambda a: even(a), wide, a, lanes=8), a[::2])
    np.testing.assert_array_equal(result(lambda a: odd(a), wide, a, lanes=8), a[1::2])
    np.testing.assert_array_equal(result(lambda a: join(even(a), odd(a)), dtype, a), a)
    shifted = result(lambda a: join_high(even(a) << 3, odd(a) << 3), dtype, a)
    np.testing.assert_array_equal(shifted, ((a.astype(wide) << 3) >> np.iinfo(dtype).bits).astype(dtype))


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64])
def test_halves_of_lanes(dtype):
    a = numbers(dtype)
    half = wider(dtype, 1).str.replace(str(np.dtype(dtype).itemsize), str(np.dtype(dtype).itemsize // 2))
    low, halves = lanes.low, lanes.halves
    np.testing.assert_array_equal(result(lambda a: low(a), dtype, a), a.astype(half).astype(dtype))
    np.testing.assert_array_equal(result(lambda a: halves(a), half, a, lanes=32), a.view(half))


def test_orders():
    a, b = numbers(np.int32), numbers(np.int32)
    both = np.concatenate([a, b])
    by_fours = both.reshape(-1, 2, 4)
    first_fours, last_fours, join_fours = lanes.first_fours, lanes.last_fours, lanes.join_fours
    zip_low, zip_high, concat, front, back = lanes.zip_low, lanes.zip_high, lanes.concat, lanes.front, lanes.back
    np.testing.assert_array_equal(result(lambda a, b: first_fours(a, b), np.int32, a, b), by_fours[:, 0].ravel())
    np.testing.assert_array_equal(result(lambda a, b: last_fours(a, b), np.int32, a, b), by_fours[:, 1].ravel())
    joined = result(lambda a, b: join_fours(first_fours(a, b), last_fours(a, b)), np.int32, a, b, lanes=32)
    np.testing.assert_array_equal(joined, both)
    np.testing.assert_array_equal(result(lambda a, b: concat(a, b), np.int32, a, b, lanes=32), both)
    swapped = result(lambda a, b: concat(back(concat(a, b)), front(concat(a, b))), np.int32, a, b, lanes=32)
    np.testing.assert_array_equal(swapped, np.concatenate([b, a]))
    pairs = np.stack([a, b], -1).reshape(4, 2, 4)
    np.testing.assert_array_equal(result(lambda a, b: zip_low(a, b), np.int32, a, b), pairs[:, 0].ravel())
    np.testing.assert_array_equal(result(lambda a, b: zip_high(a, b), np.int32, a, b), pairs[:, 1].ravel())


@pytest.mark.parametrize("dtype", [np.int32, np.uint64])
def test_halves_of_two_vectors_as_one(dtype):
    a, b = numbers(dtype), numbers(dtype)[::-1].copy()
    half = np.dtype(dtype).str.replace(str(np.dtype(dtype).itemsize), str(np.dtype(dtype).itemsize // 2))
    low_halves, high_halves, parts = lanes.low_halves, lanes.high_halves, np.concatenate([a, b]).view(half)
    np.testing.assert_array_equal(result(lambda a, b: low_halves(a, b), half, a, b, lanes=2 * len(a)), parts[::2])
    np.testing.assert_array_equal(result(lambda a, b: high_halves(a, b), half, a, b, lanes=2 * len(a)), parts[1::2])


ENDS = [-(1 << 31), -32769, -32768, -129, -128, -1, 0, 127, 128, 255, 32767, 32768, 65535, (1 << 31) - 1]


@pytest.mark.parametrize("size", [8, 16, 32])
def test_packing_saturates(size):
    around = np.array(ENDS, np.int32)
    a, b = np.resize(around, size), np.resize(around[::-1], size)
    saturate_fours, saturate_bytes = lanes.saturate_fours, lanes.saturate_bytes
    words = np.stack([a.reshape(-1, 4), b.reshape(-1, 4)], 1).ravel().clip(-32768, 32767).astype(np.int16)
    np.testing.assert_array_equal(result(lambda a, b: saturate_fours(a, b), np.int16, a, b, lanes=2 * size, source=size), words)
    packed = result(lambda w: saturate_bytes(w), np.int8, words, lanes=2 * size, source=2 * size)
    np.testing.assert_array_equal(packed, words.clip(-128, 127))


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32])
@pytest.mark.parametrize("size", [4, 8, 16, 32, 64])
def test_saturation_keeps_the_order(size, dtype):
    a, info, saturated = np.resize(np.array(ENDS, np.int32), size), np.iinfo(dtype), lanes.saturated
    made = result(lambda a: saturated(a, dtype), dtype, a, lanes=size, source=size)
    np.testing.assert_array_equal(made, a.clip(info.min, info.max))


def test_zipped_words_meet_in_fours():
    """What the 16-bit kernels rely on: `zip_low` and `zip_high` of words come in the order of `saturate_fours`."""
    a, b = numbers(np.int16), numbers(np.int16)
    even, zip_low, zip_high, saturate_fours = lanes.even, lanes.zip_low, lanes.zip_high, lanes.saturate_fours
    np.testing.assert_array_equal(
        result(lambda a, b: saturate_fours(even(zip_low(a, b)), even(zip_high(a, b))), np.int16, a, b), a
    )


@pytest.mark.parametrize("to", [np.int8, np.uint16, np.int32, np.uint64])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint32, np.int64])
def test_casts(dtype, to):
    a, cast = numbers(dtype), vector.cast
    np.testing.assert_array_equal(result(lambda a: cast(a, to), to, a), a.astype(to))


@pytest.mark.parametrize("to", [np.int8, np.int16, np.int32])
def test_a_store_cuts(to):
    a = numbers(np.int32)
    np.testing.assert_array_equal(result(lambda a: a, to, a), a.astype(to))


def test_whole_vectors():
    x, y, load_whole = numbers(np.int16, 40), np.zeros(LANES, np.int16), vector.load_whole

    @numba.njit
    def copy(x, start, y):
        store(y, 0, load_whole(x, start, LANES))

    for start in (0, 1, 24):
        copy(x, start, y)
        np.testing.assert_array_equal(y, x[start : start + LANES])


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_leading_zeros(dtype):
    a, bits, leading_zeros = numbers(dtype), np.iinfo(dtype).bits, vector.leading_zeros
    want = [bits - (int(n) & ((1 << bits) - 1)).bit_length() for n in a]
    assert result(lambda a: leading_zeros(a), dtype, a).tolist() == want


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_reductions(dtype):
    a, y = numbers(dtype), np.zeros(2, np.int64)
    sum_lanes, max_lanes, first = vector.sum_lanes, vector.max_lanes, vector.first

    def reduce(a, y):
        v = load(a, 0, LANES, 0)
        y[0], y[1] = sum_lanes(v), max_lanes(v)

    numba.njit(reduce)(a, y)
    assert y.tolist() == [int(a.sum(dtype=dtype)), int(a.max())]
    for count in (0, 1, 5, LANES):
        got = np.zeros(LANES, dtype)

        def cut(a, count, got):
            store(got, 0, first(load(a, 0, LANES, 0), count))

        numba.njit(cut)(a, count, got)
        np.testing.assert_array_equal(got, np.where(np.arange(LANES) < count, a, 0))


@pytest.mark.parametrize("count", [16, 32, 64, 128])
def test_lookups_of_partial_range_and_beyond(count):
    """Bytes at places limited to the table, words at places modulo its size, for every number of lanes."""
    nearby, anywhere = RNG.integers(-3, 260, (8, count)).astype(np.int16), numbers(np.int16, count)
    anywhere[4:12] = -1, 2, 127, 128, 254, 255, 256, 300
    table, words = RNG.permutation(256).astype(np.uint8), RNG.integers(-(1 << 15), 1 << 15, 64).astype(np.int16)

    @numba.njit
    def read(table, words, index, y):
        places = load(index, 0, count, 0)
        store(y[0], 0, lookup(table, places))
        store(y[1], 0, lookup_words(words, vector.cast(places, np.uint16)))

    for index in (anywhere, *nearby):
        y = np.zeros((2, count), np.int16)
        read(table, words, index, y)
        np.testing.assert_array_equal(y, [table[np.clip(index, 0, 255)], words[index & 63]])


AVX2 = "+sse4.2,+avx,+avx2"
AVX512 = AVX2 + ",+avx512f,+avx512cd,+avx512bw,+avx512dq,+avx512vl,+avx512vnni"


@pytest.mark.parametrize(("cpu", "features"), [("x86-64", ""), ("haswell", AVX2), ("cascadelake", AVX512)])
def test_on_older_cpus(cpu, features, tmp_path):
    """The same where tables can't be read by bytes, with shorter vectors, and where there are no instructions of our own."""
    if "NUMBA_CPU_NAME" in os.environ or sys.platform != "linux":
        pytest.skip("only from a run for the CPU itself")
    if not {feature[1:] for feature in features.split(",") if feature} <= host_features():
        pytest.skip("this CPU can't run its code")
    environment = os.environ | {
        "NUMBA_CPU_NAME": cpu,
        "NUMBA_CPU_FEATURES": features,
        "INTVIT_CACHE_DIR": str(tmp_path),
    }
    tests = [str(Path(__file__)), str(Path(__file__).with_name("test_elementwise.py"))]
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    command += ["-k", "product or partial or bits or bytes or size"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
