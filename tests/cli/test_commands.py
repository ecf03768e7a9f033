"""Every command does what it promises on the digits model."""

import subprocess
import sys

from cli_fixtures import (
    CALIBRATION,
    FLOAT,
    MODELS,
    ROOT,
    SAMPLES,
    intvit,
    quantize_arguments,
    succeed,
    succeed_json,
    write_labels,
)

SAMPLE = SAMPLES / "digit_3_2.png"


def test_quantize_prints_a_summary_and_the_next_command(tmp_path):
    output = tmp_path / "out.onnx"
    done = intvit(*quantize_arguments(output))
    assert done.returncode == 0, done.stderr
    assert f"wrote {output}" in done.stdout
    assert f"next: intvit verify {output}" in done.stdout
    assert "calibrate: done" in done.stderr
    assert "warning: no --preprocess" not in done.stderr


def test_quantize_is_reproducible(tmp_path, model):
    result = succeed_json(*quantize_arguments(tmp_path / "out.onnx"), "--labels", MODELS / "digits_classes.txt")
    assert (tmp_path / "out.onnx").read_bytes() == model.read_bytes()
    assert result["calibration_images"] == 8
    assert result["integer_bytes"] == model.stat().st_size
    assert result["lowest_sqnr"][0]["sqnr_db"] > 10
    assert {"model", "recipe", "float_bytes", "seconds", "warnings"} <= result.keys()


def test_quantize_and_inspect_show_what_the_metric_chose(tmp_path):
    output = tmp_path / "out.onnx"
    text = succeed(*quantize_arguments(output), "--recipe", "iptq-vit")
    choices = succeed_json("inspect", output)["choices"]
    assert {choice["op"] for choice in choices} == {"Gelu", "Softmax"}
    shown = succeed("inspect", output)
    for choice in choices:
        omegas = {family: float(figures["omega"]) for family, figures in choice["candidates"].items()}
        assert choice["family"] == max(omegas, key=omegas.get)
        for printed in (text, shown):
            (line,) = (line for line in printed.splitlines() if line.startswith(f"{choice['node']} "))
            assert line.split()[1:3] == [choice["op"], choice["family"]]
            assert all(f"{family} {figures['omega']} (" in line for family, figures in choice["candidates"].items())
    assert succeed_json(*quantize_arguments(tmp_path / "again.onnx"), "--recipe", "iptq-vit")["choices"] == choices
    assert (tmp_path / "again.onnx").read_bytes() == output.read_bytes()


def test_a_recipe_that_names_its_approximations_leaves_no_choices(model):
    assert succeed_json("inspect", model)["choices"] == []


def test_quantize_says_which_preprocessing_it_takes(tmp_path):
    arguments = ("quantize", FLOAT, "--calib", CALIBRATION, "--calib-images", 4, "-o", tmp_path / "out.onnx")
    done = intvit(*arguments, "--recipe", "minmax")
    assert done.returncode == 0, done.stderr
    assert "warning: no --preprocess given, taking 'imagenet': short side 37 bicubic" in done.stderr


def test_run(model):
    text = succeed("run", model, SAMPLE, SAMPLES / "digit_7_0.png", "--top", 2)
    lines = text.splitlines()
    assert lines[0] == str(SAMPLE)
    assert lines[1].split()[:2] == ["3", "3"]
    assert lines[3].endswith("digit_7_0.png")
    assert lines[4].split()[:2] == ["7", "7"]


def test_run_json(model):
    images = succeed_json("run", model, *sorted(SAMPLES.glob("*.png")), "--threads", 2)["images"]
    assert [image["top"][0]["label"] for image in images] == list("0123456789")
    best, second, *rest = images[0]["top"]
    assert len(rest) == 3
    assert best["behind"] == 0 < second["behind"]
    assert isinstance(best["logit"], int)
    assert best["logit"] > second["logit"]


def test_eval(model, tmp_path):
    labels = write_labels(tmp_path / "labels.csv")
    text = succeed("eval", model, "--images", SAMPLES, "--labels", labels)
    assert "top-1              100.00 %" in text
    assert "float" not in text


def test_eval_json(model, tmp_path):
    labels = write_labels(tmp_path / "labels.csv")
    result = succeed_json("eval", model, "--images", SAMPLES, "--labels", labels, "--float", FLOAT)
    assert result["images"] == 10
    assert result["top1"] == result["top5"] == result["float_top1"] == result["agreement"] == 1
    assert result["logit_sqnr_db"] > 25
    assert result["images_per_second"] > 0
    alone = succeed_json("eval", model, "--images", SAMPLES, "--labels", labels, "--limit", 3)
    assert alone["images"] == 3
    assert alone["float_top1"] is alone["agreement"] is alone["logit_sqnr_db"] is None


