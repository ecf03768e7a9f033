"""Mixed precision: what is spent, what an injected error does, and that the lowered model follows the choice."""

from itertools import product
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from intvit import ops
from intvit.errors import InputFileError, UsageError
from intvit.importer import import_onnx
from intvit.ir.check import check_graph
from intvit.quantize import quantize
from intvit.quantize.api import normalizer
from intvit.quantize.budget import Item, Product, spend
from intvit.quantize.float_graph import FloatGraph
from intvit.quantize.float_parts import rest_after
from intvit.quantize.injection import Injection
from intvit.quantize.recipe import find_recipe
from intvit.quantize.weights import largest_code
from intvit.report.choices import bits_lines, chosen_bits
from intvit.verify import Subject, check_agreement, find_executors

EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
PRODUCTS = [Product(100, ("a",), "v"), Product(300, ("b",), "w"), Product(50, ("c", "a")), Product(80, ())]


def images(count, seed):
    return list(np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8))


def cost(chosen):
    most = [max((chosen.get(name, 8) for name in p.activations), default=8) for p in PRODUCTS]
    return sum(p.multiplications * bits * chosen.get(p.weights, 8) for p, bits in zip(PRODUCTS, most, strict=True))


def items(seed, levels, names):
    rng = np.random.default_rng(seed)
    errors = {name: np.cumsum(rng.exponential(size=len(levels)) * 4.0 ** np.arange(len(levels))) for name in names}
    return {name: Item(name, dict(zip(levels, values - values[0], strict=True))) for name, values in errors.items()}


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("levels", "names", "budget"), [((16, 8), "abc", 1.4), ((8, 6, 4), "abcvw", 0.6)])
def test_spending_is_within_the_budget_and_near_the_best(seed, levels, names, budget):
    given = items(seed, levels, names)
    limit = budget * cost({})
    chosen = spend(given, PRODUCTS, budget)
    assert cost(chosen) <= limit
    allowed = [dict(zip(names, bits, strict=True)) for bits in product(levels, repeat=len(names))]
    allowed = [bits for bits in allowed if cost(bits) <= limit]

    def error(bits):
        return sum(given[name].errors[b] for name, b in bits.items())

    ordered = sorted(error(bits) for bits in allowed)
    assert error(chosen) <= ordered[len(ordered) // 4]
    raised = [chosen | {name: min(b for b in levels if b > bits)} for name, bits in chosen.items() if bits < levels[0]]
    assert all(cost(bits) > limit for bits in raised)


def test_an_ample_budget_leaves_the_most_bits_and_a_tiny_one_the_fewest():
    given = items(0, (8, 6, 4), "abcvw")
    assert set(spend(given, PRODUCTS, 1.0).values()) == {8}
    assert set(spend(given, PRODUCTS, 0.01).values()) == {4}


def test_what_hurts_most_for_its_cost_keeps_its_bits():
    given = {name: Item(name, {16: 0.0, 8: error}) for name, error in (("a", 9.0), ("b", 10.0), ("c", 1.0))}
    assert spend(given, PRODUCTS, 1.2) == {"a": 8, "b": 8, "c": 16}
    assert spend(given, PRODUCTS, 1.3) == {"a": 16, "b": 8, "c": 16}, "c costs nothing where it meets a"


def test_an_injected_error_is_that_of_the_changed_model():
    model = import_onnx(EXPORT)
    proto = model.to_proto()
    nodes = {output: node for node in proto.graph.node for output in node.output}
    value = next(output for output, node in nodes.items() if node.op_type == "Gelu")
    from intvit.data.preprocess import Preprocess

    pixels = normalizer(Preprocess.preset("imagenet", 16, 16))(np.stack(images(3, 5)))
    injection = Injection(model, [value], [], pixels)
    same, doubled = injection.errors(value, [lambda seen: seen[value], lambda seen: 2 * seen[value]])
    assert same < 1e-9
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    exact = session.run(None, {session.get_inputs()[0].name: pixels})[0]
    for node in list(proto.graph.node):
        for i, name in enumerate(node.input):
            if name == value:
                node.input[i] = "doubled"
    position = next(i for i, node in enumerate(proto.graph.node) if value in node.output) + 1
    twice = type(proto.graph.node[0])(op_type="Add", name="twice", input=[value, value], output=["doubled"])
    proto.graph.node.insert(position, twice)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    changed = session.run(None, {session.get_inputs()[0].name: pixels})[0]
    assert doubled == pytest.approx(float(((changed - exact) ** 2).sum()), rel=1e-3)
    assert value in rest_after(model.to_proto(), value)[1]


def test_a_larger_budget_gives_16_bits_to_more_sites():
    counts = []
    for budget in (1.0, 1.3, 2.0):
        model = quantize(EXPORT, images(8, 0), budget=budget)
        types = check_graph(model.graph)
        chosen = chosen_bits(model.info.options)["activations"]
        wide = [node for node in model.graph.nodes if isinstance(node.op, ops.Linear | ops.MatMul)
                and types[node.inputs[0]].dtype.bits == 16]  # fmt: skip
        counts.append(sum(bits == 16 for bits in chosen.values()))
        assert bool(wide) == bool(counts[-1])
    assert 0 == counts[0] < counts[1] < counts[2] == len(chosen)


def test_a_smaller_budget_gives_fewer_bits_to_weights_too():
    model = quantize(EXPORT, images(8, 0), budget=0.5)
    bits = chosen_bits(model.info.options)
    assert min(bits["weights"].values()) == 4
    tops = {np.abs(model.graph.constants[n.inputs[1]]).max() for n in model.graph.nodes if isinstance(n.op, ops.Linear)}
    assert tops & {7, 31}
    assert model.info.options["recipe"]["budget"] == "0.5"


@pytest.mark.parametrize(
    ("name", "bits", "says"),
    [
        ("default", {"budget": 0.1}, "no such budget"),
        ("default", {"budget": 2.5}, "no such budget"),
        ("default", {"budget": float("nan")}, "no such budget"),
        ("default", {"budget": 1.2, "act_bits": 6}, "chosen twice"),
        ("i-vit", {"budget": 1.2}, "chosen twice"),
        ("tsptq-vit", {"budget": 1.2}, "chosen twice"),
    ],
)
def test_budgets_that_make_no_sense_are_refused(name, bits, says):
    with pytest.raises(UsageError, match=says):
        find_recipe(name, **bits)


def test_the_choice_is_told():
    assert bits_lines({"activations": {"a": 16, "b": 8, "c": 8}, "weights": {}}) == ["bits of activations: 16 for 1, 8 for 2"]
    assert chosen_bits({}) == {}
    for damaged in ({"bits": 3}, {"bits": {"activations": 4}}, {"bits": {"activations": {"a": "many"}}}):
        with pytest.raises(InputFileError, match="can't be read"):
            chosen_bits(damaged)


def test_an_error_at_the_output_itself_is_judged_too():
    from intvit.data.preprocess import Preprocess

    model = import_onnx(EXPORT)
    (output,) = FloatGraph(model).outputs
    pixels = normalizer(Preprocess.preset("imagenet", 16, 16))(np.stack(images(2, 6)))
    injection = Injection(model, [output], [], pixels)
    same, moved = injection.errors(output, [lambda seen: seen[output], lambda seen: seen[output] + 0.5])
    assert same == 0
    assert moved == pytest.approx(0.25 * 2 * FloatGraph(model).shapes[output][-1])


@pytest.mark.parametrize(("name", "wide"), [("default", 8), ("default", 10), ("accurate", 8), ("accurate", 10), ("tables", 9)])
def test_all_sides_of_products_get_more_bits_together(name, wide):
    model = quantize(EXPORT, images(8, 0), recipe=name, weight_bits=wide, budget=1.6)
    bits, types = chosen_bits(model.info.options), check_graph(model.graph)
    assert set(bits["weights"].values()) == ({wide} if wide > 8 else set())
    for node in model.graph.nodes:
        if isinstance(node.op, ops.Linear) and len(types[node.inputs[0]].shape) < 4:
            codes, weights = (types[name].dtype.bits for name in node.inputs[:2])
            assert (weights == 16) == (codes == 16 and wide > 8)
            assert np.abs(model.graph.constants[node.inputs[1]]).max() == largest_code(wide if codes == 16 else 8)
    sides = {
        tuple(types[name].dtype.bits for name in node.inputs) for node in model.graph.nodes if isinstance(node.op, ops.MatMul)
    }
    assert (16, 16) in sides
    assert check_agreement(
        Subject.of(model), find_executors(["reference", "numba", "onnxruntime", "onnx"]), np.stack(images(2, 9))
    ).ok
