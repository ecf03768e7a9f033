"""Measure recipes on DeiT-Tiny and on the shipped digits model; write recipes.md, ablation.md and their plots to docs/results.

    python tools/recipes_report.py --data DATA --work WORK

DATA holds models/deit_tiny_patch16_224.onnx and imagenet/; without --data only the digits model is measured. Needs
`pip install 'intvit[dev]'`, and nearly two hours on two idle cores. WORK keeps each result, so that an interrupted report
goes on where it was; a result is measured again once anything that it depends on has changed. What is measured is listed
in tools/recipes_ladder.py.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from digits_data import write_held_back
from lab import REPOSITORY, RESULTS, intvit
from recipes_ladder import LADDER, Rung, ablation, replacements, require_recipes
from recipes_measure import Bench, Task
from recipes_plots import draw_all
from recipes_tables import Results, Step, ablation_sections, compared, ladder_sections
from report_head import report_head

PARTS = ("ladder", "ablation", "replacements", "sites")
PAGES = {
    "recipes.md": ("# Recipes, measured\n", ladder_sections),
    "ablation.md": ("# What each ingredient of the default recipe gives\n", ablation_sections),
}
"""The pages' titles, and what makes their sections; a page without any is not written."""
DIGITS = "digits"


def find_tasks(data: Path | None, work: Path) -> list[Task]:
    """Return DeiT-Tiny, if there is data for it, and the digits model."""
    tasks = []
    if data is not None:
        images = data.resolve() / "imagenet"
        model = data.resolve() / "models" / "deit_tiny_patch16_224.onnx"
        paths = (images / "calib", images / "val", images / "val_labels.csv")
        tasks.append(Task("deit_tiny", "DeiT-Tiny", model, "imagenet", *paths))
    models = REPOSITORY / "models"
    how = str(models / "digits_vit.preprocess.json")
    digits = (models / "calibration", *write_held_back(work / "digits_images"))
    return [*tasks, Task(DIGITS, "The shipped digits model", models / "digits_vit.onnx", how, *digits)]


def measure(bench: Bench, task: Task, rungs: Sequence[Rung], parts: Sequence[str]) -> Results:
    """Measure the wanted parts of one task."""
    rows = [bench.row(task, rung) for rung in rungs] if "ladder" in parts else []
    chains = (ablation() if "ablation" in parts else (), replacements() if "replacements" in parts else ())
    steps, replaced = ([Step(title, bench.evaluated(task, bench.built(task, recipe))) for title, recipe in c] for c in chains)
    noise = {}
    if "sites" in parts:
        noise = {rung.name: bench.noise(task, bench.converted(task, rung)[0]) for rung in compared(rungs)}
    return Results(task.name, task.title, task.name != DIGITS, rows, steps, replaced, noise)


def introduction(bench: Bench, results: Sequence[Results]) -> str:
    """Return what holds for the whole page."""
    some = "" if bench.images is None else f" A quick look at {bench.images} images of each model: not for comparing."
    subset = ""
    if any(task.published for task in results):
        subset = " The images for DeiT-Tiny are a subset of the ImageNet validation set that is easier than the whole."
    return f"Converted with at most {bench.calibration_images} calibration images.{subset}{some}\n"


def parse_options() -> tuple[argparse.Namespace, str]:
    """Return the options, and the command that a reader may repeat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--images", type=int, metavar="N", help="use only N labelled images of each model (all)")
    parser.add_argument("--calib-images", type=int, default=128, metavar="N", help="images each conversion sees (128)")
    parser.add_argument("--seconds", type=int, default=10, metavar="S", help="time for the rounds of each latency (10)")
    parser.add_argument("--rungs", nargs="+", type=Rung.parse, metavar="RECIPE:W:A", default=LADDER, help="rows (all)")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="sections (all)")
    parser.add_argument("-o", "--output", type=Path, default=RESULTS, help="the folder to write to")
    options = parser.parse_args()
    command = "python tools/recipes_report.py" + (" --data DATA" if options.data else "") + " --work WORK"
    for name in ("images", "calib_images", "seconds"):
        if (value := getattr(options, name)) != parser.get_default(name):
            command += f" --{name.replace('_', '-')} {value}"
    if options.rungs != LADDER:
        command += " --rungs " + " ".join(map(str, options.rungs))
    if options.parts != PARTS:
        command += " --parts " + " ".join(options.parts)
    return options, command


def main() -> None:
    """Measure and write the report."""
    options, command = parse_options()
    require_recipes(options.rungs)
    options.work.mkdir(parents=True, exist_ok=True)
    work = options.work.resolve()
    bench = Bench(work, options.images, options.calib_images, options.seconds)
    intvit("doctor", "--warm")
    results = [measure(bench, task, options.rungs, options.parts) for task in find_tasks(options.data, work)]
    for name, (title, make_sections) in PAGES.items():
        if sections := make_sections(results):
            text = "\n".join([title, report_head(command), introduction(bench, results), *sections])
            (options.output / name).write_text(text)
            print(text)
    draw_all(results, options.output)


if __name__ == "__main__":
    main()
