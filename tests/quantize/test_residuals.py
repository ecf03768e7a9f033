"""Residuals: what the weights multiply is what the operator gives, and channels get them where they save most."""

import importlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from intvit import ops
from intvit.data.preprocess import Preprocess
from intvit.importer import import_onnx
from intvit.ir import infer_types
from intvit.quantize import quantize
from intvit.quantize.api import normalizer
from intvit.quantize.calibrate import float_session
from intvit.quantize.input_codes import FINE_CODES, RESIDUAL_BITS, InputCodes
from intvit.quantize.ranges import encode
from intvit.quantize.recipe import find_recipe
from intvit.quantize.residuals import Group, can_have_residuals, taken_groups
from intvit.report.macs import macs
from intvit.runtime.engine import Engine
from intvit.runtime.reference import run_reference

EXPORT = Path(__file__).parent.parent / "data" / "exports" / "timm_torchscript17.onnx"
STEP = 1 << RESIDUAL_BITS


def images(count, seed):
    return list(np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), np.uint8))


@pytest.mark.parametrize("residuals", [[], [3], [0, 2, 5]])
def test_units_are_what_the_operator_gives_and_keep_the_real_values(residuals):
    rng = np.random.default_rng(0)
    scale, zero_point = rng.uniform(0.01, 0.1, 6), rng.integers(0, 256, 6) * float(STEP)
    source = InputCodes(scale, zero_point, FINE_CODES, np.array(residuals, np.int64))
    real, weight = rng.normal(size=(500, 6)) * 20, rng.normal(size=(6, 4))
    fine = encode(real, scale, zero_point, source.codes)
    units = source.units(real)
    if residuals:
        op = ops.AppendResiduals(bits=RESIDUAL_BITS, channels=tuple(residuals))
        codes = op.reference(fine.astype(np.int16))[0].astype(np.float64)
        np.testing.assert_array_equal(units, codes - source.zero_points)
        written = (codes[:, :6] - zero_point / STEP) * STEP
        written[:, residuals] += codes[:, 6:] - STEP // 2
        np.testing.assert_array_equal(written[:, residuals], (fine - zero_point)[:, residuals])
    else:
        written = fine - zero_point
        np.testing.assert_array_equal(units, written)
    np.testing.assert_allclose(units @ source.folded(weight), written * scale @ weight, rtol=1e-9, atol=1e-9)


GROUPS = [
    Group("b", np.array([0]), saved=8.0, cost=100),
    Group("a", np.array([1, 5]), saved=2.0, cost=10),
    Group("a", np.array([4, 6]), saved=9.0, cost=10),
    Group("b", np.array([1]), saved=1.0, cost=100),
]


@pytest.mark.parametrize(
    ("share", "taken"),
    [(0.004, {}), (0.01, {"a": [1, 4, 5, 6]}), (0.055, {"a": [1, 4, 5, 6]}), (0.06, {"a": [1, 4, 5, 6], "b": [0]})],
)
def test_groups_that_save_most_for_their_cost_are_taken_within_the_share(share, taken):
    assert {site: channels.tolist() for site, channels in taken_groups(GROUPS, 2000, share).items()} == taken


@pytest.mark.parametrize(("multiplications", "count"), [(9000, 4), (2000, 3), (900, 2), (90, 1), (80, 0)])
def test_groups_that_save_too_little_are_left(multiplications, count):
    taken = taken_groups(GROUPS, multiplications, 100.0)
    chosen = [group for group in GROUPS if set(group.channels) <= set(taken.get(group.site, ()))]
    assert len(chosen) == count


def convert(share, name="default", **bits):
    recipe = replace(find_recipe(name, **bits), residual_share=share)
    return quantize(EXPORT, images(8, 0), recipe=recipe)


def sqnr_db(want, got):
    return 10 * np.log10((want.astype(np.float64) ** 2).sum() / ((want - got) ** 2).sum())


@pytest.fixture
def all_are_worth_it(monkeypatch):
    monkeypatch.setattr(importlib.import_module("intvit.quantize.residuals"), "WORTH", 0.0)


def residuals(model):
    return [node for node in model.graph.nodes if isinstance(node.op, ops.AppendResiduals)]


@pytest.mark.usefixtures("all_are_worth_it")
def test_residuals_bring_the_logits_nearer_to_the_float_ones_within_their_share():
    canonical = import_onnx(EXPORT)
    session, pixels = float_session(canonical), np.stack(images(8, 0))
    normalize = normalizer(Preprocess.preset("imagenet", 16, 16))
    (exact,) = session.run(None, {session.get_inputs()[0].name: normalize(pixels)})
    without, some, most = (convert(share) for share in (0.0, 0.1, 1.0))
    assert [len(residuals(model)) > 0 for model in (without, some, most)] == [False, True, True]
    work = [macs(model.graph, infer_types(model.graph)) for model in (without, some, most)]
    assert work[0] < work[1] <= 1.1 * work[0] < work[2] < 2 * work[0]
    ratios = []
    for model in (without, some, most):
        ((name, codes),) = Engine(model.graph, threads=2).run({"pixels": pixels}).items()
        ratios.append(sqnr_db(exact, codes * float(model.info.output_scales[name])))
    assert ratios[2] > ratios[0] + 0.2


@pytest.mark.parametrize(("name", "bits"), [("default", {"weight_bits": 4}), ("default", {"act_bits": 6}), ("minmax", {})])
def test_with_fewer_bits_only_what_makes_the_outputs_has_them(name, bits):
    model = quantize(EXPORT, images(8, 0), recipe=name, **bits)
    for node in residuals(model):
        readers = [other for other in model.graph.nodes if node.outputs[0] in other.inputs]
        assert {name for reader in readers for name in reader.outputs} <= set(model.graph.outputs)


@pytest.mark.usefixtures("all_are_worth_it")
def test_all_layers_that_read_a_value_share_its_residuals():
    sources = [node.inputs[0] for node in residuals(convert(1.0))]
    assert len(sources) == len(set(sources)) > 4


OTHERS = ["chunk_gap_torchscript17", "index_distilled_torchscript17", "sequence_first_torchscript17", "written_torchscript17"]


@pytest.mark.parametrize("step", [1, 3])
@pytest.mark.parametrize("name", OTHERS)
def test_residuals_of_some_channels_or_all_leave_other_models_faithful(name, step, monkeypatch):
    def every(context, *_):
        sites = [site for site in context.sites.values() if can_have_residuals(context, site)]
        return {site.value: np.arange(0, site.channels, step) for site in sites}

    monkeypatch.setattr(importlib.import_module("intvit.quantize.api"), "choose_residuals", every)
    canonical = import_onnx(EXPORT.with_name(f"{name}.onnx"))
    size = int(canonical.model.graph.inputs[0].shape[2])
    seen = list(np.random.default_rng(0).integers(0, 256, (8, size, size, 3), np.uint8))
    model = quantize(canonical, seen)
    assert len(residuals(model)) > 4
    session, pixels = float_session(canonical), np.stack(seen)
    feed = {session.get_inputs()[0].name: normalizer(Preprocess.preset("imagenet", size, size))(pixels)}
    got, reference = Engine(model.graph).run({"pixels": pixels}), run_reference(model.graph, {"pixels": pixels})
    for output, want in zip(model.graph.outputs, session.run(list(model.graph.outputs), feed), strict=True):
        np.testing.assert_array_equal(got[output], reference[output])
        assert sqnr_db(want, got[output] * float(model.info.output_scales[output])) > 25
