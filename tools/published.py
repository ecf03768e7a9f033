"""What others published for DeiT-Tiny on the whole ImageNet validation set, with where each figure is from."""

from __future__ import annotations

from dataclasses import dataclass

FLOAT_TOP1 = 72.21
"""The float model's top-1 in all these sources, in percent."""

I_VIT = "[arXiv 2207.01405](https://arxiv.org/abs/2207.01405)"
IPTQ_VIT = "[arXiv 2511.15369](https://arxiv.org/abs/2511.15369)"
AIQVIT = "[arXiv 2502.04628](https://arxiv.org/abs/2502.04628)"
TSPTQ_VIT = "[arXiv 2305.12901](https://arxiv.org/abs/2305.12901)"
COQMOE = "[arXiv 2506.08496](https://arxiv.org/abs/2506.08496)"
FQ_VIT = "[arXiv 2111.13824](https://arxiv.org/abs/2111.13824)"
MIXED = "[arXiv 2407.18437](https://arxiv.org/abs/2407.18437)"
REPQ_VIT = "[arXiv 2212.08254](https://arxiv.org/abs/2212.08254)"
TUNED, INTEGER, PARTLY = "fine-tuned, integer only", "calibrated only, integer only", "calibrated only, partly float"
LEARNED, QUANTIZED = "learned on calibration images", "calibrated only, all quantized"


@dataclass(frozen=True)
class Published:
    """One figure.

    Attributes:
        method: the method's name.
        weight_bits: bits of weights.
        act_bits: bits of activations.
        top1: in percent; None where no figure for DeiT-Tiny was found.
        how: whether it was fine-tuned, and whether what is not linear is computed in integers.
        source: where the figure is from.
        recipe: the recipe of this package that follows the method, if there is one.
    """

    method: str
    weight_bits: int
    act_bits: int
    top1: float | None
    how: str
    source: str
    recipe: str | None = None

    @property
    def drop(self) -> float | None:
        """Top-1 lost against float, in points."""
        return None if self.top1 is None else FLOAT_TOP1 - self.top1


PUBLISHED = (
    Published("Mixed non-linear quantization", 8, 8, 72.55, TUNED, MIXED),
    Published("I-ViT", 8, 8, 72.24, TUNED, f"{I_VIT}, its repository", "i-vit"),
    Published("RepQ-ViT", 8, 8, 71.94, PARTLY, f"{REPQ_VIT}, run again by {COQMOE}"),
    Published("TSPTQ-ViT", 8, 8, 71.87, QUANTIZED, f"{TSPTQ_VIT}, quoted by {COQMOE}", "tsptq-vit"),
    Published("CoQMoE, 4-bit attention", 8, 8, 71.64, "calibrated only, mostly integer", COQMOE),
    Published("FQ-ViT", 8, 8, 71.61, "calibrated only, GELU float", f"{FQ_VIT}, its repository"),
    Published("percentile", 8, 8, 71.47, QUANTIZED, f"{FQ_VIT}, its repository"),
    Published("TR-PTQ", 8, 8, 71.39, INTEGER, "TR-PTQ (2026), table 1"),
    Published("I-BERT", 8, 8, 71.33, TUNED, "quoted by others"),
    Published("OMSE", 8, 8, 71.30, QUANTIZED, f"{FQ_VIT}, its repository"),
    Published("QUARK", 8, 8, 71.29, INTEGER, "TR-PTQ (2026), table 1"),
    Published("Zhang et al. (MLSys 2023)", 8, 8, 71.08, INTEGER, "TR-PTQ (2026), table 1"),
    Published("SOLE", 8, 8, 71.07, INTEGER, "TR-PTQ (2026), table 1"),
    Published("minimum and maximum", 8, 8, 70.94, QUANTIZED, f"{FQ_VIT}, its repository", "minmax"),
    Published("I-ViT's operators", 8, 8, 69.50, INTEGER, "logs of a fork, named in issue 14 of I-ViT's repository", "i-vit"),
    Published("IPTQ-ViT", 8, 8, None, INTEGER, IPTQ_VIT, "iptq-vit"),
    Published("AdaLog", 6, 6, 71.38, PARTLY, "its repository"),
    Published("MPTQ", 6, 6, 71.03, "calibrated only", "quoted by others"),
    Published("TSPTQ-ViT", 6, 6, 70.82, QUANTIZED, f"{TSPTQ_VIT}, quoted by others", "tsptq-vit"),
    Published("RepQ-ViT", 6, 6, 70.76, PARTLY, f"{REPQ_VIT}, its repository"),
    Published("PTQ4ViT", 6, 6, 69.62, PARTLY, "quoted by others"),
    Published("Mixed non-linear quantization", 6, 6, 67.81, TUNED, MIXED),
    Published("I-ViT", 6, 6, 63.80, TUNED, f"run again by {MIXED}"),
    Published("AIQViT", 6, 6, None, LEARNED, AIQVIT, "aiqvit"),
    Published("ERQ", 4, 8, 68.31, PARTLY, "its W4A4 figure and the gain in its appendix G"),
    Published("IPTQ-ViT", 4, 8, None, INTEGER, IPTQ_VIT, "iptq-vit"),
    Published("GLF-Q", 4, 4, 67.37, PARTLY, "GLF-Q (2026), table 1"),
    Published("AdaLog, weights trained again", 4, 4, 67.14, PARTLY, "its repository"),
    Published("LS-ViT", 4, 4, 67.05, PARTLY, "quoted by others"),
    Published("FIMA-Q", 4, 4, 66.84, PARTLY, "its repository"),
    Published("APHQ-ViT", 4, 4, 66.66, PARTLY, "its repository"),
    Published("AdaLog", 4, 4, 63.52, PARTLY, "its repository"),
    Published("IGQ-ViT", 4, 4, 62.45, PARTLY, "quoted by others"),
    Published("AIQViT", 4, 4, 62.33, LEARNED, f"{AIQVIT}, quoted by others", "aiqvit"),
    Published("ERQ", 4, 4, 61.79, PARTLY, "its repository"),
    Published("RepQ-ViT", 4, 4, 57.43, PARTLY, f"{REPQ_VIT}, its repository"),
    Published("TSPTQ-ViT", 4, 4, 48.36, QUANTIZED, f"{TSPTQ_VIT}, quoted by others", "tsptq-vit"),
    Published("AIQViT", 3, 3, 38.51, LEARNED, f"{AIQVIT}, quoted by others", "aiqvit"),
)
"""All figures, the most accurate first within each width."""
