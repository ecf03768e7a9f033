"""Start-up times come from fresh processes: one compiles all kernels into an empty cache, the others use it."""

import os
from pathlib import Path

import pytest
from bench.bench_fixtures import INTEGER

from intvit.bench import startup
from intvit.bench.process import python_json, seconds_to_first_line
from intvit.errors import CheckFailed


def test_the_first_process_finds_no_kernels_and_the_others_do(monkeypatch):
    caches = []

    def first_line(arguments, environment):
        cache = Path(environment["INTVIT_CACHE_DIR"])
        caches.append((cache, len(list(cache.iterdir()))))
        (cache / "kernel").touch()
        return 40.0 if "doctor" in arguments else float(len(caches))

    monkeypatch.setattr(startup, "seconds_to_first_line", first_line)
    monkeypatch.setattr(startup, "python_json", lambda arguments: 0.004)
    progress = []
    found = startup.measure_startup(INTEGER, lambda done, total: progress.append((done, total)))
    assert found == startup.Startup(import_intvit=0.004, first_logits=5.0, compile_kernels=40.0)
    assert [files for _, files in caches] == [0, 1, 1, 1, 1, 1, 1]
    assert not caches[0][0].exists()
    assert progress == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_the_first_logits_of_a_process():
    assert seconds_to_first_line(["-m", "intvit.bench.first_logits", str(INTEGER)], {}) > 0


def test_a_process_sees_the_variables_that_are_set():
    code = "import os, sys; sys.exit(os.environ['INTVIT_TEST'] != 'yes' or print('ok'))"
    assert seconds_to_first_line(["-c", code], {"INTVIT_TEST": "yes"}) > 0
    assert "INTVIT_TEST" not in os.environ
    with pytest.raises(CheckFailed, match="exit status 1"):
        seconds_to_first_line(["-c", code], {"INTVIT_TEST": "no"})


def test_the_last_line_is_the_answer():
    assert python_json(["-c", "print('noise'); print([1, 2.5])"]) == [1, 2.5]


@pytest.mark.parametrize(
    ("code", "found"), [("raise ValueError('odd')", "ValueError: odd"), ("pass", "exit status 0")], ids=["error", "silence"]
)
def test_a_process_that_fails_says_why(code, found):
    with pytest.raises(CheckFailed, match=found):
        python_json(["-c", code])
