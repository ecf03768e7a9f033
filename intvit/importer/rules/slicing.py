"""Write every selection of a contiguous range as a `Slice` of one axis, with step 1 and clamped bounds."""

import onnx_ir as ir

from intvit.importer.rewrite import Editor, Rule, array_of, dims_of, input_of, integers_of, known_dims


def _split(editor: Editor, node: ir.Node) -> bool:
    """One slice for each output that is used."""
    source, dims = node.inputs[0], dims_of(node.inputs[0])
    if source is None or dims is None or any(dims_of(o) is None for o in node.outputs):
        return False
    axis = node.attributes.get_int("axis", 0) % len(dims)
    start = 0
    for index, out in enumerate(node.outputs):
        stop = start + known_dims(out)[axis]
        if out.uses() or out.is_graph_output():
            editor.supersede(out, _emit_slice(editor, node, source, axis, start, stop, f"{index}"))
        start = stop
    return True


def _gather(editor: Editor, node: ir.Node) -> bool:
    """A constant index is a slice without its axis; constant consecutive indices are a slice, in other dims."""
    source, dims, out = node.inputs[0], dims_of(node.inputs[0]), dims_of(node.outputs[0])
    indices = array_of(node.inputs[1])
    if source is None or dims is None or out is None or indices is None or array_of(source) is not None:
        return False
    axis = node.attributes.get_int("axis", 0) % len(dims)
    numbers = [int(i) % dims[axis] for i in indices.ravel()]
    if not numbers or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return False
    start, stop = numbers[0], numbers[-1] + 1
    is_whole = len(numbers) == dims[axis]
    if indices.ndim == 1:
        if is_whole:
            return editor.bypass(node.outputs[0], source)
        editor.supersede(node.outputs[0], _emit_slice(editor, node, source, axis, start, stop))
        return True
    part = source if is_whole else _emit_slice(editor, node, source, axis, start, stop, "slice")
    if indices.ndim == 0:
        axes = editor.integers([axis], f"{node.name}_axes")
        editor.supersede(node.outputs[0], editor.emit("Squeeze", [part, axes], out, at=node))
    else:
        target = editor.integers(out, f"{node.name}_dims")
        editor.supersede(node.outputs[0], editor.emit("Reshape", [part, target], out, at=node))
    return True


def _slice(editor: Editor, node: ir.Node) -> bool:
    """One slice an axis, none for an axis that is kept whole."""
    source, dims = node.inputs[0], dims_of(node.inputs[0])
    starts, ends = integers_of(node.inputs[1]), integers_of(node.inputs[2])
    if source is None or dims is None or starts is None or ends is None or array_of(source) is not None:
        return False
    axes = integers_of(input_of(node, 3)) if input_of(node, 3) is not None else list(range(len(starts)))
    steps = integers_of(input_of(node, 4)) if input_of(node, 4) is not None else [1] * len(starts)
    if axes is None or steps is None or set(steps) != {1}:
        return False
    bounds = zip(axes, starts, ends, strict=True)
    ranges = [(axis % len(dims), *_clamp(start, end, dims[axis])) for axis, start, end in bounds]
    ranges = [(axis, start, stop) for axis, start, stop in ranges if (start, stop) != (0, dims[axis])]
    value = source
    for index, (axis, start, stop) in enumerate(ranges):
        last = index == len(ranges) - 1
        value = _emit_slice(editor, node, value, axis, start, stop, None if last else f"axis{axis}")
    if value is source:
        return editor.bypass(node.outputs[0], source)
    editor.supersede(node.outputs[0], value)
    return True


def _clamp(start: int, end: int, size: int) -> tuple[int, int]:
    first, stop = (min(max(n + size if n < 0 else n, 0), size) for n in (start, end))
    return first, max(first, stop)


def _emit_slice(
    editor: Editor, node: ir.Node, source: ir.Value, axis: int, start: int, stop: int, name: str | None = None
) -> ir.Value:
    dims = list(known_dims(source))
    dims[axis] = stop - start
    label = f"{node.name}_{name}" if name else f"{node.name}"
    roles = {"starts": start, "ends": stop, "axes": axis, "steps": 1}
    bounds = [editor.integers([number], f"{label}_{role}") for role, number in roles.items()]
    return editor.emit("Slice", [source, *bounds], dims, at=node, name=name)


SLICING_RULES = (
    Rule("slice", ("Slice",), _slice),
    Rule("split", ("Split",), _split),
    Rule("gather", ("Gather",), _gather),
)
