"""Packed right-hand sides: the layout, panels, and that keys and values are packed as weights are."""

import numpy as np
import pytest

from intvit.kernels.jit import device
from intvit.kernels.pack import pack, pack_activation, unpack
from intvit.kernels.simd import Level, supported_levels
from intvit.kernels.tile import offset, padded_columns, padded_depth, panel_width, tile_shape

OPERANDS = [(level, dtype) for level in Level for dtype in (np.int8, np.int16) if np.dtype(dtype) <= level.traits.right]
SHAPES = [(1, 1), (3, 17), (4, 64), (5, 65), (64, 197), (197, 64), (66, 80), (200, 100)]


@device
def pack_while_running(level, b, packed, depth):
    pack_activation(level, b, packed, depth)


@device
def width_in_kernel(level, columns):
    return panel_width(level, columns)


def packed_shape(level, matrix):
    return padded_depth(level, matrix.shape[0]), padded_columns(level, matrix.shape[1])


def random_codes(shape, dtype, seed=0):
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max, shape, dtype, endpoint=True)


def read_panels(level, packed, depth, columns):
    """Read packed panels element by element, as `intvit.kernels.tile` describes them."""
    group, matrix, column = level.traits.group, np.empty((depth, columns), packed.dtype), 0
    while column < columns:
        width = panel_width(level, columns - column)
        for k in range(depth):
            for c in range(width):
                matrix[k, column + c] = packed[column * depth + (k // group * width + c) * group + k % group]
        column += width
    return matrix


@pytest.mark.parametrize(("level", "dtype"), OPERANDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_packed_matrix_is_the_matrix_with_zeros_around_it(level, dtype, shape):
    matrix = random_codes(shape, dtype)
    depth, columns = packed_shape(level, matrix)
    packed = np.full(depth * columns, 77, level.traits.right)
    pack(matrix, level, packed)
    want = np.zeros((depth, columns), dtype)
    want[: shape[0], : shape[1]] = matrix
    np.testing.assert_array_equal(read_panels(level, packed, depth, columns), want)
    np.testing.assert_array_equal(unpack(packed, level, shape, matrix.dtype), matrix)
    assert unpack(packed, level, shape, matrix.dtype).dtype == dtype


@pytest.mark.parametrize(("level", "dtype"), OPERANDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["rows", "columns", "neither"])
def test_activations_are_packed_as_weights_are(level, dtype, shape, order):
    memory = random_codes((shape[0] + 2, shape[1] + 3, 2), dtype, seed=1)
    if order == "rows":
        view = np.ascontiguousarray(memory[..., 0])[1:-1, 2:-1]
    elif order == "columns":
        view = np.asfortranarray(memory[..., 0])[1:-1, 2:-1]
    else:
        view = memory[1:-1, 2:-1, 1]
    depth, padded = packed_shape(level, view)
    want, got = (np.full(depth * padded, fill, level.traits.right) for fill in (1, 2))
    pack(view, level, want)
    pack_while_running(level, view, got, depth)
    np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("level", Level)
def test_panels_cover_the_columns_and_fit_the_tile(level):
    lanes, widest = level.traits.lanes, tile_shape(level)[1]
    for columns in range(lanes, 20 * lanes, lanes):
        left, widths = columns, []
        while left:
            widths.append(panel_width(level, left))
            assert widths[-1] == width_in_kernel(level, left)
            left -= widths[-1]
        assert all(0 < width <= widest and width % lanes == 0 for width in widths)
        assert len(widths) == -(-columns // widest)
        assert lanes not in widths or columns == lanes or level.traits.vectors <= 2


def test_only_the_other_sign_gets_an_offset():
    assert [offset(Level.AVX512_VNNI, signed) for signed in (False, True)] == [0, 128]
    assert [offset(Level.NEON_DOT, signed) for signed in (False, True)] == [-128, 0]
    assert [offset(level, signed) for level in (Level.AVX2, Level.PORTABLE) for signed in (False, True)] == [0] * 4


@pytest.mark.parametrize("level", supported_levels())
def test_operands_of_16_bits_are_multiplied_as_words(level):
    bytes_only = level.traits.group == 4
    assert level.multiplying(8, 8) == level
    assert (level.multiplying(16, 8) == level) != bytes_only
    for bits in (8, 16):
        wide = level.multiplying(bits, 16)
        assert wide != level and wide not in supported_levels()
        assert (wide.traits.left, wide.traits.right) == (np.int16, np.int16)
        assert [offset(wide, signed) for signed in (False, True)] == [0, 0]
        assert [offset(wide, signed, 16) for signed in (False, True)] == [-32768, 0]
