"""Which instructions the tiles become, on processors of every kind: looked up in the assembly of the loop over the depth."""

import re
from collections import Counter

import pytest
from cross_compile import loop_of_tile

from intvit.kernels.simd import Level

X86, ARM = "x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"
TARGETS = {
    Level.AVX512_VNNI: (X86, "icelake-server", "", "vpdpbusd", "zmm"),
    Level.AVX_VNNI: (X86, "alderlake", "", "vpdpbusd", "ymm"),
    Level.AVX2: (X86, "haswell", "", "vpmaddwd", "ymm"),
    Level.AVX512_WORDS: (X86, "icelake-server", "", "vpdpwssd", "zmm"),
    Level.AVX2_WORDS: (X86, "haswell", "", "vpmaddwd", "ymm"),
    Level.NEON_DOT: (ARM, "generic", "+dotprod", "sdot", "v"),
}
LOADS = r"\(%|\[x"
FETCHES = ("prefetch", "prfm")


def loop(level, **more):
    triple, cpu, features, dot, register = TARGETS[level]
    return loop_of_tile(level, triple, cpu, features, **more), dot, register


@pytest.mark.parametrize("level", TARGETS)
@pytest.mark.parametrize("rows", [1, 6])
def test_a_dot_product_is_one_instruction_on_full_vectors(level, rows):
    lines, dot, register = loop(level, rows=rows)
    names = Counter(line.replace("{vex}", "").split()[0] for line in lines)
    assert names[dot] == rows * level.traits.vectors
    assert all(register in line for line in lines if dot in line)
    assert not any("pmaddubsw" in name for name in names)


@pytest.mark.parametrize("level", TARGETS)
@pytest.mark.parametrize("flips", [False, True])
def test_sums_stay_in_registers(level, flips):
    lines, dot, _ = loop(level, flips=flips and level.traits.group == 4, fetches=2)
    assert not [line for line in lines if "(%rsp" in line or "(%rbp" in line or "[sp" in line]
    moves = [line for line in lines if re.match(r"v?mov(dqa|dqu|aps|ups)\S*\s+%\w+, *%\w+$|mov\s+v", line)]
    assert not moves
    loads = sum(bool(re.search(LOADS, line)) and not line.startswith(("lea", "add", *FETCHES)) for line in lines)
    dots = sum(dot in line for line in lines)
    assert loads <= 6 + level.traits.vectors
    assert dots >= 1.5 * loads


@pytest.mark.parametrize("level", TARGETS)
@pytest.mark.parametrize("rows", [1, 6])
@pytest.mark.parametrize("fetches", [0, 1, 2])
def test_weights_that_several_rows_need_are_fetched_ahead(level, rows, fetches):
    lines, _, _ = loop(level, rows=rows, fetches=fetches)
    step = level.traits.lanes * level.traits.vectors * level.traits.group * level.traits.right.itemsize
    assert sum(line.startswith(FETCHES) for line in lines) == (-(-step // 64) + fetches if rows > 1 else 0)


@pytest.mark.parametrize("level", TARGETS)
def test_codes_are_flipped_only_where_they_must_be(level):
    def xors(lines):
        return [line for line in lines if re.match(r"v?pxor|eor\s", line)]

    assert not xors(loop(level)[0])
    assert level.traits.group == 2 or len(xors(loop(level, flips=True)[0])) == 6


def test_real_avx2_has_no_wider_or_newer_instructions():
    lines, _, _ = loop(Level.AVX2)
    assert not [line for line in lines if "zmm" in line or "vpdp" in line or re.search(r"%ymm(1[6-9]|2\d|3[01])", line)]
