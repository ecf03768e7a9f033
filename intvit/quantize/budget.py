"""Mixed precision: which activations and weights get which bits, so that the outputs suffer least within a budget.

Each candidate's rounding is injected into the float model alone, and the squared error of the outputs is its price. Then all
start at the most bits, and the step down that costs least error for each bit operation saved is taken until the budget is met.
Errors of different places are taken to add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from intvit.importer import CanonicalModel
from intvit.ops.softmax_exp import TOP
from intvit.ops.softmax_polynomial import THRESHOLD_BITS, THRESHOLDS
from intvit.quantize.bits import Bits
from intvit.quantize.calibrate import Progress
from intvit.quantize.choose import can_be_wide
from intvit.quantize.injection import Injection
from intvit.quantize.linear_layers import LinearLayer
from intvit.quantize.lower.context import Context
from intvit.quantize.matmul_operand import can_be_wide_operand
from intvit.quantize.multiplications import of_product, price_of_layer, products
from intvit.quantize.site_rounding import Change, rounding
from intvit.quantize.sites import Site
from intvit.quantize.weights import round_weights

Array = NDArray[Any]
JUDGED_IMAGES = 16
"""How many calibration images judge the candidates."""
WIDER, NARROWER = (16, 8), (8, 6, 4)
"""The bits of activations among which a budget of at least 1, and a smaller one, chooses."""


@dataclass(frozen=True)
class Item:
    """An activation, or the weights of a layer, whose bits are to be chosen.

    Attributes:
        name: of the value or the layer.
        errors: the squared error of the outputs by number of bits, the most bits first.
    """

    name: str
    errors: Mapping[int, float]


@dataclass(frozen=True)
class Place:
    """Where the bits of an item are judged.

    Attributes:
        cut: the value of the float model that is changed.
        most: the number of bits that changes nothing.
        changes: what any other number of bits makes of the value, most bits first.
    """

    cut: str
    most: int
    changes: Mapping[int, Change]


@dataclass(frozen=True)
class Product:
    """A product, and the items that set the bits of its sides.

    Attributes:
        multiplications: those that take as long.
        activations: what it reads but weights; the most of their bits count, as codes of 16 bits meet others as if they had
            as many. Without any, 8 do.
        weights: of the layer, None if there are none or they have 8 bits.
    """

    multiplications: int
    activations: tuple[str, ...]
    weights: str | None = None

    def operations(self, bits: Mapping[str, int]) -> int:
        """Return the bit operations, where items that `bits` does not name have 8."""
        most = max((bits.get(name, 8) for name in self.activations), default=8)
        return self.multiplications * most * bits.get(self.weights or "", 8)


def choose_bits(
    context: Context,
    model: CanonicalModel,
    pixels: list[Array],
    normalize: Callable[[Array], Array],
    progress: Progress | None = None,
) -> Bits:
    """Return the bits of activations and weights under the recipe's budget.

    Args:
        context: the state before lowering; spreads are selected.
        model: the canonical float model.
        pixels: the calibration images, uint8 [H, W, 3].
        normalize: uint8 [N, H, W, 3] to the model's input.
        progress: called with (items done, items in all).
    """
    assert context.recipe.budget is not None
    budget = float(context.recipe.budget)
    levels, layers, priced = WIDER if context.recipe.widens else NARROWER, context.layers, _products(context)
    places = _activations(context, levels) | (_weights(context) if levels == NARROWER else {})
    images = normalize(np.stack(pixels[:: -(-len(pixels) // JUDGED_IMAGES)]))
    injection = Injection(model, [p.cut for p in places.values()], [layer.input for layer in layers.values()], images)
    items = {}
    for done, (name, place) in enumerate(places.items()):
        errors = injection.errors(place.cut, list(place.changes.values()))
        items[name] = Item(name, {place.most: 0.0} | dict(zip(place.changes, errors, strict=True)))
        if progress:
            progress(done + 1, len(places))
    chosen = spend(items, priced, budget)
    weights = {name: bits for name, bits in chosen.items() if name in layers}
    if context.recipe.weight_bits > 8:
        meet_wide = [p.weights for p in priced if p.weights and any(chosen.get(name) == 16 for name in p.activations)]
        weights |= dict.fromkeys(meet_wide, context.recipe.weight_bits)
    return Bits({name: bits for name, bits in chosen.items() if name not in layers}, weights)


def spend(items: Mapping[str, Item], products: list[Product], budget: float) -> dict[str, int]:
    """Return the bits of every item, so that bit operations are at most `budget` times those of 8 by 8 bits.

    What the last steps down saved too much is given back where it helps most. If even the fewest bits are too many, everything
    has these.
    """
    chosen = {name: next(iter(item.errors)) for name, item in items.items()}
    limit = budget * operations(products, {})
    while operations(products, chosen) > limit and (down := list(_steps(items, products, chosen, down=True))):
        chosen |= min(down, key=lambda step: step.error / max(-step.operations, 1e-9)).choice
    while up := [s for s in _steps(items, products, chosen, down=False) if operations(products, chosen | s.choice) <= limit]:
        chosen |= min(up, key=lambda step: step.error / max(step.operations, 1e-9)).choice
    return chosen


@dataclass(frozen=True)
class Step:
    """One item's next number of bits, and what it adds to the error and to the bit operations."""

    choice: dict[str, int]
    error: float
    operations: int


