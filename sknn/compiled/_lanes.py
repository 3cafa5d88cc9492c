"""Rows of a matrix in blocks of sixteen numbers, which stay in registers. Imports numba.

LLVM's own vectors, which it cuts into as many as the processor has. A loop over single numbers
becomes the same only for whole blocks, and goes through the rest of a row number by number.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from ._places import N_LANES

_generated: Any = intrinsic  # whose types leave the first argument to the caller
_LANES = ir.VectorType(ir.FloatType(), N_LANES)
_INT = ir.IntType(32)
_FLAGS = ("reassoc", "contract")  # sums in any order; a product and a sum may be rounded once


class Lanes(types.Type):
    """The type of a block's numbers."""

    def __init__(self) -> None:
        super().__init__(name="Lanes")


LANES = Lanes()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _LANES)


def _block_at(context: Any, builder: Any, signature: Any, values: Any) -> Any:
    """Return where a block of rows (n, width) is, from the rows, a row and the block's number."""
    rows = context.make_array(signature.args[0])(context, builder, values[0])
    width = cgutils.unpack_tuple(builder, rows.shape)[1]
    start = builder.mul(values[1], width)
    place = builder.add(start, builder.mul(values[2], ir.Constant(values[2].type, N_LANES)))
    return builder.bitcast(builder.gep(rows.data, [place]), _LANES.as_pointer())


def _are_rows(rows: Any) -> bool:
    return rows == types.Array(types.float32, 2, "C")


@_generated
def load(typing: Any, rows: Any, row: Any, block: Any) -> Any:
    """Return a block of a row; rows are float32 (n, width)."""
    if not _are_rows(rows):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_block_at(context, builder, signature, values), align=4)

    return LANES(rows, types.int64, types.int64), generate


@_generated
def store(typing: Any, rows: Any, row: Any, block: Any, lanes: Any) -> Any:
    """Write a block of a row."""
    if not _are_rows(rows):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[3], _block_at(context, builder, signature, values), align=4)
        return context.get_dummy_value()

    return types.void(rows, types.int64, types.int64, LANES), generate


@_generated
def fetch(typing: Any, rows: Any, row: Any, block: Any) -> Any:
    """Have the memory bring a block of a row, which is to be read and written soon."""
    if not _are_rows(rows):
        return None

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        place = _block_at(context, builder, signature, values)
        pointer = cgutils.voidptr_t
        kind = ir.FunctionType(ir.VoidType(), [pointer, _INT, _INT, _INT])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        to_write, into_all_caches, data = _INT(1), _INT(3), _INT(1)
        builder.call(function, [builder.bitcast(place, pointer), to_write, into_all_caches, data])
        return context.get_dummy_value()

    return types.void(rows, types.int64, types.int64), generate


@_generated
def spread(typing: Any, number: Any) -> Any:
    """Return a block of which each number is this one."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        one = builder.insert_element(ir.Constant(_LANES, ir.Undefined), values[0], _INT(0))
        places = ir.Constant(ir.VectorType(_INT, N_LANES), [0] * N_LANES)
        return builder.shuffle_vector(one, ir.Constant(_LANES, ir.Undefined), places)

    return LANES(types.float32), generate


@_generated
def multiply_add(typing: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a b + c of three blocks."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fadd(builder.fmul(*values[:2], flags=_FLAGS), values[2], flags=_FLAGS)

    return LANES(LANES, LANES, LANES), generate


@_generated
def over_root(typing: Any, a: Any, b: Any) -> Any:
    """Return a / sqrt(b) of two blocks."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind, name = ir.FunctionType(_LANES, [_LANES]), f"llvm.sqrt.v{N_LANES}f32"
        root = builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values[1:])
        return builder.fdiv(values[0], root)

    return LANES(LANES, LANES), generate


@_generated
def total(typing: Any, lanes: Any) -> Any:
    """Return the sum of a block's numbers."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(ir.FloatType(), [ir.FloatType(), _LANES])
        name = f"llvm.vector.reduce.fadd.v{N_LANES}f32"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        zero = ir.Constant(ir.FloatType(), 0.0)
        return builder.call(function, [zero, values[0]], fastmath=_FLAGS)

    return types.float32(LANES), generate
