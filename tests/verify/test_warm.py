"""Compiling ahead, in this process and in others."""

import numpy as np
import pytest

from intvit.kernels import cache, native
from intvit.kernels.jit import only_noted
from intvit.kernels.probe import make_probe
from intvit.kernels.simd import Level
from intvit.kernels.widen import widen
from intvit.verify import warm


@pytest.fixture
def fresh_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("INTVIT_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(native, "_entries", {})
    cache.cache_folder.cache_clear()
    yield tmp_path
    cache.cache_folder.cache_clear()


def bind_widen():
    source, to = np.arange(3, dtype=np.int8).reshape(1, 1, 3), np.zeros((1, 1, 3), np.int16)
    return widen.bind(source, to), source, to


def test_what_is_only_noted_is_not_compiled_and_does_nothing(fresh_cache):
    with only_noted() as sources:
        step, _, to = bind_widen()
    assert [source.function.__name__ for source in sources] == ["widen"]
    assert list(fresh_cache.rglob("*.o")) == []
    step()
    assert not to.any()
    step, source, to = bind_widen()
    step()
    np.testing.assert_array_equal(to, source)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_kernel_is_compiled_once(monkeypatch, fresh_cache, processes):
    def build(level):
        make_probe(level)
        bind_widen()

    monkeypatch.setattr(warm, "_build_engines", build)
    assert sorted(warm.warm_kernels(Level.PORTABLE, processes)) == ["repeat_tile", "widen"]
    assert len(list(fresh_cache.rglob("widen-*.o"))) == len(list(fresh_cache.rglob("repeat_tile-*.o"))) == 1
    native._entries.clear()
    assert warm.warm_kernels(Level.PORTABLE, processes) == []


def test_without_a_cache_one_process_compiles(monkeypatch):
    monkeypatch.setattr(warm, "cache_folder", lambda: None)
    monkeypatch.setattr(warm, "_build_engines", lambda level: None)
    monkeypatch.setattr(warm, "compile_apart", lambda *_: pytest.fail("other processes would compile for nothing"))
    assert warm.warm_kernels(Level.PORTABLE, 2) == []
