"""Checks that anyone can run on a model file: no float, no overflow, known answers, equal bits from every executor."""

from intvit.verify.agreement import Agreement, Difference, check_agreement
from intvit.verify.executors import EXECUTORS, Executor, find_executors
from intvit.verify.float_free import FloatFree, check_float_free
from intvit.verify.known_answer import KnownAnswerCheck, check_known_answer
from intvit.verify.overflow import OverflowCheck, check_overflow
from intvit.verify.subject import Subject

__all__ = [
    "EXECUTORS",
    "Agreement",
    "Difference",
    "Executor",
    "FloatFree",
    "KnownAnswerCheck",
    "OverflowCheck",
    "Subject",
    "check_agreement",
    "check_float_free",
    "check_known_answer",
    "check_overflow",
    "find_executors",
]
