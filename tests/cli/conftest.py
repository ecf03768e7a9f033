import pytest
from cli_fixtures import MODELS, quantize_arguments, succeed


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """The digits model, quantized by the real command."""
    path = tmp_path_factory.mktemp("digits") / "digits.int8.onnx"
    succeed(*quantize_arguments(path), "--labels", MODELS / "digits_classes.txt")
    return path
