"""Every engine runs the digits model; peers that are not installed are skipped."""

import numpy as np
import pytest
from bench.bench_fixtures import FLOAT, IMAGES, INTEGER, PIXELS, SOURCE

from intvit.bench.benchmark import prepare_engines
from intvit.bench.case import quiet
from intvit.bench.engines import OWN, PEERS, choose_peers, find_engine
from intvit.bench.engines.engine import BenchEngine, Source
from intvit.errors import UsageError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("peers")


def ignore(stage, done, total):
    """A progress that shows nothing."""


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_a_peer_answers_like_the_float_model(peer, folder):
    if missing := peer.missing():
        pytest.skip(f"not installed: {', '.join(missing)}")
    with quiet():
        path = peer.prepare(SOURCE, folder)
        found = peer.open(path, 1, 2)(IMAGES)
        expected = find_engine("onnxruntime-fp32").open(FLOAT, 1, 2)(IMAGES)[0]
    logits = np.asarray(found[0])
    assert logits.shape == (2, 10)
    assert np.corrcoef(logits.ravel(), expected.ravel())[0, 1] > 0.9


def test_the_own_engine_takes_pixels():
    assert OWN.prepare(SOURCE, INTEGER.parent) == INTEGER
    assert OWN.takes_pixels
    assert OWN.open(INTEGER, 1, 2)(PIXELS).shape == (2, 10)


def test_a_quantized_model_is_built_once(tmp_path):
    peer = find_engine("onnxruntime-dynamic")
    with quiet():
        path = peer.prepare(SOURCE, tmp_path)
        written = path.stat().st_mtime_ns
        assert peer.prepare(SOURCE, tmp_path) == path
        assert path.stat().st_mtime_ns == written
        other = peer.prepare(Source(INTEGER, FLOAT, SOURCE.float_sha256, IMAGES[:1]), tmp_path)
    assert other != path
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failed_build_leaves_nothing(tmp_path):
    peer = find_engine("onnxruntime-dynamic")
    with pytest.raises(Exception, match="nowhere"), quiet():
        peer.prepare(Source(INTEGER, tmp_path / "nowhere.onnx", "", IMAGES), tmp_path)
    assert list(tmp_path.iterdir()) == []


class Absent(BenchEngine):
    """A peer that nobody has."""

    name, title, packages, modules = "absent-int8", "Absent", ("no_such_package", "json", "nor_this"), ()

    def prepare(self, source, folder):
        raise AssertionError

    def open(self, model, threads, batch):
        raise AssertionError


class Broken(Absent):
    """A peer that is there but can't convert the model."""

    name, packages = "broken", ("json",)

    def prepare(self, source, folder):
        raise RuntimeError("\n no such operator\n at line 3")


def test_peers_that_can_not_run_are_skipped_with_a_reason(tmp_path):
    prepared = prepare_engines([Absent(), Broken()], SOURCE, tmp_path, ignore)
    assert dict(prepared.models) == {OWN: INTEGER}
    assert prepared.skipped == [
        {"engine": "absent-int8", "reason": "not installed: pip install no_such_package nor_this"},
        {"engine": "broken", "reason": "no such operator"},
    ]


def test_peers_are_chosen_by_name_or_family():
    assert [peer.name for peer in choose_peers(["openvino"])] == ["openvino-int8", "openvino-fp32"]
    assert [peer.name for peer in choose_peers(["onnxruntime-qdq", "openvino-int8"])] == ["openvino-int8", "onnxruntime-qdq"]
    assert choose_peers(["none"]) == []
    with pytest.raises(UsageError, match="tensorrt"):
        choose_peers(["onnxruntime", "tensorrt"])
    assert len({peer.name for peer in (OWN, *PEERS)}) == len(PEERS) + 1
