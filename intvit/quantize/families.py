"""Choosing the approximation of every softmax and GELU by the unified metric, each run on the node's calibration samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.numerics import S16, S32
from intvit.quantize.calibrate import Statistics
from intvit.quantize.encoding import Encoding, per_tensor
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context, Lowered, unsupported
from intvit.quantize.lower.deferred_softmax import exponential
from intvit.quantize.lower.gelu import GELUS
from intvit.quantize.lower.gelu_form import gelu_input
from intvit.quantize.lower.normalized_softmax import FAMILIES, Probabilities, probability_bits
from intvit.quantize.recipe import NORMALIZED_SOFTMAXES, UNIFIED
from intvit.quantize.scores import scores_encoding
from intvit.quantize.sites import Site
from intvit.quantize.unified_metric import OPERATIONS, FamilyChoice, judge
from intvit.quantize.uses import Use, UseKind, factor_between

Array = NDArray[Any]
JUDGED_ROWS = 256
"""How many sample rows of a node its candidates are judged by."""
SCORE_BITS = 16
"""Fraction bits of the scores of `table` and `polynomial`, which read accumulators: so fine that they add no error."""
ONE, SHIFT = 4, 2
"""`rescale(x, ONE, SHIFT)` is x."""


def choose_families(context: Context) -> dict[str, FamilyChoice]:
    """Return the choice for every node that the recipe leaves to the metric, by node name.

    Args:
        context: the state before lowering; what softmax reads is among its sites.

    Raises:
        UnsupportedModelError: the scores of a softmax do not reach it in rows.
    """
    choices = {}
    for site in context.sites.values():
        for use in site.uses:
            if use.node is not None and use.node.op in _CANDIDATES and context.family(use.node) == UNIFIED:
                choices[use.node.name] = _choose(context, site, use, use.node)
    return choices


def without_unread_scores(context: Context) -> dict[str, Site]:
    """Return the sites without the scores of softmaxes that read accumulators."""

    def read(site: Site) -> bool:
        return site.kind != UseKind.SCORES or any(
            use.node is not None and context.family(use.node) in NORMALIZED_SOFTMAXES for use in site.uses
        )

    return {value: site for value, site in context.sites.items() if read(site)}


def _choose(context: Context, site: Site, use: Use, node: FloatNode) -> FamilyChoice:
    statistics = context.statistics[site.value]
    factor = factor_between(context.graph, site.value, use.value)
    rows = statistics.samples[:: -(-len(statistics.samples) // JUDGED_ROWS)].astype(np.float64)
    if node.op == "Softmax" and not _in_rows(site, use):
        raise unsupported(node, "its scores are moved about before it", "choose a recipe that names a softmax")
    scaled = replace(statistics, low=statistics.low * factor, high=statistics.high * factor, samples=rows * factor)
    exact, run = EXACT[node.op](scaled.samples), _CANDIDATES[node.op]
    candidates = (judge(node.op, family, exact, run(context, node, family, scaled)) for family in OPERATIONS[node.op])
    return FamilyChoice(node.op, tuple(candidates))


def _in_rows(site: Site, use: Use) -> bool:
    """Whether rows of a site arrive as rows."""
    columns = site.shape[-1]
    return site.channels == use.elements.shape[-1] == columns and bool((use.elements % columns == np.arange(columns)).all())


def _run_gelu(context: Context, node: FloatNode, family: str, statistics: Statistics) -> Array:
    encoding = gelu_input(family, context.recipe.gelu_input_bits, statistics, rank=2)
    form = GELUS[family](context, node, Lowered(node.inputs[0], encoding))
    op = form.make(to=S32, low=S32.low, high=S32.high, zero_point=0, shift=SHIFT)
    (codes,) = op.reference(_codes(encoding, statistics), np.array([ONE], np.int32), *form.constants.values())
    return np.asarray(codes * float(form.step))


def _run_softmax(context: Context, node: FloatNode, family: str, statistics: Statistics) -> Array:
    if family in NORMALIZED_SOFTMAXES:
        encoding = scores_encoding(family, statistics, rank=2)
        bits = probability_bits(statistics.samples.shape[-1])
        op = FAMILIES[family](Fraction(float(encoding.scale.reshape(-1)[0])), Probabilities(to=S16, bits=bits))
        (codes,) = op.reference(_codes(encoding, statistics))
        return np.asarray(codes * 2.0 ** (1 - bits))
    encoding = per_tensor(S32, 2.0**-SCORE_BITS, rank=2)
    op, constants, _ = exponential(family, encoding.scale, context.recipe.softmax_top)
    e, row_sum = op.reference(_codes(encoding, statistics), *constants.values())
    return np.asarray(e / row_sum)


def _codes(encoding: Encoding, statistics: Statistics) -> Array:
    return encoding.codes(statistics.samples).astype(encoding.dtype.dtype)


def _gelu(x: Array) -> Array:
    halves = [0.5 * math.erfc(-v) for v in (x.reshape(-1) * math.sqrt(0.5)).tolist()]
    return np.asarray(x * np.array(halves).reshape(x.shape))


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True))
    return np.asarray(e / e.sum(-1, keepdims=True))


EXACT: Mapping[str, Callable[[Array], Array]] = {"Gelu": _gelu, "Softmax": _softmax}
"""The real functions, of rows [R, columns]."""
_CANDIDATES: Mapping[str, Callable[[Context, FloatNode, str, Statistics], Array]] = {"Gelu": _run_gelu, "Softmax": _run_softmax}
