"""Products of activations and softmax, with the division by the row sum deferred past the product with the values."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import S8, S16, S32, U8, Interval
from intvit.ops import MatMul, SoftmaxDivide, SoftmaxTable
from intvit.ops.softmax_polynomial_wide import WIDE_VALUES
from intvit.quantize.choose import wide_limit
from intvit.quantize.clip import best_shares
from intvit.quantize.encoding import Encoding, compress, per_tensor
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.input_codes import RESIDUAL_BITS
from intvit.quantize.lower.context import Context, Lowered, RowSum, unsupported
from intvit.quantize.lower.deferred_softmax import TABLE_STEPS, UNITS, exponential, focused_table, score_multipliers
from intvit.quantize.lower.linear import output_encoding
from intvit.quantize.lower.normalized_softmax import lower_normalized_softmax, mixture_encoding
from intvit.quantize.lower.two_scale import emit_softmax
from intvit.quantize.ranges import HEADROOM, decode, encode, unsigned_codes
from intvit.quantize.recipe import NORMALIZED_SOFTMAXES, find_choice
from intvit.quantize.uses import UseKind

Array = NDArray[Any]
MOST_WIDE_TOKENS = S32.high // (WIDE_VALUES.high * -S8.low)
"""How many exponentials of 14 bits a product may add up."""


def lower_matmul(context: Context, node: FloatNode) -> None:
    """Lower a product of two activations."""
    a, b = (context.values[name] for name in node.inputs)
    name = context.emit(node.name, MatMul(), a.name, b.name)
    if a.row_sum is not None:
        _divide(context, node, name, a.row_sum, b.encoding)
        return
    scale = compress(a.encoding.scale.max(-1, keepdims=True) * b.encoding.scale.max(-2, keepdims=True))
    raw = Encoding(S32, scale, np.zeros((1,) * scale.ndim))
    site = context.sites.get(node.output)
    if site is None:
        context.set(node.output, name, raw)
        return
    mixes = a.encoding.dtype == S16
    encoding = mixture_encoding(context, node.output) if mixes else output_encoding(context, node.output, scale.ndim)
    lowered = context.requantize(Lowered(name, raw), node.output, encoding)
    context.values[node.output] = lowered


def lower_softmax(context: Context, node: FloatNode) -> None:
    """Lower softmax to its exponentials and row sums, or to probabilities; only products with values may use it."""
    consumers = context.graph.consumers.get(node.output, [])
    if not all(user.op == "MatMul" and index == 0 for user, index in consumers) or node.output in context.graph.outputs:
        raise unsupported(node, "its result is used by more than a product with values", "please report this model")
    find_choice(SOFTMAXES, "softmax", context.family(node))(context, node)


def _scores(context: Context, node: FloatNode) -> tuple[str, Array]:
    """Return the s32 scores that softmax reads, and the real value of one step of them, 1 along the rows."""
    scores = context.values[node.inputs[0]]
    if scores.encoding.dtype != S32:
        raise unsupported(node, "its input is not a product of activations", "see 'intvit coverage'")
    scale = scores.encoding.scale.max(-1, keepdims=True)
    if scale.shape[-2] != 1:
        raise unsupported(node, "its input's scale differs by row", "please report this model")
    return scores.name, scale


def _lower_two_scale_softmax(context: Context, node: FloatNode) -> None:
    """Lower softmax to exponentials in two-scale codes, whose values products read."""
    scores, scale = _scores(context, node)
    multipliers, shift = score_multipliers(scale, TABLE_STEPS)
    multiplier = context.builder.constant(f"{node.name}.multiplier", multipliers)
    coarse_shift = context.coarse_shifts.get(node.output, context.recipe.act_bits // 2)
    e, row_sum = emit_softmax(context, node.name, (scores, multiplier), shift, coarse_shift)
    context.set(node.output, e, per_tensor(S16, 1.0, scale.ndim), row_sum)


def _lower_focused_softmax(context: Context, node: FloatNode) -> None:
    """Lower softmax to exponentials whose codes are uniform on the interval that was searched for."""
    scores, scale = _scores(context, node)
    multipliers, shift = score_multipliers(scale, TABLE_STEPS)
    table = focused_table(context.focuses[node.output])
    constants = {"multiplier": multipliers, "table": table}
    names = [context.builder.constant(f"{node.name}.{name}", array) for name, array in constants.items()]
    e, row_sum = context.builder.add(node.name, SoftmaxTable(shift=shift), scores, *names)
    context.set(node.output, e, per_tensor(U8, 1.0, scale.ndim), RowSum(row_sum, int(table[0])))


def _lower_deferred_softmax(context: Context, node: FloatNode) -> None:
    scores, scale = _scores(context, node)
    wide = context.is_wide(node.output) and context.graph.shapes[node.output][-1] <= MOST_WIDE_TOKENS
    op, constants, top = exponential(context.family(node), scale, context.recipe.softmax_top, wide)
    names = [context.builder.constant(f"{node.name}.{name}", array) for name, array in constants.items()]
    e, row_sum = context.builder.add(node.name, op, scores, *names)
    context.set(node.output, e, per_tensor(op.codes, 1.0, scale.ndim), RowSum(row_sum, top))


SOFTMAXES: dict[str, Callable[[Context, FloatNode], None]] = {
    **dict.fromkeys(UNITS, _lower_deferred_softmax),
    "two-scale": _lower_two_scale_softmax,
    "focused": _lower_focused_softmax,
    **dict.fromkeys(NORMALIZED_SOFTMAXES, lower_normalized_softmax),
}
"""What `Recipe.softmax` may say."""


def _divide(context: Context, node: FloatNode, product: str, row_sum: RowSum, values: Encoding) -> None:
    """Divide a product with softmax exponentials by their sums and requantize it, in one operator.

    With value codes c and their zero point z the quotient q = product / sum is `scale (q - z)`. The output code is
    `alpha q + beta`, so its scale is `scale / alpha` and its zero point `beta + alpha z`.
    """
    site = context.sites[node.output]
    if site.kind != UseKind.LINEAR:
        _divide_to_stream(context, node, product, row_sum, values)
        return
    statistics = context.statistics[node.output]
    shape = context.graph.shapes[node.output]
    scale, zero = (_by_channel(site.channel, np.broadcast_to(a.max(-2, keepdims=True), (*shape[:-2], 1, shape[-1])), shape)
                   for a in (values.scale, values.zero_point))  # fmt: skip
    low, high = statistics.low / scale + zero, statistics.high / scale + zero
    head = _by_channel(site.channel, _head_numbers(shape), shape).astype(np.int64)
    bottom, top = np.full(head.max() + 1, np.inf), np.full(head.max() + 1, -np.inf)
    np.minimum.at(bottom, head, low)
    np.maximum.at(top, head, high)
    reach = np.maximum(np.maximum(-bottom, top), 1e-3) * context.recipe.attention
    limit = wide_limit(context, site)
    codes = unsigned_codes(context.act_bits(site)) if limit is None else Interval(-limit, limit)
    beta, room = ((codes.high + 1) // 2, codes.high / 2) if limit is None else (0, limit / HEADROOM)
    if limit is None and context.clips(site):
        quotients = statistics.samples / scale + zero
        reach = reach * _best_shares_by_head(quotients, head, reach, codes)
    alpha = np.minimum(room / reach, room / 2)
    dtype = U8 if limit is None else S16
    encoding = context.site_encoding(site, dtype, scale / alpha[head], beta + alpha[head] * zero)
    encoding = replace(encoding, span=codes)
    if node.output in context.residuals:
        encoding = context.with_residuals(site, encoding, margin=1.0)
        alpha, beta = alpha * (1 << RESIDUAL_BITS), beta << RESIDUAL_BITS
    numerators, shift = _numerators(alpha, row_sum.least)
    op = SoftmaxDivide(to=encoding.dtype, low=encoding.low, high=encoding.high, zero_point=beta, shift=shift)
    constant = context.builder.constant(f"{node.name}.numerator", _per_head(numerators, shape))
    name = context.emit(f"{node.name}.divide", op, product, row_sum.name, constant)
    context.set(node.output, name, encoding)


def _best_shares_by_head(quotients: Array, head: Array, reach: Array, codes: Interval) -> Array:
    """Return, by head, the share of its reach at which sampled quotients [rows, channels] are written best."""
    middle = np.full(len(head), (codes.high + 1) // 2)

    def error(share: float) -> Array:
        step = (reach * share / (codes.high / 2))[head]
        errors: Array = ((decode(encode(quotients, step, middle, codes), step, middle) - quotients) ** 2).sum(0)
        return errors

    return best_shares(error, head)[np.unique(head, return_index=True)[1]]


def _divide_to_stream(context: Context, node: FloatNode, product: str, row_sum: RowSum, values: Encoding) -> None:
    if not values.per_tensor or values.zero_point.any():
        raise unsupported(node, "attention without a projection behind it needs one value scale", "please report this model")
    encoding = output_encoding(context, node.output, len(context.graph.shapes[node.output]))
    alpha = np.array([float((values.scale / encoding.scale).reshape(-1)[0])])
    numerators, shift = _numerators(alpha, row_sum.least)
    dtype = encoding.dtype
    op = SoftmaxDivide(to=dtype, low=dtype.low, high=dtype.high, shift=shift)
    constant = context.builder.constant(f"{node.name}.numerator", np.array(numerators, np.int64))
    context.set(node.output, context.emit(f"{node.name}.divide", op, product, row_sum.name, constant), encoding)


def _by_channel(channel: Array, array: Array, shape: tuple[int, ...]) -> Array:
    """Return, by channel number, the values of an array that broadcasts to the site's shape."""
    result = np.zeros(int(channel.max()) + 1)
    result[channel.reshape(-1)] = np.broadcast_to(array, shape).reshape(-1)
    return result


def _head_numbers(shape: tuple[int, ...]) -> Array:
    heads = shape[1:-2]
    return np.arange(math.prod(heads)).reshape(1, *heads, 1, 1)


def _per_head(numerators: list[int], shape: tuple[int, ...]) -> Array:
    return np.array(numerators, np.int64).reshape(*shape[1:-2], 1, 1)


def _numerators(alpha: Array, top: int) -> tuple[list[int], int]:
    """Return `alpha 2^shift` as integers, with the largest shift at which no row sum from `top` on gives a factor of 2^31."""
    limit = ((1 << 31) - 1) * top
    shift = 62
    while round(float(alpha.max()) * (1 << shift)) > min(limit, 1 << 61):
        shift -= 1
    return [round(Fraction(float(a)) * (1 << shift)) for a in alpha], shift
