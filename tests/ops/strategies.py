"""Random legal cases of every operator: small shapes, attributes over their whole range, any codes."""

import numpy as np
from helpers.attention import bump_table
from helpers.codes import codes
from helpers.softmax import shiftmax, softmax_bit, softmax_i_bert
from hypothesis import assume
from hypothesis import strategies as st
from ops.cases import case

from intvit import ops
from intvit.ir import certify, check
from intvit.numerics import S8, S16, S32, U8
from intvit.ops.gelu_polynomial import DEGREE_8
from intvit.ops.softmax_polynomial import CHORD, CUBIC, QUADRATIC, scaled_cubic

SIZE = st.integers(1, 5)
BATCH = st.integers(1, 3)
SHIFT = st.integers(2, 62)
COEFFICIENTS = st.sampled_from([CUBIC, QUADRATIC, CHORD]) | st.integers(1, 255).map(scaled_cubic)
SEED = st.integers(0, 1 << 30)


def arrays(shape, dtype, low=None, high=None):
    return SEED.map(lambda seed: codes(shape, dtype, low, high, seed))


def multipliers(draw, shape, signed=False):
    """Multipliers of any magnitude, so that not all large ones are refused by the certificate."""
    top = (1 << draw(st.integers(0, 31))) - 1
    return draw(arrays(shape, np.int32, -top if signed else 0, top))


def outputs(draw, *kinds):
    kind = draw(st.sampled_from(kinds))
    low, high = sorted((draw(st.integers(kind.low, kind.high)), draw(st.integers(kind.low, kind.high))))
    if draw(st.booleans()):
        low, high = kind.low, kind.high
    return {"to": kind, "low": low, "high": high, "zero_point": draw(st.integers(-300, 300))}


def legal(made):
    """Return the case if it is one that a model could hold."""
    assume(not check(made.graph)[0])
    assume(not certify(made.graph).failures)
    return made


@st.composite
def linear(draw):
    batch, rows, depth, width = draw(BATCH), draw(SIZE), draw(SIZE), draw(SIZE)
    kind = draw(st.sampled_from([np.uint8, np.int8, np.int16]))
    op = ops.Linear(shift=draw(SHIFT), **outputs(draw, S8, U8, S16, S32))
    limit, low = 1 << draw(st.integers(0, 30)), draw(st.sampled_from([-8, -128, -512]))
    constants = {
        "weight": draw(arrays((depth, width), np.int16 if low < -128 else np.int8, low, -1 - low)),
        "bias": draw(arrays((width,), np.int32, -limit, limit)),
        "multiplier": multipliers(draw, (width,), signed=True),
    }
    return legal(case("random", op, {"x": draw(arrays((batch, rows, depth), kind))}, constants, batch))


@st.composite
def matmul(draw):
    batch, heads, rows, depth, width = draw(BATCH), draw(SIZE), draw(SIZE), draw(SIZE), draw(SIZE)
    a = draw(arrays((batch, heads, rows, depth), draw(st.sampled_from([np.uint8, np.int8, np.int16]))))
    b = draw(arrays((batch, heads, depth, width), draw(st.sampled_from([np.int8, np.int16]))))
    return legal(case("random", ops.MatMul(), {"a": a, "b": b}, batch=batch))


@st.composite
def add(draw):
    batch, rows, width = draw(BATCH), draw(SIZE), draw(SIZE)
    scales = [(1 << draw(st.integers(0, 31))) - 1 for _ in "ab"]
    op = ops.Add(multiplier_a=scales[0], multiplier_b=scales[1], shift=draw(SHIFT), **outputs(draw, S8, S16))
    a = draw(arrays((batch, rows, width), np.int16))
    if draw(st.booleans()):
        return legal(case("random", op, {"a": a, "b": draw(arrays((batch, rows, width), np.int16))}, batch=batch))
    shape = draw(st.sampled_from([(1, rows, width), (width,), (rows, 1), (1,)]))
    return legal(case("random", op, {"a": a}, {"b": draw(arrays(shape, np.int16))}, batch))


@st.composite
def layer_norm(draw):
    batch, rows, width = draw(BATCH), draw(SIZE), draw(SIZE)
    op = ops.LayerNorm(epsilon=1 << draw(st.integers(0, 60)), shift=draw(SHIFT), **outputs(draw, S8, S16))
    limit = 1 << draw(st.integers(0, 61))
    constants = {
        "multiplier": multipliers(draw, (width,), signed=True),
        "bias": draw(arrays((width,), np.int64, -limit, limit)),
    }
    reach = (1 << draw(st.integers(0, 15))) - 1
    x = draw(arrays((batch, rows, width), np.int16, -reach, reach))
    return legal(case("random", op, {"x": x}, constants, batch))


