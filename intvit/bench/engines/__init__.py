"""Everything that can be measured: this engine and its peers, in the order of tables and charts."""

from __future__ import annotations

from collections.abc import Sequence

from intvit.bench.engines.engine import BenchEngine
from intvit.bench.engines.intvit_numba import IntvitNumba
from intvit.bench.engines.onnxruntime_dynamic import OnnxRuntimeDynamic
from intvit.bench.engines.onnxruntime_fp32 import OnnxRuntimeFp32
from intvit.bench.engines.onnxruntime_qdq import OnnxRuntimeQdq
from intvit.bench.engines.openvino_fp32 import OpenVinoFp32
from intvit.bench.engines.openvino_int8 import OpenVinoInt8
from intvit.errors import UsageError

OWN = IntvitNumba()
PEERS: tuple[BenchEngine, ...] = (
    OpenVinoInt8(),
    OnnxRuntimeQdq(),
    OnnxRuntimeDynamic(),
    OpenVinoFp32(),
    OnnxRuntimeFp32(),
)
NO_PEERS = "none"


def find_engine(name: str) -> BenchEngine:
    """Return the engine of a name that `PEERS` or `OWN` has."""
    return next(engine for engine in (OWN, *PEERS) if engine.name == name)


def choose_peers(names: Sequence[str]) -> list[BenchEngine]:
    """Return the peers that a user asks for.

    Args:
        names: names of peers, or of families of them such as `openvino`; `none` stands for no peer.

    Raises:
        UsageError: a name is neither.
    """
    families = sorted({peer.name.partition("-")[0] for peer in PEERS})
    known = [*families, *(peer.name for peer in PEERS), NO_PEERS]
    for name in names:
        if name not in known:
            raise UsageError("no such peer", where="--peers", expected=", ".join(known), found=repr(name))
    return [peer for peer in PEERS if peer.name in names or peer.name.partition("-")[0] in names]
