"""The softmaxes of the papers for a score scale, with their constants as the papers give them."""

import math
from fractions import Fraction

from intvit import ops
from intvit.numerics import S16

I_BERT = 0.35815147, 0.96963238


def shiftmax(scale, *, bits=16, to=S16, n=15):
    return ops.Shiftmax(to=to, bits=bits, unit=-math.floor(-1 / Fraction(scale)), n=n)


def softmax_bit(scale, *, bits=16, to=S16, nearest=1, numerator_bits=28):
    step = math.floor(Fraction(scale) * (1 << 16))
    return ops.SoftmaxBit(to=to, bits=bits, step=step, nearest=nearest, numerator_bits=numerator_bits)


def softmax_i_bert(scale, *, bits=16, to=S16):
    a, b = I_BERT
    ln2, b, c = max(1, math.floor(math.log(2) / scale)), math.floor(b / (a * scale)), max(1, math.floor(1 / (a * scale**2)))
    shift = 31 - (32767 // c).bit_length() - 1 if c < 32767 else min(32, 30 + (c // 32767).bit_length())
    return ops.SoftmaxIBert(to=to, bits=bits, ln2=ln2, b=b, c=c, multiplier=round(Fraction(32767 << shift, c)), shift=shift)
