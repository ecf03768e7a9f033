"""What every lowering function works on: the float graph, what is known of it, and the integer graph under construction."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.errors import UnsupportedModelError
from intvit.ir import Op
from intvit.numerics import S16, IntType, common_shift
from intvit.ops import Requantize
from intvit.quantize.bits import Bits
from intvit.quantize.builder import GraphBuilder
from intvit.quantize.calibrate import Statistics
from intvit.quantize.encoding import Encoding, compress, per_tensor
from intvit.quantize.float_graph import FloatGraph, FloatNode
from intvit.quantize.focused import Focus
from intvit.quantize.input_codes import RESIDUAL_MARGIN, finer
from intvit.quantize.layer_rows import LayerRows
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.recipe import SEARCHED_BITS, Recipe, Spread
from intvit.quantize.sensitivity import Sensitivity
from intvit.quantize.sites import Site
from intvit.quantize.unified_metric import FamilyChoice
from intvit.quantize.uses import UseKind

Array = NDArray[Any]
RISKY_DB = 15.0
"""Below this signal-to-quantization-noise ratio a site puts accuracy at risk."""


@dataclass(frozen=True)
class RowSum:
    """The integer value that holds the sums of softmax's exponentials, and the least sum that there can be."""

    name: str
    least: int


@dataclass(frozen=True)
class Lowered:
    """A float value's integer twin.

    Attributes:
        name: the value in the integer graph.
        encoding: what its codes mean.
        row_sum: for softmax exponentials not yet divided, their sums.
    """

    name: str
    encoding: Encoding
    row_sum: RowSum | None = None


@dataclass(frozen=True)
class Rounded:
    """The integer weights of a layer that others with the same float weights may share.

    Attributes:
        scale: of the layer's input, float64 [K].
        name: of the weights in the integer graph.
        codes, steps: as in `RealLinear`.
    """

    scale: Array
    name: str
    codes: Array
    steps: Array


