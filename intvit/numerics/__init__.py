"""Integer arithmetic with one meaning everywhere: types, intervals, dyadic scales, rescale and square root."""

from intvit.numerics.dyadic import Dyadic, common_shift
from intvit.numerics.int_type import S4, S8, S16, S32, S63, S64, U8, U16, IntType
from intvit.numerics.interval import Interval
from intvit.numerics.isqrt import isqrt
from intvit.numerics.rescale import rescale, saturate, shift_right

__all__ = [
    "S4",
    "S8",
    "S16",
    "S32",
    "S63",
    "S64",
    "U8",
    "U16",
    "Dyadic",
    "IntType",
    "Interval",
    "common_shift",
    "isqrt",
    "rescale",
    "saturate",
    "shift_right",
]
