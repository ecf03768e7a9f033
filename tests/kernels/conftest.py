import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from intvit.kernels.simd import supported_levels


@pytest.fixture(params=supported_levels())
def level(request):
    return request.param
