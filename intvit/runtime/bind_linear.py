"""How linear layers are bound to kernels, alone or with the residual addition behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit import ops
from intvit.kernels.aligned import aligned_copy
from intvit.kernels.jit import Argument, Step
from intvit.kernels.linear import linear
from intvit.kernels.linear_add import linear_add
from intvit.kernels.linear_general import linear_general
from intvit.kernels.pack import pack, unpack
from intvit.kernels.simd import Level
from intvit.kernels.tile import offset, padded_columns, padded_depth, tile_shape
from intvit.ops.linear import column_sums
from intvit.runtime.prepared import Context, Prepared, Scratch, as_bits, as_rows, output_range
from intvit.runtime.rescaling import rescales_in_tile

Array = NDArray[Any]


def sums_tile(level: Level) -> Scratch:
    """Return the scratch that holds the sums of one tile."""
    return tile_shape(level), np.int32


@dataclass(frozen=True)
class PackedLinear:
    """The constants of a linear layer as the kernels want them."""

    level: Level
    packed: Array
    depth: int
    bias: Array
    multiplier: Array

    @staticmethod
    def of(at: Context) -> PackedLinear:
        """Return the packed constants of a layer, shared with all layers that have the same."""
        key = *at.reads[1:], at.inputs[0].dtype
        if key not in at.packed:
            at.packed[key] = PackedLinear.pack(at)
        packed: PackedLinear = at.packed[key]
        return packed

    @staticmethod
    def pack(at: Context) -> PackedLinear:
        """Pack the weights, and fold what the kernels add to each code into the bias.

        Columns are padded to whole panels.
        """
        weight, x = at.value(1), at.inputs[0].dtype
        level = at.level.multiplying(x.bits, at.inputs[1].dtype.bits)
        packed = _panels(at, level)
        depth, columns = padded_depth(level, weight.shape[0]), padded_columns(level, weight.shape[1])
        start = at.value(2).astype(np.int64)
        if added := offset(level, x.signed, x.bits):
            start -= added * column_sums(weight)
        bias, multiplier = (aligned_copy(np.pad(a, (0, columns - len(a))).astype(np.int32)) for a in (start, at.value(3)))
        return PackedLinear(level, packed, depth, bias, multiplier)

    @property
    def arrays(self) -> tuple[Array, ...]:
        """The memory that holds them."""
        return self.packed, self.bias, self.multiplier

    def arguments(self, op: ops.Linear, x: Array) -> tuple[Argument, ...]:
        """Return the first arguments of every kernel that multiplies, for its left operand."""
        weights = self.packed, self.depth, self.bias, self.multiplier
        return self.level, x, *weights, op.shift, *output_range(op)

    def grains(self, y: Array) -> int:
        """Return how many tiles the product `y` [rows, columns] has."""
        height, width = tile_shape(self.level)
        rows, columns = y.shape
        return int(-(-rows // height) * -(-columns // width))


def _panels(at: Context, level: Level) -> Array:
    """Return a layer's weights in panels, shared with all layers that have the same, and let go of the graph's own."""
    key = at.reads[1], level
    if key not in at.packed:
        weight = at.value(1)
        size = padded_depth(level, weight.shape[0]) * padded_columns(level, weight.shape[1])
        at.packed[key] = packed = at.pool.empty((size,), level.traits.right)
        pack(weight, level, packed)
        at.constants.replace(at.reads[1], partial(unpack, packed, level, weight.shape, weight.dtype))
    panels: Array = at.packed[key]
    return panels


def shares_of(beside: Sequence[Array], tiles: int) -> Array:
    """Return memory to fetch, if there is any, as u8 [tiles, ..]: a share for each tile, without what remains."""
    memory = beside[0].reshape(-1).view(np.uint8) if beside else np.empty(0, np.uint8)
    each = len(memory) // tiles
    return memory[: tiles * each].reshape(tiles, each)


def panel_shape(at: Context, level: Level) -> tuple[int, int]:
    """Return the shape of all rows of one panel."""
    return at.outputs[0].size // at.outputs[0].shape[-1], tile_shape(level)[1]


def prepare_linear(op: ops.Linear, at: Context) -> Prepared:
    """Bind a linear layer."""
    weights = PackedLinear.of(at)
    if not rescales_in_tile(op, at.inputs[0].dtype, at.inputs[1], at.value(2)):
        return _prepare_general(op, at, weights)

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        (x, *beside), y = inputs, as_bits(as_rows(outputs[0]))
        grains = weights.grains(y)
        return linear.bind(*weights.arguments(op, as_rows(x)), scratch[0], shares_of(beside, grains), y, grains=grains)

    codes = panel_shape(at, weights.level), np.dtype(f"i{op.to.dtype.itemsize}")
    left = at.left(weights.level)
    return Prepared((0,), bind, (codes,), left=left, constants=weights.arrays, weights=weights.packed)


def _prepare_general(op: ops.Linear, at: Context, weights: PackedLinear) -> Prepared:
    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        x, y = as_rows(inputs[0]), as_bits(as_rows(outputs[0]))
        return linear_general.bind(*weights.arguments(op, x), scratch[0], y, grains=weights.grains(y))

    return Prepared((0,), bind, (sums_tile(weights.level),), left=at.left(weights.level), constants=weights.arrays)


def prepare_linear_add(operators: Sequence[Any], contexts: Sequence[Context]) -> Prepared:
    """Bind a linear layer and the residual addition that alone reads it."""
    (op, add), (at, add_at) = operators, contexts
    weights = PackedLinear.of(at)
    multipliers = (
        (add.multiplier_a, add.multiplier_b) if add_at.reads[0] != at.makes[0] else (add.multiplier_b, add.multiplier_a)
    )

    def bind(inputs: Sequence[Array], outputs: Sequence[Array], scratch: Sequence[Array]) -> Step:
        (x, residual, *beside), y = inputs, as_bits(as_rows(outputs[0]))
        grains = weights.grains(y)
        first = *weights.arguments(op, as_rows(x)), scratch[0], shares_of(beside, grains)
        return linear_add.bind(*first, as_rows(residual), *multipliers, add.shift, *output_range(add), y, grains=grains)

    codes = panel_shape(at, weights.level), np.int16
    left = at.left(weights.level)
    return Prepared((0, 1), bind, (codes,), left=left, constants=weights.arrays, weights=weights.packed)
