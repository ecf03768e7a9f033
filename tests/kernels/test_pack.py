"""Packed right-hand sides: the layout, panels, and that keys and values are packed as weights are."""

import numpy as np
import pytest

from intvit.kernels.jit import device
from intvit.kernels.pack import pack, pack_activation, unpack
from intvit.kernels.simd import Level
from intvit.kernels.tile import offset, padded_columns, padded_depth, panel_width, tile_shape

SHAPES = [(1, 1), (3, 17), (4, 64), (5, 65), (64, 197), (197, 64), (66, 80), (200, 100)]


@device
def pack_while_running(level, b, packed, depth):
    pack_activation(level, b, packed, depth)


@device
def width_in_kernel(level, columns):
    return panel_width(level, columns)


def packed_shape(level, matrix):
    return padded_depth(level, matrix.shape[0]), padded_columns(level, matrix.shape[1])


def read_panels(level, packed, depth, columns):
    """Read packed panels element by element, as `intvit.kernels.tile` describes them."""
    group, matrix, column = level.traits.group, np.empty((depth, columns), np.int8), 0
    while column < columns:
        width = panel_width(level, columns - column)
        for k in range(depth):
            for c in range(width):
                matrix[k, column + c] = packed[column * depth + (k // group * width + c) * group + k % group]
        column += width
    return matrix


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_packed_matrix_is_the_matrix_with_zeros_around_it(level, shape):
    matrix = np.random.default_rng(0).integers(-128, 128, shape).astype(np.int8)
    depth, columns = packed_shape(level, matrix)
    packed = np.full(depth * columns, 77, np.int8)
    pack(matrix, level, packed)
    want = np.zeros((depth, columns), np.int8)
    want[: shape[0], : shape[1]] = matrix
    np.testing.assert_array_equal(read_panels(level, packed, depth, columns), want)
    np.testing.assert_array_equal(unpack(packed, level, shape), matrix)


@pytest.mark.parametrize("level", Level)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["rows", "columns", "neither"])
def test_activations_are_packed_as_weights_are(level, shape, order):
    memory = np.random.default_rng(1).integers(-128, 128, (shape[0] + 2, shape[1] + 3, 2)).astype(np.int8)
    if order == "rows":
        view = np.ascontiguousarray(memory[..., 0])[1:-1, 2:-1]
    elif order == "columns":
        view = np.asfortranarray(memory[..., 0])[1:-1, 2:-1]
    else:
        view = memory[1:-1, 2:-1, 1]
    depth, padded = packed_shape(level, view)
    want, got = (np.full(depth * padded, fill, np.int8) for fill in (1, 2))
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
