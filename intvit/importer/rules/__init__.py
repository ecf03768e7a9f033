"""The rewrite rules, in the order in which they run."""

from intvit.importer.rules.arithmetic import ARITHMETIC_RULES
from intvit.importer.rules.attention import ATTENTION_RULES
from intvit.importer.rules.gelu import GELU_RULES
from intvit.importer.rules.layer_norm import LAYER_NORM_RULES
from intvit.importer.rules.linear import LINEAR_RULES
from intvit.importer.rules.noop import NOOP_RULES
from intvit.importer.rules.pooling import POOLING_RULES
from intvit.importer.rules.slicing import SLICING_RULES

ALL_RULES = (
    *NOOP_RULES,
    *ARITHMETIC_RULES,
    *LAYER_NORM_RULES,
    *GELU_RULES,
    *LINEAR_RULES,
    *ATTENTION_RULES,
    *POOLING_RULES,
    *SLICING_RULES,
    *NOOP_RULES,
)

__all__ = ["ALL_RULES"]
