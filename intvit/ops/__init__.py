"""The integer operators, one file each: attributes, type inference, ranges, NumPy reference and ONNX function body."""

from intvit.ir.op import Op
from intvit.ops.add import Add
from intvit.ops.append_residuals import AppendResiduals
from intvit.ops.concat import Concat
from intvit.ops.expand import Expand
from intvit.ops.gelu_erf import GeluErf
from intvit.ops.gelu_polynomial import GeluPolynomial
from intvit.ops.gelu_shift import GeluShift
from intvit.ops.gelu_table import GeluTable
from intvit.ops.layer_norm import LayerNorm
from intvit.ops.layer_norm_newton import LayerNormNewton
from intvit.ops.linear import Linear
from intvit.ops.matmul import MatMul
from intvit.ops.mean import Mean
from intvit.ops.requantize import Requantize
from intvit.ops.reshape import Reshape
from intvit.ops.shiftmax import Shiftmax
from intvit.ops.slice import Slice
from intvit.ops.softmax_bit import SoftmaxBit
from intvit.ops.softmax_divide import SoftmaxDivide
from intvit.ops.softmax_i_bert import SoftmaxIBert
from intvit.ops.softmax_octave import SoftmaxOctave
from intvit.ops.softmax_polynomial import SoftmaxPolynomial
from intvit.ops.softmax_polynomial_wide import SoftmaxPolynomialWide
from intvit.ops.softmax_table import SoftmaxTable
from intvit.ops.softmax_two_scale import SoftmaxTwoScale
from intvit.ops.transpose import Transpose
from intvit.ops.two_scale_decode import TwoScaleDecode
from intvit.ops.two_scale_encode import TwoScaleEncode

OPS: dict[str, type[Op]] = {
    op.kind(): op
    for op in (
        Add,
        AppendResiduals,
        Concat,
        Expand,
        GeluErf,
        GeluPolynomial,
        GeluShift,
        GeluTable,
        LayerNorm,
        LayerNormNewton,
        Linear,
        MatMul,
        Mean,
        Requantize,
        Reshape,
        Shiftmax,
        Slice,
        SoftmaxBit,
        SoftmaxDivide,
        SoftmaxIBert,
        SoftmaxOctave,
        SoftmaxPolynomial,
        SoftmaxPolynomialWide,
        SoftmaxTable,
        SoftmaxTwoScale,
        Transpose,
        TwoScaleDecode,
        TwoScaleEncode,
    )
}
"""Every operator that a model file may hold, by name."""

__all__ = [
    "OPS",
    "Add",
    "AppendResiduals",
    "Concat",
    "Expand",
    "GeluErf",
    "GeluPolynomial",
    "GeluShift",
    "GeluTable",
    "LayerNorm",
    "LayerNormNewton",
    "Linear",
    "MatMul",
    "Mean",
    "Requantize",
    "Reshape",
    "Shiftmax",
    "Slice",
    "SoftmaxBit",
    "SoftmaxDivide",
    "SoftmaxIBert",
    "SoftmaxOctave",
    "SoftmaxPolynomial",
    "SoftmaxPolynomialWide",
    "SoftmaxTable",
    "SoftmaxTwoScale",
    "Transpose",
    "TwoScaleDecode",
    "TwoScaleEncode",
]