def _steps(items: Mapping[str, Item], products: list[Product], chosen: dict[str, int], down: bool) -> Iterator[Step]:
    for name, item in items.items():
        bits = chosen[name]
        others = [b for b in item.errors if (b < bits if down else b > bits)]
        if others:
            choice = {name: max(others) if down else min(others)}
            touched = [p for p in products if name in (*p.activations, p.weights)]
            added = operations(touched, chosen | choice) - operations(touched, chosen)
            yield Step(choice, item.errors[choice[name]] - item.errors[bits], added)


def operations(products: list[Product], bits: Mapping[str, int]) -> int:
    """Return the bit operations of products, where items that `bits` does not name have 8."""
    return sum(product.operations(bits) for product in products)


def _products(context: Context) -> list[Product]:
    graph = context.graph
    read = [(use.node.name, site.value) for site in context.sites.values() for use in site.uses if use.node is not None]
    sites = {reader: tuple(value for name, value in read if name == reader) for reader, _ in read}
    linear = [Product(price_of_layer(graph, layer), sites.get(layer.name, ()), layer.name) for layer in context.layers.values()]
    between_activations = [
        Product(of_product(graph, node), (node.inputs[0], *sites.get(node.name, ())))
        for node in products(graph, context.layers)
    ]
    return linear + between_activations


def _activations(context: Context, levels: tuple[int, ...]) -> dict[str, Place]:
    """Return every activation with a choice, by value name."""
    few = [bits for bits in levels if bits <= 8]
    found = {}
    for site in context.sites.values():
        narrower = can_be_wide(context, site) and not _feeds_output(context, site)
        wider = can_be_wide(context, site) or can_be_wide_operand(context, site)
        if narrower if levels == NARROWER else wider:
            found[site.value] = Place(site.value, levels[0], {bits: rounding(context, site, bits) for bits in few})
    for node in context.graph.nodes:
        if levels == WIDER and node.op == "Softmax" and context.family(node) in ("octave", "polynomial"):
            found[node.output] = Place(node.output, levels[0], {8: _softmax_rounding(node.output)})
    return found


def _feeds_output(context: Context, site: Site) -> bool:
    return any(use.node is not None and context.makes_output(context.layers[use.node.name]) for use in site.uses)


def _softmax_rounding(value: str) -> Change:
    def change(seen: dict[str, Array]) -> Array:
        p = seen[value]
        thresholds = np.resize(THRESHOLDS, p.shape[-1]) / (1 << THRESHOLD_BITS)
        e = np.floor(p * (TOP / p.max(-1, keepdims=True)) + thresholds)
        result: Array = e / e.sum(-1, keepdims=True)
        return result

    return change


def _weights(context: Context) -> dict[str, Place]:
    """Return the weights of every layer whose input has codes of its own, but those that make the outputs, by its name."""
    free = [layer for layer in context.layers.values() if not layer.kernel and not context.makes_output(layer)]
    fewer = [bits for bits in NARROWER if bits < 8]
    return {
        layer.name: Place(layer.output, 8, {bits: _weight_rounding(context, layer, bits) for bits in fewer}) for layer in free
    }


def _weight_rounding(context: Context, layer: LinearLayer, bits: int) -> Change:
    """Return what rounding the weights does to a layer's output, without the mean, which the bias takes."""
    codes, steps = round_weights(layer.weight, bits)
    error = codes * steps - layer.weight
    mean = context.layer_rows.of(layer).mean(0) @ error

    def change(seen: dict[str, Array]) -> Array:
        noise = seen[layer.input].astype(np.float64) @ error
        result: Array = seen[layer.output] + noise - mean
        return result

    return change
