"""Low-rank compensation: the closed form against the truth, the rank that is chosen, and the side branch in integers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from intvit.data.preprocess import Preprocess
from intvit.importer import import_onnx
from intvit.ir import TensorType
from intvit.numerics import S8, S16, U8, Interval
from intvit.quantize import quantize
from intvit.quantize.api import normalizer
from intvit.quantize.calibrate import float_session
from intvit.quantize.encoding import Encoding
from intvit.quantize.low_rank import DAMPING, choose_rank, low_rank
from intvit.quantize.lower.context import Context
from intvit.quantize.lower.emit_linear import RealLinear
from intvit.quantize.lower.side_branch import SideBranch, emit_with_branch
from intvit.quantize.recipe import RECIPES
from intvit.runtime.engine import Engine
from intvit.runtime.reference import run_reference

EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
DEPTH, CHANNELS, ROWS = 24, 18, 400


def problem(seed):
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(ROWS, DEPTH)) @ np.diag(np.geomspace(4, 0.1, DEPTH)) @ rng.normal(size=(DEPTH, DEPTH))
    return inputs, rng.normal(size=(DEPTH, CHANNELS))


@pytest.mark.parametrize("rank", [1, 3, 8, CHANNELS])
@pytest.mark.parametrize(
    "across", [None, np.tril(np.random.default_rng(9).normal(size=(CHANNELS, CHANNELS))) + 4 * np.eye(CHANNELS)]
)
def test_the_correction_is_the_best_of_its_rank(rank, across):
    """No matrix of rank r is nearer to a matrix than its r largest singular values leave (Eckart and Young)."""
    inputs, error = problem(0)
    outputs, through = (None, np.eye(CHANNELS)) if across is None else (across @ across.T, across)
    damping = DAMPING * (inputs**2).sum() / DEPTH + 1e-12
    seen = np.concatenate([inputs, np.sqrt(damping) * np.eye(DEPTH)])
    left = np.linalg.svd(seen @ error @ through, compute_uv=False)[rank:]
    found = low_rank(error, inputs, rank, outputs)
    assert found.rank == rank
    np.testing.assert_allclose(
        np.linalg.norm(seen @ (error - found.down @ found.up) @ through), np.sqrt((left**2).sum()), atol=1e-9
    )


def test_a_correction_holds_the_best_ones_of_smaller_ranks():
    inputs, error = problem(1)
    whole, small = low_rank(error, inputs, 9), low_rank(error, inputs, 4)
    np.testing.assert_allclose(whole.down[:, :4] @ whole.up[:4], small.down @ small.up, atol=1e-9)


@pytest.mark.parametrize("planted", [0, 2, 5])
def test_a_planted_rank_is_chosen(planted):
    inputs, _ = problem(2)
    rng = np.random.default_rng(3)
    error = 0.1 * rng.normal(size=(DEPTH, planted)) @ rng.normal(size=(planted, CHANNELS))
    weight = rng.normal(size=(DEPTH, CHANNELS))
    wanted = inputs @ weight
    noise = inputs @ error + 0.001 * rng.normal(size=wanted.shape)
    assert choose_rank(low_rank(error, inputs, 8), (1, 2, 5, 8), inputs, wanted, noise) == planted


def test_a_rank_that_does_not_pay_is_not_chosen():
    """Noise that no weights make, such as that of the input's own rounding, leaves little to gain."""
    inputs, error = problem(4)
    rng = np.random.default_rng(5)
    wanted = inputs @ rng.normal(size=error.shape)
    noise = 0.001 * inputs @ error + wanted.std() * rng.normal(size=wanted.shape)
    assert choose_rank(low_rank(0.001 * error, inputs, 4), (2, 4), inputs, wanted, noise) == 0


ENCODINGS = [
    Encoding(S16, np.full((1, 1), 0.01), np.zeros((1, 1))),
    Encoding(S8, np.linspace(0.5, 2, 6)[None], np.array([[-3.0, 0, 4, 9, -7, 2]]), Interval(-8, 7)),
    Encoding(U8, np.full((1, 6), 3.0), np.full((1, 6), 128.0)),
]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_the_branch_is_added_before_the_result_is_stored(encoding):
    rng = np.random.default_rng(0)
    context = Context(None, {}, {}, {}, RECIPES["aiqvit"], None)
    context.builder.input("x", TensorType(U8, (1, 7, 10), 0))
    x = rng.integers(0, 16, (2, 7, 10)).astype(np.uint8)
    codes, steps, bias = rng.integers(-7, 8, (10, 6)), np.linspace(0.05, 0.2, 6), rng.normal(size=6)
    centre, down, up = np.full(10, 7.5), rng.normal(size=(10, 2)), 0.2 * rng.normal(size=(2, 6))
    hidden = (x - centre) @ down
    branch = SideBranch(centre, down, up, np.abs(hidden).max((0, 1)))
    name = emit_with_branch(context, "layer", "x", RealLinear(codes, steps, bias), branch, encoding)
    graph = context.builder.build((name,))
    found = run_reference(graph, {"x": x})[name]
    np.testing.assert_array_equal(Engine(graph).run({"x": x})[name], found)
    main = (x @ codes + np.round(bias)) * steps
    wanted = (main + hidden @ up) / encoding.scale + encoding.zero_point
    inside = np.clip(wanted, encoding.low, encoding.high)
    largest = float((np.abs(up).sum(0) * np.abs(hidden).max() / 127 / encoding.scale).max())
    assert np.abs(found - inside).max() <= 0.51 + 2 * largest
    without = np.clip(main / encoding.scale + encoding.zero_point, encoding.low, encoding.high)
    assert np.abs(found - inside).mean() < np.abs(without - inside).mean()


@pytest.mark.parametrize("correct_bias", [False, True])
def test_side_branches_bring_the_outputs_nearer_to_float(correct_bias):
    """At 2 bits, beside weights rounded to nearest, whether or not the bias takes mean errors."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (24, 16, 16, 3), np.uint8)
    model = import_onnx(EXPORT)
    normalize = normalizer(Preprocess.preset("imagenet", 16, 16))
    session = float_session(model)
    (exact,) = session.run(None, {session.get_inputs()[0].name: normalize(pixels)})
    errors = []
    for ranks in ((), (4, 8)):
        recipe = replace(RECIPES["minmax"], weight_bits=2, low_rank=ranks, branch_share=1.0, correct_bias=correct_bias)
        integer = quantize(model, list(pixels), recipe=recipe)
        ((output, scale),) = integer.info.output_scales.items()
        branches = [node.name for node in integer.graph.nodes if node.name.endswith(".up")]
        assert bool(branches) == bool(ranks)
        found = Engine(integer.graph).run({"pixels": pixels})[output] * float(scale)
        errors.append(float(((found - exact) ** 2).sum()))
    assert errors[1] < 0.7 * errors[0]
