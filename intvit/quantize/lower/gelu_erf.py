"""GELU by a clipped power for erf: I-BERT's constants, IPTQ-ViT's, or constants fitted to the calibrated inputs."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

from intvit.ops import GeluErf
from intvit.quantize.fit_erf import fit_erf
from intvit.quantize.float_graph import FloatNode
from intvit.quantize.lower.context import Context, Lowered
from intvit.quantize.lower.gelu_form import GeluForm

I_BERT = (-0.2888, -1.769)
"""a and b of i-GELU (arXiv 2101.01321, sec. 3.4)."""
QUARTIC = (-0.019913, -2.698088)
"""a and b of Poly-GELU (arXiv 2511.15369, sec. 4.3)."""


def gelu_square(context: Context, node: FloatNode, source: Lowered) -> GeluForm:
    """Return the form of `GeluErf` with I-BERT's square."""
    return erf_form(2, *I_BERT, source)


def gelu_quartic(context: Context, node: FloatNode, source: Lowered) -> GeluForm:
    """Return the form of `GeluErf` with IPTQ-ViT's published quartic."""
    return erf_form(4, *QUARTIC, source)


def gelu_fitted(context: Context, node: FloatNode, source: Lowered) -> GeluForm:
    """Return the form of `GeluErf` with a quartic fitted to what calibration saw of the node's input."""
    (site,) = (s for s in context.sites.values() if any(use.node is not None and use.node.name == node.name for use in s.uses))
    return erf_form(4, *fit_erf(context.statistics[site.value].samples / math.sqrt(2), 4), source)


def erf_form(power: int, a: float, b: float, source: Lowered) -> GeluForm:
    """Return the form of `GeluErf` with erf(u) ~ sgn(u) (a (min(|u|, -b) + b)^power + 1), a and b negative.

    erf's unit gets the bits that are left of 32 beside the input's.
    """
    step = float(source.encoding.scale.reshape(-1)[0])
    unit = -1 / (a * (step / math.sqrt(2)) ** power)
    erf_shift = max(0, math.ceil(math.log2(unit)) - (31 - source.encoding.dtype.bits))
    one = max(1, round(unit / 2**erf_shift))
    knee = round(-b * math.sqrt(2) / step)
    form = functools.partial(GeluErf, power=power, knee=max(1, knee), one=one, erf_shift=erf_shift)
    return GeluForm(Fraction(step) / (2 * one), form)
