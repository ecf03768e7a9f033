"""How kernels are compiled: without floats, in a private cache, at a chosen SIMD level."""

import ctypes
import hashlib
import os
import re
import stat
import subprocess
import sys

import numpy as np
import pytest
from numba.core import config
from numba.core.errors import TypingError
from vit import make_vit

from intvit.errors import UsageError
from intvit.kernels import cache, native, shared, simd
from intvit.kernels.jit import KERNELS, Kernel
from intvit.kernels.object_code import read_cached
from intvit.kernels.probe import make_probe
from intvit.kernels.progress import told_of_compiling
from intvit.kernels.tile import left_type, tile_shape
from intvit.runtime.engine import Engine

FLOATS = re.compile(r"\b(half|bfloat|float|double|fp128|x86_fp80)\b|\b(fadd|fsub|fmul|fdiv|frem|fcmp|[su]itofp|fpto[su]i)\b")


def float_lines(kernel):
    return [line for ir, _ in kernel.inspect().values() for line in ir.splitlines() if FLOATS.search(line)]


def bind_all():
    """Compile every kernel for at least one combination of types, and the tiles of every level."""
    for tables in (False, True):
        Engine(make_vit(depth=1, tables=tables, wide=tables)).run_all({"pixels": np.zeros((1, 12, 12, 3), np.uint8)})
    flat, rows = np.zeros(4, np.int16), np.zeros((1, 4), np.int32)
    KERNELS["mean"].bind(rows.astype(np.int16), 1, 2, 0, 0, 1, rows, flat)
    KERNELS["requantize"].bind(rows, rows, 0, 2, 0, 0, 1, rows.astype(np.int8))
    narrow, line = rows.astype(np.int8), rows[0]
    KERNELS["gelu_erf"].bind(rows.astype(np.int16), line, 4, 1, 1, 0, 2, 0, 0, 1, rows, narrow)
    KERNELS["gelu_shift"].bind(narrow, line, rows, 2, 0, 0, 1, rows, narrow)
    KERNELS["layer_norm_newton"].bind(rows.astype(np.int16), line, line.astype(np.int64), 2, 0, 0, 1, narrow)
    table, e = np.zeros(256, np.int32), np.zeros((1, 4), np.int32)
    KERNELS["softmax_normalized"].bind(rows.astype(np.int8), table, 1, 16, 1, e, rows.astype(np.int16))
    codes = rows.astype(np.uint8)
    KERNELS["softmax_two_scale"].bind(rows, np.zeros(1, np.int32), 2, codes[0], 8, 3, rows, codes, np.zeros(1, np.int32))
    KERNELS["append_residuals"].bind(rows.astype(np.int16), 3, line[:2], codes, np.zeros((1, 6), np.uint8))
    KERNELS["two_scale_encode"].bind(rows, 8, 3, 1, 2, 0, codes.view(np.int8))
    KERNELS["two_scale_decode"].bind(codes, 8, 3, rows.astype(np.int16))
    KERNELS["widen"].bind(np.zeros((1, 1, 4), np.int8), np.zeros((1, 1, 4), np.int16))
    for level in simd.supported_levels():
        make_probe(level)
        height, width = tile_shape(level)
        x, line = np.zeros((height, 4), left_type(level, signed=True)), np.zeros(width, np.int32)
        codes, y = np.zeros((1, height, width), np.int8), np.zeros((height, width), np.int8)
        sums = np.zeros((1, height, width), np.int32)
        for chosen, left in ((level, x), (level.multiplying(16, 16), x.astype(np.int16))):
            packed = np.zeros(4 * width, chosen.traits.right)
            linear = chosen, left, packed, 4, line, line, 33, 0, -128, 127
            KERNELS["linear"].bind(*linear, codes, codes[0].view(np.uint8), y)
            KERNELS["linear_general"].bind(*linear, sums, y)


def test_no_kernel_has_floats():
    bind_all()
    for name, kernel in KERNELS.items():
        assert kernel.signatures, f"{name} was never compiled"
        assert not float_lines(kernel), name
    assert shared.SOURCES
    for name, source in shared.SOURCES.items():
        assert not FLOATS.search(source), name


def test_a_float_would_be_seen():
    def halve(x, y):
        y[0] = x[0] / 2

    kernel = Kernel(halve)
    kernel.bind(np.zeros(1, np.int32), np.zeros(1, np.int32))
    assert float_lines(kernel)


def test_a_kernel_that_needs_the_runtime_is_refused(fresh_cache):
    def reshape(x):
        x[0] = x.reshape((1, len(x)))[0, 1]

    with pytest.raises(RuntimeError, match=r"reshape-.* calls numba_"):
        Kernel(reshape).bind(np.zeros(2, np.int32))


def test_a_kernel_that_allocates_is_refused(fresh_cache):
    def allocate(x):
        x[:] = np.empty(len(x), x.dtype)

    with pytest.raises(TypingError):
        Kernel(allocate).bind(np.zeros(2, np.int32))


