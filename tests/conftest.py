"""Shared fixtures; puts `tests/` on the path so that tests can import `helpers` and `ops.cases`."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS))

settings.register_profile(
    "intvit", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
settings.load_profile("intvit")


@pytest.fixture(scope="session")
def data_folder():
    """The folder of optional data (models and images that the repository does not hold)."""
    given = os.environ.get("INTVIT_DATA")
    folder = Path(given) if given else TESTS.parent.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no data at {folder}: set INTVIT_DATA to the folder that holds it")
    return folder
