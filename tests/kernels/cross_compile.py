"""The loop of a tile as assembly for any processor."""

from llvmlite import binding, ir

from intvit.kernels.sums_ir import NEXT_BYTES, Operands, emit_sums
from intvit.kernels.vector_ir import I64, store


def loop_of_tile(level, triple, cpu, features="", rows=6, flips=False, fetches=0):
    """Return the instructions of the loop over the depth of the largest tile, or of one with fewer rows."""
    module = ir.Module()
    module.triple = triple
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [I64] * (7 + rows)), "tile")
    builder = ir.IRBuilder(function.append_basic_block())
    packed, steps, bias, out, ahead, beside, stride, *x_rows = function.args
    operands = Operands(x_rows, packed, steps, bias, [(ahead, I64(NEXT_BYTES)), (beside, stride)][:fetches])
    sums = emit_sums(builder, level, flips, operands, level.traits.vectors)
    for i, vector in enumerate(v for row in sums for v in row):
        store(builder, vector, builder.add(out, I64(4 * level.traits.lanes * i)))
    builder.ret_void()
    return _loop(_compile(str(module), triple, cpu, features))


def _compile(text, triple, cpu, features):
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    module = binding.parse_assembly(text)
    module.verify()
    machine = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, features=features, opt=3)
    options = binding.create_pipeline_tuning_options(speed_level=3)
    options.loop_unrolling = False
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return machine.emit_assembly(module)


def _loop(assembly):
    """Return the instructions from the first label that is jumped back to, until the last jump back."""
    lines = [line.split("#")[0].strip() for line in assembly.splitlines()]
    jumps = []
    for i, line in enumerate(lines):
        label = line.removesuffix(":")
        ends = (f"\t{label}", f" {label}")
        jumps += [(i, j) for j in range(i, len(lines)) if label != line and lines[j].endswith(ends)]
    assert jumps, f"no loop in\n{assembly}"
    return [line for line in lines[jumps[0][0] + 1 : jumps[-1][1] + 1] if line and not line.startswith(".")]