def test_scratch_has_one_slot_for_each_part_that_runs_at_the_same_time():
    def mark(own, y, part, parts):
        own[0] += part + 1
        y[part] = parts

    own, y = np.zeros((2, 3), np.int32), np.zeros(4, np.int32)
    step = Kernel(mark, scratch=("own",)).bind(own, y, grains=4)
    call = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(step.entry)
    call(step.words.ctypes.data, 1, 3, 4)
    assert step.grains == 4
    assert own.tolist() == [[0, 0, 0], [4, 0, 0]]
    assert y.tolist() == [0, 0, 0, 4]


def test_settings_of_numba_are_left_alone():
    before = config.CACHE_DIR
    Kernel(lambda x: None).bind(np.zeros(1, np.int32))
    assert before == config.CACHE_DIR


def test_a_damaged_cache_file_is_compiled_again(fresh_cache):
    def fill(x):
        x[:] = 7

    Kernel(fill).bind(np.zeros(1, np.int64))
    (file,) = cache.cache_folder().glob("fill-*.o")
    whole = file.read_bytes()
    for damaged in (b"", whole[:-1], whole[:40] + bytes([whole[40] ^ 1]) + whole[41:]):
        file.write_bytes(damaged)
        native._entries.clear()
        told = []
        x = np.zeros(3, np.int64)
        with told_of_compiling(told.append):
            Kernel(fill).bind(x)()
        assert told == ["fill"]
        assert x.tolist() == [7, 7, 7]
        again = file.read_bytes()
        assert hashlib.sha256(again[32:]).digest() == again[:32]


def test_a_kernel_is_compiled_again_if_a_shared_function_is_not_in_the_cache(fresh_cache):
    code = """
from intvit.kernels.probe import make_probe
from intvit.kernels.progress import told_of_compiling
from intvit.kernels.simd import Level

with told_of_compiling(print):
    make_probe(Level.PORTABLE)()
"""

    def compiled():
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ))
        return run.stdout.split()

    assert compiled() == ["repeat_tile"]
    (tile,) = fresh_cache.glob(f"*/{shared.PREFIX}*.o")
    (kernel,) = fresh_cache.glob("*/repeat_tile-*.o")
    assert read_cached(kernel.stem)[0] == (tile.stem,)
    assert compiled() == []
    tile.unlink()
    assert compiled() == ["repeat_tile"]
    assert tile.exists()


@pytest.fixture
def fresh_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("INTVIT_CACHE_DIR", str(tmp_path / "kept"))
    cache.cache_folder.cache_clear()
    yield tmp_path / "kept"
    cache.cache_folder.cache_clear()


def test_the_cache_folder_is_private(fresh_cache):
    folder = cache.cache_folder()
    assert folder.parent == fresh_cache
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_others_can_write_is_not_used(fresh_cache):
    cache.cache_folder().chmod(0o777)
    cache.cache_folder.cache_clear()
    with pytest.warns(RuntimeWarning, match="other users"):
        assert cache.cache_folder() is None


def test_without_a_folder_there_is_one_warning_and_no_cache(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INTVIT_CACHE_DIR", str(tmp_path / "file"))
    cache.cache_folder.cache_clear()
    with pytest.warns(RuntimeWarning) as caught:
        assert cache.cache_folder() is None
        assert cache.cache_folder() is None
    assert len(caught) == 1
    cache.cache_folder.cache_clear()


def test_the_level_can_be_forced(monkeypatch):
    monkeypatch.setenv("INTVIT_SIMD", "portable")
    assert simd.current_level() is simd.Level.PORTABLE
    monkeypatch.delenv("INTVIT_SIMD")
    assert simd.current_level() is simd.supported_levels()[0]


@pytest.mark.parametrize("name", ["sse9", "PORTABLE"])
def test_an_unknown_level_is_an_error(monkeypatch, name):
    monkeypatch.setenv("INTVIT_SIMD", name)
    with pytest.raises(UsageError, match="unknown SIMD level"):
        simd.current_level()


def test_an_unsupported_level_is_an_error(monkeypatch):
    monkeypatch.setattr(simd, "host_features", lambda: frozenset({"avx2"}))
    monkeypatch.setenv("INTVIT_SIMD", "avx512_vnni")
    with pytest.raises(UsageError, match="can't run"):
        simd.current_level()


def test_a_second_process_compiles_nothing():
    """After this process has filled the cache, another one loads every kernel from it."""
    script = (
        "from vit import make_vit; from intvit.kernels.progress import told_of_compiling\n"
        "from intvit.runtime.engine import Engine; told = []\n"
        "with told_of_compiling(told.append): Engine(make_vit(depth=1))\nprint(told)"
    )
    Engine(make_vit(depth=1))
    folder = os.path.dirname(__file__)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([folder, *sys.path])}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]"]