@dataclass
class Context:
    """State of one lowering.

    Attributes:
        graph: the canonical float graph.
        layers: its linear layers by first node.
        sites: its sites by value.
        statistics: calibration results by value.
        recipe: the choices to follow.
        layer_rows: what the linear layers read.
        sensitivities: how much errors of their outputs count, by first node; none if all count alike.
        builder: the integer graph so far.
        values: lowered values by float value name.
        channels: the encoding of a site by channel: (scale, zero point), float64 [channels].
        spreads: the selected spread of GELU outputs.
        coarse_shifts: the selected coarse shift of softmax outputs in two-scale codes.
        focuses: the selected interval of softmax outputs in focused codes.
        choices: the approximations chosen for softmax and GELU nodes that the recipe leaves to the metric, by node name.
        bits: what the search under the recipe's budget chose.
        residuals: the channels whose residuals linear layers read, int64, by site.
        appended: by value in the integer graph, the same with its residuals appended.
        rounded: the weights of layers whose inputs have 16 bits, by their bits and the digest of the float ones.
        sqnr_db: the measured signal-to-noise ratio of every site that search chose.
        warnings: texts about sites whose accuracy is at risk.
    """

    graph: FloatGraph
    layers: dict[str, LinearLayer]
    sites: dict[str, Site]
    statistics: dict[str, Statistics]
    recipe: Recipe
    layer_rows: LayerRows
    sensitivities: dict[str, Sensitivity] = field(default_factory=dict)
    builder: GraphBuilder = field(default_factory=GraphBuilder)
    values: dict[str, Lowered] = field(default_factory=dict)
    channels: dict[str, tuple[Array, Array]] = field(default_factory=dict)
    spreads: dict[str, Spread] = field(default_factory=dict)
    coarse_shifts: dict[str, int] = field(default_factory=dict)
    focuses: dict[str, Focus] = field(default_factory=dict)
    choices: dict[str, FamilyChoice] = field(default_factory=dict)
    bits: Bits = field(default_factory=Bits)
    residuals: dict[str, Array] = field(default_factory=dict)
    appended: dict[str, str] = field(default_factory=dict)
    rounded: dict[tuple[int, bytes], Rounded] = field(default_factory=dict)
    sqnr_db: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def family(self, node: FloatNode) -> str:
        """Return the approximation of a `Softmax` or `Gelu`: what was chosen for the node, else the recipe's."""
        choice = self.choices.get(node.name)
        return choice.family if choice else {"Softmax": self.recipe.softmax, "Gelu": self.recipe.gelu}[node.op]

    def sensitivity(self, layer: LinearLayer) -> Sensitivity | None:
        """Return how much errors of a layer's outputs count where its weights are fitted, None if all count alike."""
        return self.sensitivities[layer.name] if self.recipe.output_aware else None

    def family_reading(self, site: Site) -> str:
        """Return the approximation of the softmax or GELU that reads a site."""
        return self.family(next(use.node for use in site.uses if use.node is not None))

    def makes_output(self, layer: LinearLayer) -> bool:
        """Whether a layer's result is an output of the model."""
        return layer.output in self.graph.outputs

    def is_wide(self, value: str) -> bool:
        """Whether the recipe, or the search under its budget, gives a value 16 bits where its readers can take them."""
        maker = next((node.op for node in self.graph.nodes if node.output == value), "")
        return maker in self.recipe.wide or self.bits.activations.get(value) == 16

    def weight_bits(self, layer: LinearLayer) -> int:
        """Return the bits of a layer's weights."""
        keeps = layer.kernel or self.makes_output(layer)
        return self.bits.weights.get(layer.name, 8 if keeps else min(8, self.recipe.weight_bits))

    def act_bits(self, site: Site) -> int:
        """Return the bits of what linear layers read."""
        layers = [self.layers[use.node.name] for use in site.uses if use.kind == UseKind.LINEAR and use.node is not None]
        if layers and all(self.makes_output(layer) for layer in layers):
            return 8
        return min(8, self.bits.activations.get(site.value, self.recipe.act_bits))

    def clips(self, site: Site) -> bool:
        """Whether the range of a site is cut off where this lowers its error."""
        return self.recipe.clip_ranges or self.bits.activations.get(site.value, 8) <= SEARCHED_BITS

    def emit(self, name: str, op: Op, *inputs: str) -> str:
        """Add a one-output node and return the output's name."""
        return self.builder.add(name, op, *inputs)[0]

    def set(self, value: str, name: str, encoding: Encoding, row_sum: RowSum | None = None, made: bool = True) -> None:
        """Record the integer twin of a float value.

        Args:
            value: the float value.
            name: its twin.
            encoding: what the twin's codes mean.
            row_sum: see `Lowered`.
            made: whether the twin's node computes it (its metadata then tell the float value and the encoding).
        """
        self.values[value] = Lowered(name, encoding, row_sum)
        if made:
            self.builder.annotate(name, {"source": value, **encoding.to_metadata()})

    def site_encoding(self, site: Site, dtype: IntType, scale: Array, zero_point: Array) -> Encoding:
        """Return (and record) a site's encoding from per-channel scales and zero points, float64 [channels]."""
        self.channels[site.value] = (scale, zero_point)
        return Encoding(dtype, compress(scale[site.channel]), compress(zero_point[site.channel]))

    def with_residuals(self, site: Site, encoding: Encoding, margin: float = RESIDUAL_MARGIN) -> Encoding:
        """Return the codes of a site that `AppendResiduals` splits, if any of its channels has residuals.

        Args:
            site: the site.
            encoding: its codes of 8 bits.
            margin: by how much the ranges of the channels with residuals grow, if scales may differ by channel.
        """
        if site.value not in self.residuals:
            return encoding
        return finer(encoding, np.where(np.isin(site.channel, self.residuals[site.value]), margin, 1.0))

    def stream(self, value: str) -> Lowered:
        """Return a value with one scale and no zero point, requantized to s16 if it is not so already."""
        lowered = self.values[value]
        encoding = lowered.encoding
        if encoding.per_tensor and not encoding.zero_point.any() and lowered.row_sum is None:
            return lowered
        wide = per_tensor(S16, float(encoding.scale.max()) / (1 << 6), encoding.scale.ndim)
        return self.requantize(lowered, value, wide)

    def note_error(self, site: Site, error: float) -> None:
        """Keep the measured signal-to-noise ratio of a site; warn where it is low."""
        decibels = -10 * math.log10(max(error, 1e-12))
        self.sqnr_db[site.value] = decibels
        if decibels < RISKY_DB:
            self.warnings.append(f"{site.value}: only {decibels:.1f} dB of signal to quantization noise; {self._help(site)}")

    def _help(self, site: Site) -> str:
        """Return what can be done about a site that is written too coarsely."""
        if self.act_bits(site) < 8:
            return "`--act-bits 8` gives it more codes"
        if site.kind == UseKind.LINEAR and not self.is_wide(site.value):
            return "`--recipe accurate` may give it 16 bits; `intvit compare` shows what it costs"
        return "`intvit compare` shows what it costs; more calibration images may narrow its range"

    def requantize(self, lowered: Lowered, value: str, encoding: Encoding) -> Lowered:
        """Return a value in another encoding of one zero point per tensor."""
        if not (lowered.encoding.zero_point.size == encoding.zero_point.size == 1):
            raise UnsupportedModelError(
                "a tensor with per-channel zero points is used where one is needed",
                where=value,
                hint="please report this model; 'intvit coverage' prints what is needed",
            )
        ratio = lowered.encoding.scale / encoding.scale
        multipliers, shift = common_shift([Fraction(float(r)) for r in ratio.reshape(-1)])
        op = Requantize(
            to=encoding.dtype,
            low=encoding.low,
            high=encoding.high,
            zero_point=int(encoding.zero_point.reshape(-1)[0]),
            input_zero_point=int(lowered.encoding.zero_point.reshape(-1)[0]),
            shift=shift,
        )
        shape = ratio.shape if ratio.size > 1 else (1,)
        multiplier = self.builder.constant(f"{value}.multiplier", np.array(multipliers, np.int32).reshape(shape))
        name = self.emit(f"{value}.requantize", op, lowered.name, multiplier)
        return Lowered(name, encoding)


def unsupported(node: FloatNode, reason: str, hint: str) -> UnsupportedModelError:
    """Return the error that names a node that can't be lowered."""
    return UnsupportedModelError(f"{node.op} can't be lowered: {reason}", where=node.name, hint=hint)
