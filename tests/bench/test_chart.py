"""The chart: same bytes for the same values, and the values stand in it."""

import pytest

from intvit.bench.chart import Bar, Panel, chart_format, draw_chart
from intvit.bench.panels import panels_of
from intvit.errors import UsageError

PANELS = [Panel("DeiT-Tiny", [Bar("intvit", 1.0, 6.5, own=True), Bar("peer & co", 1.53, 9.94, own=False)])]


def test_an_svg_is_deterministic_and_holds_its_text():
    pytest.importorskip("matplotlib", reason="charts need matplotlib")
    svg = draw_chart(PANELS, "svg")
    assert svg == draw_chart(PANELS, "svg")
    assert svg != draw_chart(PANELS * 2, "svg")
    text = svg.decode()
    for part in ("DeiT-Tiny", "peer &amp; co", "1.53 x", "9.94 ms"):
        assert part in text
    assert "<dc:date>" not in text


def test_a_png_is_deterministic():
    pytest.importorskip("matplotlib", reason="charts need matplotlib")
    png = draw_chart(PANELS, "png")
    assert png.startswith(b"\x89PNG")
    assert png == draw_chart(PANELS, "png")


def test_the_format_follows_the_ending():
    assert chart_format("a.b/chart.SVG") == "svg"
    assert chart_format("chart.png") == "png"
    for path in ("chart", "chart.jpg", "chart.svg.gz"):
        with pytest.raises(UsageError, match="unknown kind of chart"):
            chart_format(path)


def test_panels_have_one_bar_an_engine_and_are_one_a_case():
    def row(engine, batch, **more):
        return {"engine": engine, "threads": 1, "batch": batch, **more}

    values = {
        "engines": [{"engine": "intvit", "title": "intvit int8"}, {"engine": "p", "title": "Peer"}],
        "results": [row("intvit", 1, median_ms=2.0), row("p", 1, median_ms=3.0), row("intvit", 8, median_ms=16.0)],
        "ratios": [row("p", 1, ratio=1.5)],
    }
    first, second = panels_of("model", values)
    assert first.title == "Latency of model, 1 thread, batch 1"
    assert first.bars == [Bar("intvit int8", 1.0, 2.0, own=True), Bar("Peer", 1.5, 3.0, own=False)]
    assert [bar.title for bar in second.bars] == ["intvit int8"]
