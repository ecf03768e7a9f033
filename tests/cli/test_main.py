"""The frame around all commands: what goes wrong inside becomes a text and an exit status."""

import json

import pytest

from intvit.cli import doctor
from intvit.cli.main import main
from intvit.errors import CheckFailed


def raising(error):
    def run(_options, _console):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (CheckFailed("two differ", where="node 3"), 1, "error: node 3: two differ"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 5, "not enough memory"),
        (RuntimeError("boom"), 6, "please report it"),
    ],
)
def test_exit_status(error, status, says, monkeypatch, capsys):
    monkeypatch.setattr(doctor, "run", raising(error))
    monkeypatch.delenv("INTVIT_DEBUG", raising=False)
    assert main(["doctor"]) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert "Traceback" not in err


def test_a_bug_as_json(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "run", raising(RuntimeError("boom")))
    assert main(["doctor", "--json"]) == 6
    assert json.loads(capsys.readouterr().out)["found"] == "RuntimeError: boom"


def test_a_traceback_for_those_who_want_it(monkeypatch, capsys):
    monkeypatch.setattr(doctor, "run", raising(RuntimeError("boom")))
    monkeypatch.setenv("INTVIT_DEBUG", "1")
    assert main(["doctor"]) == 6
    assert "Traceback" in capsys.readouterr().err
