"""`intvit bench` on the digits model; nothing here asserts a time."""

import json
import subprocess
import sys

import pytest
from cli_fixtures import FLOAT, MODELS, ROOT, SAMPLES, fail, intvit, succeed, succeed_json

from intvit.report.environment import core_count

INTEGER = MODELS / "digits_vit.int8.onnx"
WITHOUT_PEERS = (
    "import sys\n"
    "for name in ('openvino', 'nncf', 'matplotlib'):\n    sys.modules[name] = None\n"
    "from intvit.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
)


def test_alone():
    result = succeed_json("bench", INTEGER, "--rounds", 2)
    (row,) = result["results"]
    assert (row["engine"], row["threads"], row["batch"], row["rounds"]) == ("intvit", 1, 1, 2)
    assert 0 < row["low_ms"] <= row["median_ms"] <= row["high_ms"]
    assert row["per_image_ms"] == row["median_ms"]
    assert result["ratios"] == result["skipped"] == result["scaling"] == result["machine"] == []
    assert result["macs"]["float"] is result["startup"] is result["profile"] is None
    assert result["macs"]["integer"] > 4_000_000
    assert 100_000 < result["weights_bytes"] < 1_000_000
    assert result["limits"][0]["gmacs_per_second"] > 0


def test_beside_peers(tmp_path):
    line = ("bench", INTEGER, "--float", FLOAT, "--peers", "onnxruntime", "--calib", SAMPLES, "--rounds", 2)
    result = succeed_json(*line, "--batch", "1,3", "--threads", 2, "--work", tmp_path / "work")
    engines = ["intvit", "onnxruntime-qdq", "onnxruntime-dynamic", "onnxruntime-fp32"]
    assert [row["engine"] for row in result["engines"]] == engines
    assert [(row["engine"], row["threads"], row["batch"]) for row in result["results"]] == [
        (engine, 2, batch) for batch in (1, 3) for engine in engines
    ]
    assert [row["engine"] for row in result["ratios"]] == 2 * engines[1:]
    medians = {(row["engine"], row["batch"]): row["median_ms"] for row in result["results"]}
    for row in result["ratios"]:
        assert row["ratio"] == pytest.approx(medians[row["engine"], row["batch"]] / medians["intvit", row["batch"]])
    assert [(row["batch"], row["base_batch"]) for row in result["scaling"]] == [(3, 1)]
    assert [row["threads"] for row in result["machine"]] == [2]
    assert result["macs"]["float"] > result["macs"]["integer"]
    kept = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "work").iterdir())
    assert kept == ["onnxruntime-dynamic", "onnxruntime-qdq"]


def test_text_chart_and_profile(tmp_path):
    pytest.importorskip("matplotlib", reason="charts need matplotlib")
    chart = tmp_path / "chart.svg"
    text = succeed("bench", INTEGER, "--rounds", 1, "--chart", chart, "--profile")
    for part in ("1 thread, batch 1; 1 round; integer limit", "intvit int8", "GMAC/s", "LayerNorm"):
        assert part in text, text
    assert b"digits_vit.int8" in chart.read_bytes()


def test_more_threads_than_cores_are_warned_of():
    done = intvit("bench", INTEGER, "--rounds", 1, "--threads", core_count() + 1)
    assert done.returncode == 0, done.stderr
    assert "their times tell little" in done.stderr


def test_missing_peers_are_named_and_left_out():
    line = ["bench", INTEGER, "--float", FLOAT, "--peers", "openvino,onnxruntime-fp32", "--rounds", "1", "--json"]
    command = [sys.executable, "-c", WITHOUT_PEERS, *map(str, line)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [row["engine"] for row in result["engines"]] == ["intvit", "onnxruntime-fp32"]
    assert result["skipped"] == [
        {"engine": "openvino-int8", "reason": "not installed: pip install openvino nncf"},
        {"engine": "openvino-fp32", "reason": "not installed: pip install openvino"},
    ]
    assert "warning: openvino-fp32: not installed: pip install openvino" in done.stderr


def test_a_chart_without_matplotlib_is_refused_at_once(tmp_path):
    command = [sys.executable, "-c", WITHOUT_PEERS, "bench", str(INTEGER), "--chart", str(tmp_path / "chart.svg")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert "intvit[bench]" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--peers", "onnxruntime"), "give it by --float"),
        (("--peers", "tensorrt"), "no such peer"),
        (("--threads", "1,0"), "'0' is not a whole number"),
        (("--batch", ""), "is not a whole number"),
        (("--rounds", "-1"), "is not a whole number"),
        (("--chart", "chart.jpg"), ".svg or .png"),
        (("--chart", "nowhere/chart.svg"), "nowhere"),
        (("--float", INTEGER), "this is an integer model already"),
        (("--float", "nowhere.onnx"), "no such file"),
        (("--float", FLOAT, "--calib", "nowhere"), "no such folder"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_bad_arguments(arguments, says):
    done = intvit("bench", INTEGER, *arguments)
    fail(done.returncode, "bench", INTEGER, *arguments, says=says)
    assert done.returncode in (2, 3, 4)


def test_a_float_model_of_another_size(tmp_path):
    import onnx

    proto = onnx.load(FLOAT)
    proto.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 0
    proto.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(proto, tmp_path / "other.onnx")
    fail(4, "bench", INTEGER, "--float", tmp_path / "other.onnx", says="height")


def test_a_float_model_in_place_of_the_integer_model():
    fail(3, "bench", FLOAT)
