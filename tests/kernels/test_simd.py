"""Which SIMD levels a machine supports."""

import pytest
from llvmlite import binding

from intvit.kernels import simd
from intvit.kernels.simd import Level, host_features, supported_levels

AVX512 = {"avx2", "avx512f", "avx512bw", "avx512vl", "avx512vnni"}


@pytest.mark.parametrize(
    ("features", "levels"),
    [
        (set(), [Level.PORTABLE]),
        ({"sse4.2", "avx"}, [Level.PORTABLE]),
        ({"avx2"}, [Level.AVX2, Level.PORTABLE]),
        ({"avx2", "avxvnni"}, [Level.AVX_VNNI, Level.AVX2, Level.PORTABLE]),
        (AVX512, [Level.AVX512_VNNI, Level.AVX_VNNI, Level.AVX2, Level.PORTABLE]),
        (AVX512 - {"avx512vnni"}, [Level.AVX2, Level.PORTABLE]),
        ({"neon"}, [Level.PORTABLE]),
        ({"neon", "dotprod"}, [Level.NEON_DOT, Level.PORTABLE]),
    ],
)
def test_levels_follow_from_features(monkeypatch, features, levels):
    monkeypatch.setattr(simd, "host_features", lambda: frozenset(features))
    assert list(supported_levels()) == levels


@pytest.mark.parametrize(("name", "has_dot"), [("apple-m1", True), ("apple-m4", True), ("cortex-a72", False)])
def test_every_apple_m_has_the_dot_product(monkeypatch, name, has_dot):
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: {"neon": True})
    monkeypatch.setattr(binding, "get_host_cpu_name", lambda: name)
    monkeypatch.setattr(simd.NUMBA, "CPU_NAME", None)
    monkeypatch.setattr(simd.NUMBA, "CPU_FEATURES", None)
    assert ("dotprod" in host_features.__wrapped__()) == has_dot