def test_compare(model, tmp_path):
    page = tmp_path / "page.html"
    text = succeed("compare", FLOAT, model, "--images", SAMPLES, "--limit", 2, "--html", page)
    assert text.count("<- worst") == 1
    assert "/head/Gemm" in text
    assert "<tr class=worst>" in page.read_text()
    result = succeed_json("compare", FLOAT, model, "--images", SAMPLES, "--limit", 2)
    assert result["images"] == 2
    nodes = {node["node"]: node for node in result["nodes"]}
    assert result["worst"] == min(nodes.values(), key=lambda node: node["sqnr_db"])["node"]
    assert all(node["sqnr_db"] > 20 for node in nodes.values())
    assert nodes["/head/Gemm"]["source"] == "logits"
    assert 0 <= nodes["/head/Gemm"]["saturated"] <= 1


def test_verify(model):
    text = succeed("verify", model)
    assert text.endswith("verified\n")
    assert "FAILED" not in text


def test_verify_json(model):
    result = succeed_json("verify", model, "--images", SAMPLES, "--limit", 2, "--with", "reference,numba,onnxruntime,onnx")
    assert result["ok"] is result["float_free"] is result["overflow_free"] is result["known_answer"] is True
    assert list(result["executors"]) == ["reference", "numba", "onnxruntime", "onnx"]
    assert len(set(result["executors"].values())) == 1
    assert result["images"] == 2
    assert result["tightest"]
    assert result["problems"] == []


def test_inspect(model):
    assert "recipe default" in succeed("inspect", model)
    result = succeed_json("inspect", model, "--nodes")
    assert result["inputs"] == [{"name": "pixels", "shape": ["N", 32, 32, 3], "type": "tensor(uint8)"}]
    assert result["outputs"] == [{"name": "logits", "shape": ["N", 10], "type": "tensor(int32)"}]
    assert result["labels"] == list("0123456789")
    assert result["preprocess"]["mean"] == ["0.5", "0.5", "0.5"]
    assert result["operators"]["Linear"] >= 14
    assert sum(result["operators"].values()) + 2 == len(result["nodes"])
    assert result["file_bytes"] == model.stat().st_size
    assert 4_000_000 < result["macs"] < 7_000_000
    assert result["arena_bytes"] > 0
    assert any(line.startswith("/head/Gemm: Linear") for line in result["nodes"])


def test_weights_of_four_bits_take_half_the_file(model, tmp_path):
    path = tmp_path / "four_bits.onnx"
    succeed(*quantize_arguments(path), "--recipe", "minmax", "--weight-bits", 4)
    result = succeed_json("inspect", path)
    weights = result["four_bit_constants"]
    assert 0.8 < weights / result["constants"] < 1
    assert f", {weights:,} of them weights of at most 4 bits" in succeed("inspect", path)
    assert succeed_json("inspect", model)["four_bit_constants"] == 0
    assert model.stat().st_size - path.stat().st_size > 0.45 * weights
    verified = succeed_json("verify", path, "--with", "reference,numba,onnxruntime,onnx")
    assert verified["ok"] and len(verified["executors"]) == 4
    compared = succeed_json("compare", FLOAT, path, "--images", SAMPLES, "--limit", 2)
    assert all(node["sqnr_db"] > 5 for node in compared["nodes"])


def test_coverage():
    assert "nodes are supported" in succeed("coverage", FLOAT)
    result = succeed_json("coverage", FLOAT)
    assert result["supported"] is True
    assert result["unsupported"] == []
    assert result["rules"]["gelu_erf"] == 3
    assert result["input"] == {"height": 32, "width": 32}


def test_doctor():
    assert "SIMD level" in succeed("doctor")
    result = succeed_json("doctor")
    assert result["versions"]["intvit"] == "0.1.0"
    assert result["simd"]["level"] in result["simd"]["supported"]
    assert result["extras"]["quantize"] is True
    assert result["limits"]["image"]["side"] == 16384


def test_doctor_reports_a_bad_environment():
    result = succeed_json("doctor", env={"INTVIT_SIMD": "mmx", "INTVIT_CACHE_DIR": "/proc/nowhere"})
    assert result["simd"]["level"] is None
    assert len(result["problems"]) == 2


def test_version_and_help():
    assert succeed("--version") == "intvit 0.1.0\n"
    text = succeed("--help")
    assert "--json" in succeed("run", "--help")
    for name in ("quantize", "run", "eval", "compare", "verify", "inspect", "coverage", "doctor"):
        assert f"    {name} " in text


def test_a_closed_pipe_is_no_error(model):
    command = [sys.executable, "-m", "intvit", "inspect", str(model), "--nodes"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT)
    process.stdout.close()
    stderr = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 141
    assert stderr == b""


def test_labels_that_the_terminal_can_not_show(model):
    env = {"PYTHONIOENCODING": "ascii"}
    done = intvit("run", model, SAMPLES / "nicht da ü.png", env=env)
    assert done.returncode == 3
    assert "\\xfc" in done.stderr
