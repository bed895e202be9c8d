"""Eight bytes at a time: what the byte kernels (hashing, CSV, VW) need and numba does not offer.

A byte buffer is read as little-endian 64-bit words; :func:`equal_bytes` finds a byte in all eight lanes at
once, :func:`first_lane` and :func:`count_lanes` read the mask it returns.
"""

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LOW = np.uint64(0x7F7F7F7F7F7F7F7F)
HIGH = np.uint64(0x8080808080808080)
ONES = np.uint64(0x0101010101010101)


def _load(width: int, result: Any) -> Any:
    """Make an intrinsic that loads `width` bits at any byte offset and widens them to 64."""

    @intrinsic
    def load(typingctx: Any, buffer: Any, index: Any) -> Any:
        signature = types.uint64(buffer, types.int64)

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            array = context.make_array(sig.args[0])(context, builder, args[0])
            pointer = builder.gep(array.data, [args[1]])
            word = builder.bitcast(pointer, ir.PointerType(ir.IntType(width)))
            value = builder.load(word, align=1)
            return value if width == 64 else builder.zext(value, ir.IntType(64))

        return signature, codegen

    return load


#: ``load64(buffer: uint8[:], index: int64) -> uint64``: the word that starts at `index`.
load64 = _load(64, types.uint64)
#: ``load32(buffer: uint8[:], index: int64) -> uint64``: the half word that starts at `index`.
load32 = _load(32, types.uint64)


@intrinsic
def trailing_zeros(typingctx: Any, word: Any) -> Any:
    """Number of zero bits below the lowest set bit of a uint64 (undefined for 0)."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.cttz(args[0], cgutils.true_bit)

    return types.int64(types.uint64), codegen


@intrinsic
def set_bits(typingctx: Any, word: Any) -> Any:
    """Number of set bits of a uint64."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.ctpop(args[0])

    return types.int64(types.uint64), codegen


@njit(nogil=True, cache=True, inline="always")
def equal_bytes(word, pattern):  # type: ignore[no-untyped-def]
    """Mask with the high bit of every lane of `word` that equals that of `pattern` (exact, no carries)."""
    x = word ^ pattern
    return ~(((x & LOW) + LOW) | x) & HIGH


@njit(nogil=True, cache=True, inline="always")
def first_lane(mask):  # type: ignore[no-untyped-def]
    """Lane (0..7) of the lowest marked byte of a non-zero mask."""
    return trailing_zeros(mask) >> 3  # type: ignore[call-arg]


@njit(nogil=True, cache=True, inline="always")
def count_lanes(mask):  # type: ignore[no-untyped-def]
    """How many lanes of a mask are marked."""
    return set_bits(mask)  # type: ignore[call-arg]
