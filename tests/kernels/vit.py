"""Random integer Vision Transformers, and what they compute by the operators' references."""

from intvit.verify.sample import DEIT_TINY, Shape, sample_vit


def make_vit(seed=0, **shape):
    return sample_vit(Shape(**shape), seed)


def deit_tiny():
    return sample_vit(DEIT_TINY)


def walk(graph, inputs):
    """Compute every value with the operators' references."""
    values = {**graph.constants, **inputs}
    for node in graph.nodes:
        outputs = node.op.reference(*(values[name] for name in node.inputs))
        values.update(zip(node.outputs, outputs, strict=True))
    return values
