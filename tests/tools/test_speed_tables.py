"""The tables of the speed report, from given values: what is not reached says so, and the README's rows are the report's."""

import pytest

CASES = [(threads, batch) for threads in (1, 2) for batch in (1, 8)]
PEERS = {"openvino-int8": 1.3, "onnxruntime-qdq": 2.3, "onnxruntime-fp32": 4.0}


@pytest.fixture
def tables():
    import speed_tables

    return speed_tables


def case(threads, batch, share=0.72):
    """What `intvit bench --json` prints of one case."""
    head = {"threads": threads, "batch": batch}
    run = {
        "median_ms": 8.0,
        "low_ms": 7.9,
        "high_ms": 8.1,
        "per_image_ms": 8.0,
        "share_of_limit": share,
        "peak_bytes": 90 << 20,
    }
    kind = {"kind": "Linear", "nodes": 2, "seconds": 0.004, "share": 0.5, "macs": 600_000_000}
    return {
        "engines": [{"engine": name, "title": name.upper()} for name in ("intvit", *PEERS)],
        "results": [{"engine": name, **head, **run} for name in ("intvit", *PEERS)],
        "ratios": [
            {"engine": name, **head, "ratio": x, "by_round": x, "low": x - 0.1, "high": x + 0.1} for name, x in PEERS.items()
        ],
        "limits": [{**head, "gmacs_per_second": 225.0, "core_share": 0.991}],
        "weights_bytes": 10 << 20,
        "profile": {"total_ms": 8.0, "kinds": [kind], "nodes": []},
    }


def measured(tables, name, *, avx2):
    pairs = [((2, 1), (1, 1), 1.70), ((1, 8), (1, 1), 0.98), ((2, 8), (1, 8), 1.95), ((2, 8), (2, 1), 1.2)]
    scaling = [
        {"threads": a[0], "batch": a[1], "base_threads": b[0], "base_batch": b[1], "ratio": x, "low": x, "high": x}
        for a, b, x in pairs
    ]
    machine = [{"threads": 2, "ratio": 1.97, "low": 1.96, "high": 1.98}]
    startup = {"import_intvit": 0.004, "first_logits": 0.6, "compile_kernels": 44.0}
    cases = {(threads, batch): case(threads, batch) for threads, batch in CASES}
    return tables.Measured(name, cases, {"scaling": scaling, "machine": machine, "startup": startup}, avx2)


@pytest.fixture
def models(tables):
    return [measured(tables, name, avx2=case(1, 1) if name == "base" else None) for name in tables.MODELS]


def test_goals_that_are_not_reached_say_so(tables, models):
    report = "\n".join(tables.report_sections(models))
    for row in (
        "the process had 99 % of a core",
        "| DeiT-Tiny: faster than OPENVINO-INT8 | 1.30 x (1.20 .. 1.40) | at least 1.2 x |",
        "| DeiT-Tiny: faster than ONNXRUNTIME-QDQ | 2.30 x (2.20 .. 2.40) (not reached) | at least 2.4 x |",
        "| DeiT-Small: share of the integer limit | 72 % of 225 GMAC/s | at least 70 % |",
        "| DeiT-Base: share of the integer limit | 72 % of 225 GMAC/s (not reached) | at least 75 % |",
        "| DeiT-Small: 2 threads against one thread, batch 1 | 1.70 x (1.70 .. 1.70) (not reached) | at least 1.75 x |",
        "| DeiT-Base: 2 threads against one thread, batch 1 | 1.70 x (1.70 .. 1.70) |  |",
        "| DeiT-Tiny: batch 8 against batch 1, one thread, an image | 0.98 x (0.98 .. 0.98) (not reached) | at least 1.0 x |",
        "| DeiT-Base: peak memory of a session | 90 MiB (not reached) | at most 1.5 x 10 MiB of weights + 64 MB = 76 MiB |",
        "| compiling all kernels, `intvit doctor --warm` with an empty cache | 44 s (not reached) | at most 30 s |",
        "| `import intvit` | 4 ms | at most 150 ms |",
        "| DeiT-Tiny: share of the `pmaddwd` limit | not measured | at least 60 % |",
        "| DeiT-Base: share of the `pmaddwd` limit | 72 % of 225 GMAC/s, 8.0 ms | at least 60 % |",
    ):
        assert row in report
    assert report.count("| DeiT-Tiny | 2 | 8 |") == 4


def test_the_readme_s_rows_stand_in_the_report(tables, models):
    report = "\n".join(tables.report_sections(models))
    rows = [row for row in tables.readme_rows(models) if row.startswith("| ")]
    assert len(rows) == 1 + 3 * 4
    assert all(row in report for row in rows)


def test_a_peer_that_is_missing_is_not_measured(tables, models):
    models[0].cases[1, 1]["ratios"].clear()
    assert "| DeiT-Tiny: faster than OPENVINO-INT8 | not measured | at least 1.2 x |" in tables.report_sections(models)[3]
