"""Write the golden digests: PYTHONPATH=tests python tests/golden/generate.py

Run it only when the bits are meant to change, and say in the changelog why they did.
"""

import json
from pathlib import Path

from helpers.attention import attention_graph, attention_inputs
from ops.cases import GENERATORS

import intvit
from intvit.io import FORMAT_VERSION
from intvit.io.digest import digest_all
from intvit.runtime.reference import run_reference, trace_reference

FILE = Path(__file__).parent / "digests.json"


def digests():
    """Return the digest of the first case of each operator and of each node of the attention model."""
    operators = {}
    for kind, generator in GENERATORS.items():
        case = next(generator())
        values = {"input": digest_all(case.inputs), "constants": digest_all(case.graph.constants)}
        operators[kind] = {"case": case.name, **values, "output": digest_all(run_reference(case.graph, case.inputs))}
    graph, inputs = attention_graph(), attention_inputs(2)
    nodes = {node.name: digest_all(outputs) for node, outputs in trace_reference(graph, inputs)}
    return {
        "operators": operators,
        "attention": {
            "input": digest_all(inputs),
            "constants": digest_all(graph.constants),
            "nodes": nodes,
        },
    }


def main():
    made_by = {"generator": "tests/golden/generate.py", "intvit": intvit.__version__, "format": FORMAT_VERSION}
    FILE.write_text(json.dumps({"made_by": made_by, **digests()}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
