"""The report on recipes: its tables from given values, what it keeps between runs, and the whole tool on few images."""

import json
import sys

import pytest
import recipes_measure
import recipes_report as tool
from lab import digest, kept
from published import PUBLISHED
from recipes_ladder import BASE, GOAL, INGREDIENTS, LADDER, REPLACEMENTS, START, Rung, ablation, replacements, require_recipes
from recipes_measure import Row, lowest_by_source
from recipes_plots import draw_all
from recipes_tables import Results, Step, ablation_sections, compared, ladder_sections, published_drops, published_section

from intvit.quantize.recipe import RECIPES


def evaluation(sqnr, top1=0.80):
    return {"images": 650, "top1": top1, "float_top1": 0.8077, "agreement": 0.99, "logit_sqnr_db": sqnr}


def row(rung, sqnr, top1=0.80):
    latency = {"median_ms": 4.0, "base_ms": 3.2, "ratio": 1.25, "low": 1.2, "high": 1.3}
    return Row(rung, {"integer_bytes": 8_410_000, "seconds": 53.2}, evaluation(sqnr, top1), latency)


@pytest.fixture
def results():
    rows = [row(BASE, 23.88), row(Rung("i-vit", 8, 8), 12.5, 0.825), row(Rung("iptq-vit", 4, 8), None)]
    steps = [Step("`minmax`", evaluation(16.0)), Step("+ salt", evaluation(18.5)), Step("+ nothing", evaluation(None))]
    noise = {"default W8A8": {"a": 30.0, "b": 25.0}, "minmax W8A8": {"a": 20.0, "c": 15.0}}
    replaced = [Step("`default`", evaluation(20.0)), Step("sugar", evaluation(19.0)), Step("honey", evaluation(20.5))]
    return Results("deit_tiny", "DeiT-Tiny", published=True, rows=rows, steps=steps, replaced=replaced, noise=noise)


def test_the_rows_of_the_ladder(results):
    report = "\n".join(ladder_sections([results]))
    measured = "8.41 MB | 4.00 ms | 1.25 x (1.20 .. 1.30) | 53 s"
    for line in (
        "650 images, of which float gets 80.77 % right",
        f"| `default` | W8A8 | 80.00 % | +0.77 | 99.00 % | 23.88 dB | {measured} |  |",
        f"| `i-vit` | W8A8 | 82.50 % | -1.73 | 99.00 % | 12.50 dB | {measured} | -0.03 (fine-tuned); +2.71 (calibrated only) |",
        f"| `iptq-vit` | W4A8 | 80.00 % | +0.77 | 99.00 % | exact | {measured} | not found |",
    ):
        assert line in report


def test_a_model_of_our_own_has_no_published_figures(results):
    own = Results("digits", "Digits", published=False, rows=results.rows, steps=[], replaced=[], noise={})
    report = "\n".join(ladder_sections([own]))
    assert "| 53 s |\n" in report
    assert "Published" not in report
    assert "its paper has" not in report
    assert "not found" not in report


def test_published_figures_stand_beside_the_best_of_ours():
    rows = [row(BASE, 20.0), row(Rung("accurate", 8, 8), 27.0, 0.806), row(Rung("minmax", 4, 4), 3.0)]
    lines = published_section(rows).splitlines()
    ours = [i for i, line in enumerate(lines) if line.startswith("| W") and "this package" in line]
    assert [lines[i].split(" | ")[1] for i in ours] == ["**this package, `accurate`**", "**this package, `minmax`**"]
    assert lines[ours[0]].startswith("| W8A8 | **this package, `accurate`** | 80.60 % | +0.17 | ")
    assert lines[ours[1] + 1].startswith("| W4A4 | GLF-Q | 67.37 % | +4.84 | ")
    assert sum(line.startswith("| W") for line in lines) == len(PUBLISHED) + 2


def test_published_figures_fall_within_each_width():
    for bits in ((8, 8), (6, 6), (4, 8), (4, 4)):
        figures = [f.top1 or 0 for f in PUBLISHED if (f.weight_bits, f.act_bits) == bits]
        assert figures
        assert figures == sorted(figures, reverse=True)


def test_every_paper_s_recipe_is_measured_at_its_width():
    wanted = {Rung(f.recipe, f.weight_bits, f.act_bits) for f in PUBLISHED if f.recipe}
    assert wanted <= set(LADDER)
    assert len(set(LADDER)) == len(LADDER)
    assert published_drops(Rung("aiqvit", 6, 6)) == "not found"
    assert published_drops(Rung("tsptq-vit", 4, 4)) == "+23.85 (calibrated only)"
    assert published_drops(BASE) == ""


def test_the_ablation_goes_from_minmax_to_default():
    steps = ablation()
    assert steps[0][1] == START == RECIPES["minmax"]
    names = [recipe.name for _, recipe in steps]
    assert len(set(names)) == len(steps) == len(INGREDIENTS) + 1
    last = steps[-1][1].to_json()
    assert {**last, "name": "default"} == GOAL.to_json()


