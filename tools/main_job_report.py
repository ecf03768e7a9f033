"""Measure the main job and write docs/results/main_job.md, and the README's table from it.

    python tools/main_job_report.py --data DATA     (DATA holds models/ and imagenet/; about ten minutes on two cores)

Needs `pip install 'intvit[dev]'`. Everything goes through the `intvit` command, as a user would; speed is measured in this
process, interleaved with ONNX Runtime fp32.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from report_head import report_head

REPOSITORY = Path(__file__).resolve().parent.parent
OUTPUT = REPOSITORY / "docs" / "results" / "main_job.md"
ROUNDS = 60


@dataclass
class Command:
    """A finished `intvit` command: its JSON, seconds and exit status."""

    result: dict[str, Any]
    seconds: float
    status: int


def intvit(*arguments: str | Path, cwd: Path | None = None) -> Command:
    """Run `intvit ARGUMENTS --json` in a process of its own."""
    start = time.perf_counter()
    line = [sys.executable, "-m", "intvit", *map(str, arguments), "--json"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=cwd)
    seconds = time.perf_counter() - start
    if not done.stdout.strip():
        raise SystemExit(f"{' '.join(line)} printed no JSON:\n{done.stderr}")
    return Command(json.loads(done.stdout), seconds, done.returncode)


def quantize_twice(float_model: Path, calibration: Path, folder: Path) -> tuple[Path, list[str]]:
    """Quantize in two processes and two folders; report time, memory and whether the bytes are equal."""
    paths, seconds = [], []
    for name in ("first", "second"):
        place = folder / name
        place.mkdir()
        done = intvit("quantize", float_model, "--calib", calibration, "-o", "deit.int8.onnx", cwd=place)
        if done.status:
            raise SystemExit(str(done.result))
        paths.append(place / "deit.int8.onnx")
        seconds.append(done.seconds)
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    same = paths[0].read_bytes() == paths[1].read_bytes()
    size, before = paths[0].stat().st_size / 1e6, float_model.stat().st_size / 1e6
    return paths[0], [
        f"| quantize with 128 images, whole process | {max(seconds):.0f} s | under 180 s |",
        f"| peak memory of it | {memory:.2f} GB | under 4 GB |",
        f"| converted twice, other process and folder | {'same bytes' if same else 'DIFFERENT'} | same bytes |",
        f"| file size, integer / float | {size:.1f} / {before:.1f} MB | |",
    ]


def accuracy_rows(model: Path, float_model: Path, images: Path, labels: Path) -> list[str]:
    """Evaluate integer against float on labelled images."""
    r = intvit("eval", model, "--images", images, "--labels", labels, "--float", float_model, "--threads", "2").result
    percent = {key: 100 * r[key] for key in ("float_top1", "top1", "top5", "agreement")}
    drop = percent["float_top1"] - percent["top1"]
    return [
        f"| images | {r['images']} | |",
        f"| float top-1 (ONNX Runtime fp32) | {percent['float_top1']:.2f} % | |",
        f"| integer top-1 | {percent['top1']:.2f} % | |",
        f"| drop | {drop:.2f} points | at most 0.5 |",
        f"| integer top-5 | {percent['top5']:.2f} % | |",
        f"| per-image top-1 agreement | {percent['agreement']:.2f} % | at least 98 % |",
        f"| logit SQNR | {r['logit_sqnr_db']:.2f} dB | at least 20.5 dB |",
    ]


def exactness_rows(model: Path, images: Path) -> list[str]:
    """Compare executors on real images."""
    three = intvit("verify", model, "--images", images, "--limit", "8", "--with", "reference,numba,onnxruntime")
    four = intvit("verify", model, "--images", images, "--limit", "1", "--with", "reference,numba,onnxruntime,onnx")
    rows = []
    for done, count in ((three, 8), (four, 1)):
        digests = done.result["executors"]
        equal = "identical" if len(set(digests.values())) == 1 else "DIFFERENT"
        rows.append(f"| {', '.join(digests)} on {count} real image{'s' * (count > 1)} | {equal} | identical |")
    rows.append(f"| every node integer | {four.result['float_free']} | True |")
    rows.append(f"| nothing can overflow, for any input | {four.result['overflow_free']} | True |")
    rows.append(f"| `intvit verify` exit status | {max(three.status, four.status)} | 0 |")
    return rows


def speed_rows(model: Path, float_model: Path) -> list[str]:
    """Time batch 1 on one thread, interleaved with ONNX Runtime fp32."""
    import onnxruntime

    import intvit as package

    session = package.Session(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    peer = onnxruntime.InferenceSession(float_model, options, providers=["CPUExecutionProvider"])
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    name = peer.get_inputs()[0].name
    image = pixels.transpose(0, 3, 1, 2).astype(np.float32)
    times: dict[str, list[float]] = {"intvit": [], "onnxruntime fp32": []}
    for _ in range(ROUNDS):
        runs = {"intvit": lambda: session.run(pixels), "onnxruntime fp32": lambda: peer.run(None, {name: image})}
        for key, run in runs.items():
            start = time.perf_counter()
            run()
            times[key].append(1000 * (time.perf_counter() - start))
    median = {key: float(np.median(values[5:])) for key, values in times.items()}
    ratio = median["onnxruntime fp32"] / median["intvit"]
    return [f"| {key}, batch 1, one thread | {value:.2f} ms | |" for key, value in median.items()] + [
        f"| faster than ONNX Runtime fp32 | {ratio:.2f} x | clearly |"
    ]


def family_rows(folder: Path, float_model: Path, imagenet: Path, default: Path) -> list[str]:
    """Compare polynomials and tables for softmax and GELU: accuracy, and latency interleaved."""
    import intvit as package

    tables = folder / "tables.onnx"
    intvit("quantize", float_model, "--calib", imagenet / "calib", "--recipe", "tables", "-o", tables)
    models = {"small tables (`default`)": default, "tables (`tables`)": tables}
    sessions = {name: package.Session(path) for name, path in models.items()}
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), np.uint8)
    times: dict[str, list[float]] = {name: [] for name in models}
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            start = time.perf_counter()
            session.run(pixels)
            times[name].append(1000 * (time.perf_counter() - start))
    labels = imagenet / "val_labels.csv"
    rows = []
    for name, path in models.items():
        r = intvit("eval", path, "--images", imagenet / "val", "--labels", labels, "--float", float_model).result
        accuracy = f"{r['logit_sqnr_db']:.2f} dB, {100 * r['agreement']:.2f} % agreement"
        rows.append(f"| {name} | {accuracy}, {np.median(times[name][5:]):.2f} ms | |")
    return rows


def digits_rows(folder: Path) -> list[str]:
    """Evaluate the shipped model on the digits held back from its training, and time its first answer."""
    from digits_data import write_held_back

    images, labels = write_held_back(folder / "digits")
    models = REPOSITORY / "models"
    integer = models / "digits_vit.int8.onnx"
    sample = sorted((models / "samples").glob("*.png"))[0]
    intvit("run", integer, sample)
    answers = [intvit("run", integer, sample).seconds for _ in range(5)]
    rows = accuracy_rows(integer, models / "digits_vit.onnx", images, labels)
    return [*rows, f"| `intvit run` on one image, kernels cached, whole process | {np.median(answers):.2f} s | at most 2 s |"]


def section(title: str, rows: list[str]) -> str:
    """Return one table of the report."""
    return f"## {title}\n\n| what | measured | wanted |\n|---|---|---|\n" + "\n".join(rows) + "\n"


def update_readme(parts: list[str]) -> None:
    """Put the rows that matter most between the markers of the README."""
    wanted = ("top-1 (", "integer top-1", "| drop", "agreement", "SQNR", "quantize with", "real image", "faster than")
    rows = [row for part in parts[3:-2] for row in part.splitlines() if any(w in row for w in wanted)]
    title = "DeiT-Tiny, 650 ImageNet validation images, calibrated on 128 others:"
    table = f"{title}\n\n| what | measured | wanted |\n|---|---|---|\n"
    readme = REPOSITORY / "README.md"
    head, rest = readme.read_text().split("<!-- main_job -->\n")
    tail = rest.split("<!-- /main_job -->")[1]
    readme.write_text(head + "<!-- main_job -->\n" + table + "\n".join(rows) + "\n<!-- /main_job -->" + tail)


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    data: Path = parser.parse_args().data.resolve()
    float_model = data / "models" / "deit_tiny_patch16_224.onnx"
    val, labels = data / "imagenet" / "val", data / "imagenet" / "val_labels.csv"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, conversion = quantize_twice(float_model, data / "imagenet" / "calib", folder)
        parts = [
            "# The main job, measured\n",
            report_head("python tools/main_job_report.py --data DATA"),
            "DeiT-Tiny, calibrated on 128 images, evaluated on a subset of 650 images of the ImageNet validation set, which\n"
            "is easier than the whole (72.2 % float top-1 there): compare differences, not levels.\n",
            section("Accuracy of DeiT-Tiny", accuracy_rows(model, float_model, val, labels)),
            section("Conversion", conversion),
            section("Exactness", exactness_rows(model, val)),
            section("Speed", speed_rows(model, float_model)),
            section("Softmax and GELU families", family_rows(folder, float_model, data / "imagenet", model)),
            section("The shipped digits model, on 360 digits held back from its training", digits_rows(folder)),
        ]
    OUTPUT.write_text("\n".join(parts))
    update_readme(parts)
    print(OUTPUT.read_text())


if __name__ == "__main__":
    main()