@st.composite
def layer_norm_newton(draw):
    batch, rows, width = draw(BATCH), draw(SIZE), draw(SIZE)
    op = ops.LayerNormNewton(shift=draw(SHIFT), **outputs(draw, S8, S16))
    limit = 1 << draw(st.integers(0, 60))
    constants = {
        "multiplier": multipliers(draw, (width,), signed=True),
        "bias": draw(arrays((width,), np.int64, -limit, limit)),
    }
    reach = (1 << draw(st.integers(0, 15))) - 1
    return legal(case("random", op, {"x": draw(arrays((batch, rows, width), np.int16, -reach, reach))}, constants, batch))


def softmax_inputs(draw):
    batch, heads, rows, width = draw(BATCH), draw(SIZE), draw(SIZE), draw(SIZE)
    reach = (1 << draw(st.integers(0, 31))) - 1
    x = draw(arrays((batch, heads, rows, width), np.int32, -reach, reach))
    return {"x": x}, {"multiplier": multipliers(draw, draw(st.sampled_from([(1,), (heads, 1, 1)])))}, batch


@st.composite
def softmax_polynomial(draw, kind=ops.SoftmaxPolynomial):
    op = kind(shift=draw(SHIFT), coefficients=draw(COEFFICIENTS))
    return legal(case("random", op, *softmax_inputs(draw)))


