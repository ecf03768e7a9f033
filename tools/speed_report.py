"""Measure speed and memory beside other engines; write docs/results/speed.md, its chart, and the README's table from it.

    python tools/speed_report.py --data DATA --models deit_small.onnx deit_base.onnx --work WORK

DATA holds models/deit_tiny_patch16_224.onnx and imagenet/calib. Small and Base may have random weights, which are as fast as
trained ones:

    model = timm.create_model("deit_small_patch16_224", pretrained=False).eval()   # likewise deit_base_patch16_224
    torch.onnx.export(model, torch.zeros(1, 3, 224, 224), "deit_small.onnx", opset_version=17, dynamo=False,
                      input_names=["input"], output_names=["logits"], dynamic_axes={"input": {0: "n"}, "logits": {0: "n"}})

Needs `pip install 'intvit[bench]'`, and half an hour on two idle cores. Everything goes through the `intvit` command. WORK
keeps each part's result, so that an interrupted report goes on where it was; a part is measured again once anything that it
depends on has changed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import CONVERTERS, REPOSITORY, RESULTS, digest, intvit, kept, sources
from report_head import report_head
from speed_tables import MODELS, Measured, readme_rows, report_sections

REPORT = RESULTS / "speed.md"
CALIBRATION_IMAGES = 8
THREADS, BATCHES = (1, 2), (1, 8)
ROUNDS = 25
"""Rounds, whatever they take, of one image on one thread and of what threads and batches bring, which count most."""
PEERS = ("openvino", "nncf", "onnxruntime")


@dataclass(frozen=True)
class Lab:
    """Where things are, and how long to measure.

    Attributes:
        work: the folder that keeps what was made.
        calibration: a folder of images.
        seconds: time for the rounds of each case.
    """

    work: Path
    calibration: Path
    seconds: int

    def quantized(self, name: str, float_model: Path) -> Path:
        """Return the integer model of a float model, made if need be."""
        key = digest([float_model, *sources(*CONVERTERS)], str(CALIBRATION_IMAGES))
        path = self.work / f"{name}-{key}.int8.onnx"
        if not path.exists():
            images = ("--calib", self.calibration, "--calib-images", CALIBRATION_IMAGES, "--preprocess", "imagenet")
            intvit("quantize", float_model, *images, "-o", path)
        return path

    def bench(self, part: str, model: Path, float_model: Path, *arguments: object, level: str = "") -> dict[str, Any]:
        """Return what `intvit bench --json` prints, measured now or kept from before."""
        more = ("--float", float_model, "--calib", self.calibration, "--seconds", self.seconds, "--work", self.work / "peers")
        line = ("bench", model, *more, *arguments)
        key = digest([model, float_model, *sources("")], " ".join(map(str, (*line, level, versions()))))
        return kept(self.work / f"{part}-{key}.json", lambda: intvit(*line, level=level))


def versions() -> str:
    """Return the versions of the peers."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PEERS)


def measure(lab: Lab, name: str, float_model: Path) -> Measured:
    """Measure one model in all ways."""
    model = lab.quantized(name, float_model)
    cases = {}
    for threads in THREADS:
        for batch in BATCHES:
            case = ("--threads", threads, "--batch", batch)
            first = ("--profile", "--rounds", ROUNDS) if threads == batch == 1 else ()
            cases[threads, batch] = lab.bench(f"{name}-{threads}x{batch}", model, float_model, *case, *first)
    alone = ("--peers", "none")
    every = ("--threads", ",".join(map(str, THREADS)), "--batch", ",".join(map(str, BATCHES)))
    scaling = lab.bench(f"{name}-scaling", model, float_model, *alone, *every, "--startup", "--rounds", ROUNDS)
    avx2 = None
    if "avx2" in intvit("doctor")["simd"]["supported"]:
        avx2 = lab.bench(f"{name}-avx2", model, float_model, *alone, level="avx2")
    return Measured(name, cases, scaling, avx2)


def find_models(given: Sequence[Path], data: Path) -> dict[str, Path]:
    """Return the float models by name, from files and folders whose names hold tiny, small or base."""
    files = [data / "models" / "deit_tiny_patch16_224.onnx"]
    for path in given:
        files += sorted(path.glob("*.onnx")) if path.is_dir() else [path]
    found: dict[str, Path] = {}
    for file in files:
        found |= {name: file for name in MODELS if name in file.stem.lower()}
    if missing := [name for name in MODELS if name not in found or not found[name].exists()]:
        raise SystemExit(f"no float model whose file name holds {', '.join(missing)}: see --help")
    return {name: found[name].resolve() for name in MODELS}


def draw(models: Sequence[Measured], chart: Path) -> None:
    """Draw the latencies of one image on one thread."""
    from intvit.bench.chart import draw_chart
    from intvit.bench.panels import panels_of

    panels = [panel for measured in models for panel in panels_of(MODELS[measured.name].title, measured.cases[1, 1])]
    chart.write_bytes(draw_chart(panels, "svg"))


def update_readme(models: Sequence[Measured]) -> None:
    """Put the table that matters most between the markers of the README, if it has them."""
    readme = REPOSITORY / "README.md"
    before, start, rest = readme.read_text().partition("<!-- speed -->\n")
    _, end, after = rest.partition("<!-- /speed -->")
    if not (start and end):
        print("README.md has no <!-- speed --> ... <!-- /speed -->; it was left as it is", file=sys.stderr)
        return
    readme.write_text(before + start + "\n".join(readme_rows(models)) + "\n" + end + after)


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", type=Path, nargs="*", default=[])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=20, help="time for the rounds of each case (20)")
    parser.add_argument(
        "-o", "--output", type=Path, default=REPORT,
        help="where to write the page, its chart beside it; only the default page's table goes into the README, too",
    )  # fmt: skip
    options = parser.parse_args()
    files = find_models(options.models, options.data)
    options.work.mkdir(parents=True, exist_ok=True)
    lab = Lab(options.work.resolve(), (options.data / "imagenet" / "calib").resolve(), options.seconds)
    models = [measure(lab, name, file) for name, file in files.items()]
    command = f"python tools/speed_report.py --data DATA --models FILES --work WORK --seconds {options.seconds}"
    chart = options.output.with_suffix(".svg")
    parts = ["# Speed, measured\n", report_head(command) + f"- Peers: {versions()}\n", *report_sections(models, chart.name)]
    options.output.write_text("\n".join(parts))
    draw(models, chart)
    if options.output.resolve() == REPORT.resolve():
        update_readme(models)
    print(options.output.read_text())


if __name__ == "__main__":
    main()
