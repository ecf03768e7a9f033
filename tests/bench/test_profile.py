"""The profile names every product of the model."""

from bench.bench_fixtures import INTEGER, PIXELS

from intvit.bench.profile import profile_model
from intvit.io import load_model
from intvit.ir import check_graph
from intvit.report.macs import macs


def test_all_products_are_in_the_profile():
    model = load_model(str(INTEGER))
    nodes = profile_model(model, PIXELS[:1], repeats=2)
    assert sum(node.macs for node in nodes) == macs(model.graph, check_graph(model.graph))
    assert all(node.seconds > 0 for node in nodes)
    assert {"Linear", "LayerNorm"} <= {kind for node in nodes for kind in node.kind.split("+")}