def test_an_ingredient_that_is_missing_is_named():
    with pytest.raises(SystemExit, match="another correct_bias than `default` has"):
        ablation([i for i in INGREDIENTS if "correct_bias" not in i.changes])


def test_gains_are_those_of_each_ingredient(results):
    report = "\n".join(ablation_sections([results]))
    assert "| `minmax` | 16.00 dB |  | 99.00 % | +0.77 |" in report
    assert "| + salt | 18.50 dB | +2.50 dB | 99.00 % | +0.77 |" in report
    assert "| + nothing | exact |  | 99.00 % | +0.77 |" in report
    assert "| sugar | 19.00 dB | -1.00 dB |" in report
    assert "| honey | 20.50 dB | +0.50 dB |" in report


def test_replacements_change_the_default_only_where_they_say():
    (_, default), *changed = replacements()
    assert default == RECIPES["default"]
    for (_, recipe), ingredient in zip(changed, REPLACEMENTS, strict=True):
        changes = json.loads(json.dumps(ingredient.changes))
        expected = {**default.to_json(), **changes, "name": recipe.name}
        assert recipe.to_json() == expected != default.to_json()


def test_unknown_recipes_are_refused():
    with pytest.raises(SystemExit, match="no such recipe: pickled, salted; this version has default, "):
        require_recipes([BASE, Rung("salted", 8, 8), Rung("pickled", 4, 4)])
    require_recipes([BASE])


def test_rungs_are_read():
    assert Rung.parse("i-vit:4:8") == Rung("i-vit", 4, 8)
    assert Rung.parse("default") == BASE == Rung.parse(str(BASE))
    assert Rung.parse("i-vit:4:8").name == "i-vit W4A8"
    for wrong in ("default:8", "default:a:8", "default:8:8:8"):
        with pytest.raises(ValueError, match=r"unpack|invalid literal"):
            Rung.parse(wrong)


def test_the_noisiest_node_of_a_site_counts():
    nodes = [{"source": s, "sqnr_db": v} for s, v in (("a", 30.0), ("b", None), ("a", 20.0), ("c", 5.0), ("a", 25.0))]
    assert lowest_by_source(nodes) == {"a": 20.0, "c": 5.0}
    assert compared([Rung("tables", 8, 8)]) == [Rung("tables", 8, 8)]
    assert compared([Rung("minmax", 8, 8), Rung("tables", 8, 8), BASE]) == [BASE, Rung("minmax", 8, 8)]


def test_plots_are_the_same_for_the_same_values(results, tmp_path):
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        draw_all([results], tmp_path / name)
        written.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert written[0] == written[1]
    assert sorted(written[0]) == ["recipes_ablation.svg", "recipes_deit_tiny.svg", "recipes_sites.svg"]
    assert b"default W8A8" in written[0]["recipes_deit_tiny.svg"]


def test_results_are_kept_whole_or_not_at_all(tmp_path):
    path = tmp_path / "part-1.json"

    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        kept(path, interrupted)
    assert not path.exists()
    assert kept(path, lambda: {"a": 1}) == {"a": 1}
    assert kept(path, interrupted) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["part-1.json"]


def test_names_follow_what_files_hold(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"one")
    before = digest([path], "x")
    assert digest([path], "y") != before
    path.write_bytes(b"two")
    assert digest([path], "x") != before


def test_the_whole_tool_on_digits_and_again_from_what_it_kept(tmp_path, monkeypatch, capsys):
    pages, work = tmp_path / "pages", tmp_path / "work"
    pages.mkdir()
    line = ["--work", str(work), "--images", "8", "--calib-images", "4", "--seconds", "1", "--rungs", "default"]
    monkeypatch.setattr(sys, "argv", ["recipes_report.py", *line, "--parts", "ladder", "sites", "-o", str(pages)])
    monkeypatch.setattr(tool, "intvit", lambda *arguments: {})
    tool.main()
    text = (pages / "recipes.md").read_text()
    assert "8 images, of which float gets" in text
    assert "--images 8 --calib-images 4 --seconds 1 --rungs default:8:8 --parts ladder sites`" in text
    base = next(line for line in text.splitlines() if line.startswith("| `default` | W8A8 |"))
    assert "| 1.00 x (1.00 .. 1.00) |" in base
    assert "One ingredient" not in text
    assert sorted(path.name for path in pages.iterdir()) == ["recipes.md", "recipes_digits.svg", "recipes_sites.svg"]
    monkeypatch.setattr(recipes_measure, "intvit", None)
    monkeypatch.setattr(recipes_measure, "latency_in_turns", None)
    tool.main()
    assert (pages / "recipes.md").read_text() == text
    assert capsys.readouterr().out.count("# Recipes, measured") == 2
