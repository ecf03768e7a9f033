"""One case on the digits model: the own engine must work, a peer may fail."""

import pytest
from bench.bench_fixtures import FLOAT, IMAGES, INTEGER, PIXELS

from intvit.bench.case import Case, time_case
from intvit.bench.engines import OWN, find_engine
from intvit.bench.inputs import Inputs
from intvit.bench.interleave import Effort
from intvit.bench.memory import peak_bytes
from intvit.errors import CheckFailed, InputFileError

INPUTS = Inputs(PIXELS, IMAGES)
PEER = find_engine("onnxruntime-fp32")


def test_all_engines_and_the_limit_are_timed(tmp_path):
    models = {OWN: INTEGER, PEER: FLOAT, find_engine("onnxruntime-qdq"): tmp_path / "missing.onnx"}
    times = time_case(models, Case(1, 2), INPUTS, Effort(rounds=2))
    assert {name: len(values) for name, values in times.seconds.items()} == {"intvit": 2, "onnxruntime-fp32": 2}
    assert all(value > 0 for values in times.seconds.values() for value in values)
    assert {name: len(rates) for name, rates in times.limit.items()} == {"intvit": 2, "onnxruntime-fp32": 2}
    assert all(rate > 0 for rates in times.limit.values() for rate in rates)
    assert 0 < times.core_share <= 1
    assert list(times.failures) == ["onnxruntime-qdq"]
    assert "missing.onnx" in times.failures["onnxruntime-qdq"]


def test_the_own_engine_must_work(tmp_path):
    with pytest.raises(InputFileError):
        time_case({OWN: tmp_path / "missing.onnx", PEER: FLOAT}, Case(1, 1), INPUTS, Effort(rounds=1))


@pytest.mark.parametrize(("engine", "model"), [(OWN, INTEGER), (PEER, FLOAT)], ids=["intvit", "onnxruntime"])
def test_peak_memory(engine, model):
    peak = peak_bytes(engine, model, 1, 1, (32, 32))
    assert peak is None or model.stat().st_size < peak < 1 << 30


def test_peak_memory_of_a_process_that_fails(tmp_path):
    with pytest.raises(CheckFailed, match="no such file"):
        peak_bytes(OWN, tmp_path / "missing.onnx", 1, 1, (32, 32))
