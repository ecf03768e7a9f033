"""What people read: every value of the benchmark has its place."""

from intvit.cli.bench_text import bench_text

CASE = {"threads": 2, "batch": 8}
RUN = {"low_ms": 9.0, "median_ms": 10.0, "high_ms": 11.0, "per_image_ms": 1.25, "rounds": 40, "share_of_limit": 0.563}
VALUES = {
    "model": "deit.int8.onnx",
    "macs": {"float": 1_254_000_000, "integer": 1_150_000_000},
    "weights_bytes": 6 << 20,
    "simd_level": "avx512_vnni",
    "engines": [
        {"engine": "intvit", "title": "intvit int8", "version": "intvit 0.1.0, numba 0.68"},
        {"engine": "peer", "title": "A Peer", "version": "peer 2.0"},
    ],
    "results": [
        {"engine": "intvit", **CASE, **RUN, "peak_bytes": 30 << 20},
        {"engine": "peer", **CASE, **RUN, "peak_bytes": None},
    ],
    "ratios": [{"engine": "peer", **CASE, "ratio": 1.31, "by_round": 1.3, "low": 1.29, "high": 1.33}],
    "limits": [{**CASE, "gmacs_per_second": 225.4}],
    "scaling": [{**CASE, "base_threads": 1, "base_batch": 8, "ratio": 1.92, "low": 1.91, "high": 1.93}],
    "machine": [{"threads": 2, "ratio": 1.95, "low": 1.94, "high": 1.96}],
    "startup": {"import_intvit": 0.0042, "first_logits": 0.61, "compile_kernels": 25.5},
    "profile": {
        "total_ms": 8.0,
        "kinds": [{"kind": "Linear", "nodes": 2, "seconds": 0.004, "share": 0.5, "macs": 600_000_000}],
        "nodes": [{"node": "head", "kind": "Linear", "seconds": 0.004, "macs": 600_000_000}],
    },
}


def test_everything_has_its_place():
    lines = [" ".join(line.split()) for line in bench_text(VALUES).splitlines()]
    for line in (
        "deit.int8.onnx: 1.254 GMAC an image in the float model, 1.150 GMAC an image in the integer model, "
        "weights of 6.0 MiB, SIMD level avx512_vnni",
        "intvit 0.1.0, numba 0.68, peer 2.0",
        "2 threads, batch 8; 40 rounds; integer limit 225 GMAC/s a core",
        "intvit int8 10.00 9.00 .. 11.00 1.25 56 % 30.0 MiB",
        "A Peer 10.00 9.00 .. 11.00 1.25 1.31 x 1.29 .. 1.33 56 % -",
        "2 threads, batch 8 1 thread, batch 8 1.92 x 1.91 .. 1.93",
        "2 threads, bare micro-kernel 1 thread 1.95 x 1.94 .. 1.96",
        "import intvit 4 ms",
        "compiling all kernels 25.5 s",
        "Linear 2 4.000 50.00 % 600.0 150",
        "head Linear 4.000 600.0 150",
    ):
        assert line in lines


def test_what_was_not_measured_is_left_out():
    alone = VALUES | {"macs": {"float": None, "integer": 5_000_000}, "scaling": [], "startup": None, "profile": None}
    text = bench_text(alone)
    assert "0.005 GMAC an image, weights" in text
    for absent in ("import intvit", "step by step", "speed an image", "float model"):
        assert absent not in text