@st.composite
def softmax_octave(draw):
    activations, constants, batch = softmax_inputs(draw)
    rest = draw(st.lists(st.integers(0, 4080), min_size=63, max_size=63))
    table = np.array([-(-max(1, *rest) // 16) * 16, *sorted(rest, reverse=True)], np.int16)
    op = ops.SoftmaxOctave(shift=draw(st.one_of(st.just(22), SHIFT)))
    return legal(case("random", op, activations, constants | {"table": table}, batch))


@st.composite
def softmax_table(draw):
    activations, constants, batch = softmax_inputs(draw)
    rest = draw(st.lists(st.integers(0, 255), min_size=1, max_size=40))
    table = np.array([max(1, *rest), *sorted(rest, reverse=True)], np.uint8)
    return legal(case("random", ops.SoftmaxTable(shift=draw(SHIFT)), activations, constants | {"table": table}, batch))


def normalized(draw, make, **more):
    """A softmax of one of the papers, for rows and a score scale of any size."""
    batch, heads, width = draw(BATCH), draw(SIZE), draw(st.integers(1, 40))
    kind = draw(st.sampled_from([np.int8, np.int16]))
    reach = draw(st.integers(0, np.iinfo(kind).max))
    x = draw(arrays((batch, heads, width), kind, -reach, reach))
    to = draw(st.sampled_from([S8, S16]))
    scale = 2.0 ** draw(st.integers(-15, 4)) * draw(st.integers(1000, 2000)) / 1000
    op = make(scale, to=to, bits=draw(st.integers(2, to.bits)), **more)
    return legal(case("random", op, {"x": x}, batch=batch))


@st.composite
def any_shiftmax(draw):
    return normalized(draw, shiftmax, n=draw(st.integers(1, 16)))


@st.composite
def any_softmax_bit(draw):
    more = {"nearest": draw(st.integers(0, 1)), "numerator_bits": draw(st.integers(16, 31))}
    return normalized(draw, softmax_bit, **more)


@st.composite
def any_softmax_i_bert(draw):
    return normalized(draw, softmax_i_bert)


@st.composite
def softmax_divide(draw):
    batch, rows, width = draw(BATCH), draw(SIZE), draw(SIZE)
    op = ops.SoftmaxDivide(shift=draw(SHIFT), **outputs(draw, S8, U8, S16))
    top = (1 << draw(st.integers(0, 39))) - 1
    activations = {
        "x": draw(arrays((batch, rows, width), np.uint8)),
        "row_sum": draw(arrays((batch, rows, 1), np.int32, 255, 60000)),
    }
    constants = {"numerator": draw(arrays((1,), np.int64, 0, top))}
    return legal(case("random", op, activations, constants, batch, limits={"row_sum": (255, 60000)}))


def gelu_inputs(draw):
    batch, rows, width = draw(BATCH), draw(SIZE), draw(SIZE)
    reach = (1 << draw(st.integers(0, 15))) - 1
    x = draw(arrays((batch, rows, width), np.int16, -reach, reach))
    return {"x": x}, {"multiplier": multipliers(draw, draw(st.sampled_from([(1,), (width,)])))}, batch


@st.composite
def gelu_polynomial(draw):
    number = {"fraction_bits": draw(st.integers(0, 13)), "shift": draw(SHIFT), "coefficients": DEGREE_8}
    return legal(case("random", ops.GeluPolynomial(**number, **outputs(draw, S8, S16)), *gelu_inputs(draw)))


@st.composite
def gelu_table(draw):
    fraction_bits = draw(st.integers(0, 13))
    index_shift = draw(st.integers(max(0, fraction_bits - 6), fraction_bits))
    number = {"fraction_bits": fraction_bits, "index_shift": index_shift, "shift": draw(SHIFT)}
    activations, constants, batch = gelu_inputs(draw)
    constants["table"] = bump_table(fraction_bits, index_shift)
    return legal(case("random", ops.GeluTable(**number, **outputs(draw, S8, S16)), activations, constants, batch))


def scaled_gelu(draw, op, x):
    channels = x.shape[-1]
    multiplier = multipliers(draw, draw(st.sampled_from([(1,), (channels,)])))
    return legal(case("random", op, {"x": x}, {"multiplier": multiplier}, x.shape[0]))


@st.composite
def gelu_shift(draw):
    x = draw(arrays((draw(BATCH), draw(SIZE), draw(SIZE)), np.int8))
    unit = 1 + draw(st.integers(0, 1 << draw(st.integers(0, 10))))
    op = ops.GeluShift(unit=unit, n=draw(st.integers(0, 31)), shift=draw(SHIFT), **outputs(draw, S8, U8, S16))
    return scaled_gelu(draw, op, x)


@st.composite
def gelu_erf(draw):
    x = draw(arrays((draw(BATCH), draw(SIZE), draw(SIZE)), draw(st.sampled_from([np.int8, np.int16]))))
    power = draw(st.sampled_from([2, 4]))
    knee = draw(st.integers(1, 1 << draw(st.integers(0, 15))))
    erf_shift = max(0, power * knee.bit_length() - draw(st.integers(0, 16)))
    numbers = {"power": power, "knee": knee, "one": draw(st.integers(1, 1 << 15)), "erf_shift": min(erf_shift, 62)}
    return scaled_gelu(draw, ops.GeluErf(shift=draw(SHIFT), **numbers, **outputs(draw, S8, U8, S16)), x)


@st.composite
def mean(draw):
    batch, shape = draw(BATCH), [draw(SIZE) for _ in range(3)]
    axes = tuple(draw(st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=3, unique=True)))
    multiplier = (1 << draw(st.integers(0, 31))) - 1
    op = ops.Mean(axes=axes, multiplier=multiplier, shift=draw(SHIFT), **outputs(draw, S8, S16))
    return legal(case("random", op, {"x": draw(arrays((batch, *shape), np.int16))}, batch=batch))


@st.composite
def requantize(draw):
    batch, rows, width = draw(BATCH), draw(SIZE), draw(SIZE)
    op = ops.Requantize(shift=draw(SHIFT), input_zero_point=draw(st.integers(-300, 300)), **outputs(draw, S8, U8, S16))
    x = draw(arrays((batch, rows, width), draw(st.sampled_from([np.int16, np.int32]))))
    shape = draw(st.sampled_from([(1,), (width,), (rows, 1), (1, rows, width)]))
    return legal(case("random", op, {"x": x}, {"multiplier": multipliers(draw, shape)}, batch))


def moved(draw, rank):
    batch = draw(BATCH)
    kind = draw(st.sampled_from([np.uint8, np.int16, np.int32]))
    return draw(arrays((batch, *(draw(SIZE) for _ in range(rank - 1))), kind)), batch


@st.composite
def transpose(draw):
    x, batch = moved(draw, draw(st.integers(2, 4)))
    return legal(case("random", ops.Transpose(perm=tuple(draw(st.permutations(range(x.ndim))))), {"x": x}, batch=batch))


@st.composite
def reshape(draw):
    x, batch = moved(draw, 3)
    _, rows, width = x.shape
    shapes = [(-1, rows * width), (-1, width, rows), (-1, 1, rows, width), (-1, width), (1, -1, rows, width)]
    return legal(case("random", ops.Reshape(shape=draw(st.sampled_from(shapes))), {"x": x}, batch=batch))


@st.composite
def slice_(draw):
    x, batch = moved(draw, 3)
    axis = draw(st.sampled_from([1, 2]))
    start = draw(st.integers(0, x.shape[axis] - 1))
    op = ops.Slice(axis=axis, start=start, end=draw(st.integers(start + 1, x.shape[axis])))
    return legal(case("random", op, {"x": x}, batch=batch))


@st.composite
def concat(draw):
    a, batch = moved(draw, 3)
    axis = draw(st.sampled_from([1, 2]))
    shape = tuple(draw(SIZE) if i == axis else d for i, d in enumerate(a.shape))
    return legal(case("random", ops.Concat(axis=axis), {"a": a, "b": draw(arrays(shape, a.dtype))}, batch=batch))


@st.composite
def softmax_two_scale(draw):
    activations, constants, batch = softmax_inputs(draw)
    layout = two_scale_layout(draw)
    top = (1 << layout["bits"]) - 1
    table = np.array([top, *draw(st.lists(st.integers(0, top), min_size=1, max_size=40))], np.uint8)
    op = ops.SoftmaxTwoScale(shift=draw(SHIFT), **layout)
    return legal(case("random", op, activations, constants | {"table": table}, batch))


def two_scale_layout(draw):
    bits = draw(st.integers(2, 8))
    return {"bits": bits, "coarse_shift": draw(st.integers(1, bits - 1))}


@st.composite
def two_scale_encode(draw):
    batch, rows, width = draw(BATCH), draw(SIZE), draw(SIZE)
    scale = {
        "multiplier": (1 << draw(st.integers(0, 31))) - 1,
        "shift": draw(SHIFT),
        "zero_point": draw(st.integers(-300, 300)),
    }
    x = draw(arrays((batch, rows, width), draw(st.sampled_from([np.uint8, np.int8, np.int16, np.int32]))))
    return legal(case("random", ops.TwoScaleEncode(**two_scale_layout(draw), **scale), {"x": x}, batch=batch))


@st.composite
def two_scale_decode(draw):
    batch, rows, width = draw(BATCH), draw(SIZE), draw(SIZE)
    x = draw(arrays((batch, rows, width), np.uint8))
    return legal(case("random", ops.TwoScaleDecode(**two_scale_layout(draw)), {"x": x}, batch=batch))


@st.composite
def append_residuals(draw):
    batch, rows, width = draw(BATCH), draw(SIZE), draw(SIZE)
    channels = draw(st.lists(st.integers(0, width - 1), min_size=1, max_size=6))
    op = ops.AppendResiduals(bits=draw(st.integers(1, 7)), channels=tuple(channels))
    low = draw(st.sampled_from([-(1 << 15), -100, 0]))
    x = draw(arrays((batch, rows, width), np.int16, low, draw(st.sampled_from([300, (1 << 15) - 1]))))
    return legal(case("random", op, {"x": x}, batch=batch))


@st.composite
def expand(draw):
    like, batch = moved(draw, draw(st.integers(2, 3)))
    x, _ = moved(draw, draw(st.integers(2, 4)))
    return legal(case("random", ops.Expand(), {"like": like}, {"x": x[:1]}, batch))


STRATEGIES = {
    "Add": add(),
    "AppendResiduals": append_residuals(),
    "Concat": concat(),
    "Expand": expand(),
    "GeluErf": gelu_erf(),
    "GeluPolynomial": gelu_polynomial(),
    "GeluShift": gelu_shift(),
    "GeluTable": gelu_table(),
    "LayerNorm": layer_norm(),
    "LayerNormNewton": layer_norm_newton(),
    "Linear": linear(),
    "MatMul": matmul(),
    "Mean": mean(),
    "Requantize": requantize(),
    "Reshape": reshape(),
    "Shiftmax": any_shiftmax(),
    "Slice": slice_(),
    "SoftmaxBit": any_softmax_bit(),
    "SoftmaxDivide": softmax_divide(),
    "SoftmaxIBert": any_softmax_i_bert(),
    "SoftmaxOctave": softmax_octave(),
    "SoftmaxPolynomial": softmax_polynomial(),
    "SoftmaxPolynomialWide": softmax_polynomial(ops.SoftmaxPolynomialWide),
    "SoftmaxTable": softmax_table(),
    "SoftmaxTwoScale": softmax_two_scale(),
    "Transpose": transpose(),
    "TwoScaleDecode": two_scale_decode(),
    "TwoScaleEncode": two_scale_encode(),
}
