"""Inner loops as instructions, for every processor that numba compiles for.

A compiler that is given plain loops keeps their sums in memory; here they are spelled out as
vectors of eight numbers, which stay in registers. A logarithm to base two is the exponent that a
number carries anyway.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

__all__ = ["N_Y", "N_Z", "add_products", "octave_of", "set_polynomial"]

N_Y = 6
"""Points of a tile along y; a tile fills 12 of 16 vector registers of four numbers."""
N_Z = 8
"""Points of a tile along z."""

_DOUBLE, _INT = ir.DoubleType(), ir.IntType(32)
_VECTOR = ir.VectorType(_DOUBLE, N_Z)
_ZERO = ir.Constant(_VECTOR, [0.0] * N_Z)
_FIRST_LANE = ir.Constant(ir.VectorType(_INT, N_Z), [0] * N_Z)


class _Writer:
    """Writes instructions on the arrays that an intrinsic function was called with."""

    def __init__(self, context: Any, builder: Any, kinds: Any, arguments: Any) -> None:
        self.context, self.builder = context, builder
        self.kinds, self.arguments = kinds, arguments
        self.offsets = cgutils.unpack_tuple(builder, arguments[-1])
        self.width = self.offsets[0].type
        function = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        name = f"llvm.fmuladd.v{N_Z}f64"
        self._multiply_add = cgutils.get_or_insert_function(builder.module, function, name)

    def start(self, n: int, offset: Any) -> Any:
        """Return the address of an element of array argument `n`."""
        view = self.context.make_array(self.kinds[n])
        array = view(self.context, self.builder, self.arguments[n])
        return self.builder.gep(array.data, [offset])

    def move(self, place: Any, index: Any, factor: int = 1) -> Any:
        """Return the address `factor` times `index` numbers further on."""
        return self.builder.gep(place, [self.builder.mul(index, self.width(factor))])

    def load(self, place: Any) -> Any:
        """Read a vector, at any address."""
        place = self.builder.bitcast(place, _VECTOR.as_pointer())
        return self.builder.load(place, align=8, typ=_VECTOR)

    def store(self, value: Any, place: Any) -> None:
        """Write a vector, at any address."""
        self.builder.store(value, self.builder.bitcast(place, _VECTOR.as_pointer()), align=8)

    def spread(self, place: Any) -> Any:
        """Read one number into every lane of a vector."""
        number = self.builder.load(place)
        lane = self.builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), number, _INT(0))
        return self.builder.shuffle_vector(lane, lane, _FIRST_LANE)

    def multiply_add(self, a: Any, b: Any, c: Any) -> Any:
        """Return a b + c."""
        return self.builder.call(self._multiply_add, [a, b, c])


def _add_products(
    typing: Any,  # noqa: ARG001 - the compiler passes it
    rows: Any,
    out: Any,
    limits: Any,
    squares: Any,
    offsets: Any,
) -> Any:
    """Add sum over r < n of y[6 r + p] z[8 r + q] to out[p stride + q], inside an edge.

    `rows` are y and z. Something is added only where squares[q] is below limits[p]. All arrays are
    flat; `offsets` are the beginnings of y and z, n, the beginning of out, stride, and the
    beginning of the squares.
    """
    signature = types.void(rows, out, limits, squares, offsets)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = [*signature.args[0].types, *signature.args[1:]]
        given = [*cgutils.unpack_tuple(builder, arguments[0]), *arguments[1:]]
        write = _Writer(context, builder, kinds, given)
        first_y, first_z, n, place, stride, first_square = write.offsets
        rows_y, rows_z = write.start(0, first_y), write.start(1, first_z)
        sums = [cgutils.alloca_once_value(builder, _ZERO) for _ in range(N_Y)]
        with cgutils.for_range(builder, n) as loop:
            z_row = write.load(write.move(rows_z, loop.index, N_Z))
            y_row = write.move(rows_y, loop.index, N_Y)
            for p, total in enumerate(sums):
                factor = write.spread(builder.gep(y_row, [write.width(p)]))
                value = write.multiply_add(factor, z_row, builder.load(total))
                builder.store(value, total)
        limits, target = write.start(3, write.width(0)), write.start(2, place)
        squares = write.load(write.start(4, first_square))
        for p, total in enumerate(sums):
            limit = write.spread(builder.gep(limits, [write.width(p)]))
            inside = builder.fcmp_ordered("<", squares, limit)
            value = builder.select(inside, builder.load(total), _ZERO)
            row = write.move(target, stride, p)
            write.store(builder.fadd(write.load(row), value), row)
        return context.get_dummy_value()

    return signature, emit


def _set_polynomial(
    typing: Any,  # noqa: ARG001
    out: Any,
    coefficients: Any,
    z: Any,
    factors: Any,
    offsets: Any,
) -> Any:
    """Set eight values to factors times sum over k < n of coefficients[k] z^k.

    All arrays are flat; `offsets` are the beginning of out, of the coefficients, n, the beginning
    of z and of the factors.
    """
    signature = types.void(out, coefficients, z, factors, offsets)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        write = _Writer(context, builder, signature.args, arguments)
        place, first, n, first_z, first_factor = write.offsets
        distances, terms = write.load(write.start(2, first_z)), write.start(1, first)
        value = cgutils.alloca_once_value(builder, _ZERO)
        last = builder.sub(n, write.width(1))
        with cgutils.for_range(builder, n) as loop:
            term = write.spread(write.move(terms, builder.sub(last, loop.index)))
            builder.store(write.multiply_add(builder.load(value), distances, term), value)
        product = builder.fmul(builder.load(value), write.load(write.start(3, first_factor)))
        write.store(product, write.start(0, place))
        return context.get_dummy_value()

    return signature, emit


def _octave_of(typing: Any, q: Any) -> Any:  # noqa: ARG001
    """Return n and m with q = 2^n (1 + m) and m from 0 to 1, from the bits of a normal number."""
    signature = types.UniTuple(types.float64, 2)(types.float64)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = ir.IntType(64)
        bits = builder.bitcast(arguments[0], whole)
        exponent = builder.sub(builder.lshr(bits, whole(52)), whole(1023))
        fraction = builder.or_(builder.and_(bits, whole(2**52 - 1)), whole(1023 << 52))
        beyond = builder.fsub(builder.bitcast(fraction, _DOUBLE), _DOUBLE(1.0))
        parts = (builder.sitofp(exponent, _DOUBLE), beyond)
        return context.make_tuple(builder, signature.return_type, parts)

    return signature, emit


octave_of: Any = intrinsic(_octave_of)
add_products: Any = intrinsic(_add_products)
set_polynomial: Any = intrinsic(_set_polynomial)
