"""Text to numbers and times, exactly: a column stored as strings but planned as numbers or times.

Every value gets a class and 64 bits. Integers are exact up to 64 bits (an id of 19 digits never goes through
a float), decimals are the correctly rounded float64, and a value that is no number has the class ``TEXT``:
nothing here fails on a column that turns to text at row 200,000.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numba import njit

#: Classes of a parsed value. INT: int64 bits. BIG: uint64 at or above 2**63. REAL: float64 bits, not integral
#: in 64 bits. TEXT: not a number. LONG: an integer of more than 64 bits, or digits beyond the range of
#: float64 (3e450, 1e-400): its float64 bits, equal only as text.
NULL, INT, BIG, REAL, TEXT, LONG, _SLOW, _SLOW_LONG = range(8)

_POW10 = 10.0 ** np.arange(23)
_TWO53 = np.uint64(1) << np.uint64(53)
_TWO63 = np.uint64(1) << np.uint64(63)
_SAFE = np.uint64(10**18)
_FULL = np.uint64(0xFFFFFFFFFFFFFFFF)
_NANOSECONDS_A_DAY = 86_400_000_000_000


@njit(nogil=True, cache=True, inline="always")
def classify_float(value):  # type: ignore[no-untyped-def]
    """(class, bits) of a float64: integral values that fit 64 bits become integers."""
    if value == np.floor(value):
        if -9223372036854775808.0 <= value < 9223372036854775808.0:
            return INT, np.uint64(np.int64(value))
        if 9223372036854775808.0 <= value < 18446744073709551616.0:
            return BIG, np.uint64(np.int64(value - 9223372036854775808.0)) ^ _TWO63
    return REAL, np.float64(value).view(np.uint64)


@njit(nogil=True, cache=True)
def _word(data, a, b):  # type: ignore[no-untyped-def]
    """float64 of the words nan, inf, infinity (any case, signed), or 0 when the bytes are none of them."""
    negative = data[a] == 45
    if data[a] == 45 or data[a] == 43:
        a += 1
    length = b - a
    if length != 3 and length != 8:
        return 0.0
    x, y, z = data[a] | 32, data[a + 1] | 32, data[a + 2] | 32
    if length == 3 and x == 110 and y == 97 and z == 110:
        return np.nan
    if x == 105 and y == 110 and z == 102:
        if length == 8:
            for k, c in enumerate((105, 110, 105, 116, 121)):  # "inity"
                if data[a + 3 + k] | 32 != c:
                    return 0.0
        return -np.inf if negative else np.inf
    return 0.0


@njit(nogil=True, cache=True)
def _parse_number(data, a, b):  # type: ignore[no-untyped-def]
    """(class, bits) of the bytes ``data[a:b]``; _SLOW and _SLOW_LONG: too long for one exact operation."""
    while a < b and (data[a] == 32 or data[a] == 9):
        a += 1
    while b > a and (data[b - 1] == 32 or data[b - 1] == 9):
        b -= 1
    if a == b:
        return TEXT, np.uint64(0)
    i = a
    negative = data[i] == 45
    if negative or data[i] == 43:
        i += 1
    mantissa = np.uint64(0)
    exponent = 0
    digits = 0
    zeros = 0  # zeros after the point not yet known to matter: "3.00" is the integer 3
    point = False
    overflow = False
    while i < b:
        c = data[i]
        if c == 46 and not point:
            point = True
            i += 1
            continue
        digit = np.uint64(c) - np.uint64(48)
        if digit > np.uint64(9):
            break
        digits += 1
        if point and digit == np.uint64(0):
            zeros += 1
        else:
            steps = zeros + 1 if point else 1
            exponent -= steps if point else 0
            zeros = 0
            for step in range(steps):
                last = digit if step == steps - 1 else np.uint64(0)
                # 19 digits always fit
                if mantissa > _SAFE and mantissa > (_FULL - last) // np.uint64(10):
                    overflow = True
                    break
                mantissa = mantissa * np.uint64(10) + last
        i += 1
    if digits == 0:
        word = _word(data, a, b)
        return (TEXT, np.uint64(0)) if word == 0.0 else (REAL, np.float64(word).view(np.uint64))
    if i < b:
        if data[i] | 32 != 101:  # e
            return TEXT, np.uint64(0)
        i += 1
        down = False
        if i < b and (data[i] == 45 or data[i] == 43):
            down = data[i] == 45
            i += 1
        if i == b:
            return TEXT, np.uint64(0)
        shift = 0
        while i < b:
            if data[i] < 48 or data[i] > 57:
                return TEXT, np.uint64(0)
            shift = min(shift * 10 + int(data[i]) - 48, 100_000)
            i += 1
        exponent += -shift if down else shift
    if exponent == 0 and not overflow:
        if not negative:
            return (INT if mantissa < _TWO63 else BIG), mantissa
        if mantissa <= _TWO63:
            return INT, ~mantissa + np.uint64(1)
    if mantissa == 0:
        return INT, mantissa
    if exponent == 0:
        return _SLOW_LONG, np.uint64(0)
    if overflow or mantissa > _TWO53 or exponent > 22 or exponent < -22:
        return _SLOW, np.uint64(0)
    value = np.float64(mantissa)  # both factors exact: one correctly rounded operation
    value = value * _POW10[exponent] if exponent > 0 else value / _POW10[-exponent]
    return classify_float(-value if negative else value)


@njit(nogil=True, cache=True)
def _parse_column(data, offsets, bitmap, first, classes, bits):  # type: ignore[no-untyped-def]
    """Parse every value; returns how many, and how many bytes, are left to the library."""
    count = 0
    size = np.int64(0)
    for i in range(len(classes)):
        if len(bitmap) and not (bitmap[(first + i) >> 3] >> ((first + i) & 7)) & 1:
            classes[i] = NULL
            continue
        a, b = np.int64(offsets[i]), np.int64(offsets[i + 1])
        kind, value = _parse_number(data, a, b)
        classes[i] = kind
        bits[i] = value
        if kind >= _SLOW:
            count += 1
            size += b - a
    return count, size


@njit(nogil=True, cache=True)
def _gather_slow(data, offsets, classes, where, starts, text):  # type: ignore[no-untyped-def]
    k = at = 0
    for i in range(len(classes)):
        if classes[i] >= _SLOW:
            where[k] = i
            for j in range(offsets[i], offsets[i + 1]):
                if data[j] != 32 and data[j] != 9:
                    text[at] = data[j]
                    at += 1
            k += 1
            starts[k] = at


@njit(nogil=True, cache=True)
def _settle_slow(values, where, classes, bits):  # type: ignore[no-untyped-def]
    for k in range(len(where)):
        i = where[k]
        if classes[i] == _SLOW_LONG or np.isinf(values[k]) or values[k] == 0:
            classes[i] = LONG
            bits[i] = np.float64(values[k]).view(np.uint64)
        else:
            kind, value = classify_float(values[k])
            classes[i] = kind
            bits[i] = value


def parse_numbers(data: np.ndarray, offsets: np.ndarray, bitmap: np.ndarray, first: int) -> tuple:
    """Classes and bits of the numbers written in an Arrow string buffer.

    Parameters
    ----------
    data : uint8 (bytes,)
    offsets : int32 or int64 (n + 1,)
    bitmap : uint8
        Validity bits, or empty when nothing is null.
    first : int
        Bit of the first value in `bitmap`.

    Returns
    -------
    classes : uint8 (n,)
    bits : uint64 (n,)
    """
    n = len(offsets) - 1
    classes = np.empty(n, np.uint8)
    bits = np.zeros(n, np.uint64)
    count, size = _parse_column(data, offsets, bitmap, first, classes, bits)
    if count:  # more digits than one exact float operation can take: Arrow rounds them correctly
        where = np.empty(count, np.int64)
        starts = np.zeros(count + 1, np.int64)
        text = np.empty(size, np.uint8)
        _gather_slow(data, offsets, classes, where, starts, text)
        strings = pa.LargeStringArray.from_buffers(count, pa.py_buffer(starts), pa.py_buffer(text))
        _settle_slow(pc.cast(strings, pa.float64()).to_numpy(), where, classes, bits)
    return classes, bits


@njit(nogil=True, cache=True)
def _digits(data, i, b, limit):  # type: ignore[no-untyped-def]
    """(value, how many) of at most `limit` digits from `i`."""
    value = np.int64(0)
    count = 0
    while i + count < b and count < limit and 48 <= data[i + count] <= 57:
        value = value * 10 + np.int64(data[i + count]) - 48
        count += 1
    return value, count


@njit(nogil=True, cache=True)
def _parse_time(data, a, b):  # type: ignore[no-untyped-def]
    """(is a time, ns since 1970 UTC) of ISO 8601: date, maybe a time, a fraction, Z or an offset."""
    while a < b and data[a] == 32:
        a += 1
    while b > a and data[b - 1] == 32:
        b -= 1
    if b - a < 10 or data[a + 4] != 45 or data[a + 7] != 45:
        return False, 0
    year, n1 = _digits(data, a, b, 4)
    month, n2 = _digits(data, a + 5, b, 2)
    day, n3 = _digits(data, a + 8, b, 2)
    if (
        n1 != 4
        or n2 != 2
        or n3 != 2
        or not 1 <= month <= 12
        or not 1 <= day <= 31
        or not 1678 <= year <= 2261  # what int64 nanoseconds can hold
    ):
        return False, 0
    y = year - 1 if month <= 2 else year  # days from the civil calendar, March-based years
    era = y // 400
    yoe = y - era * 400
    doy = (153 * (month + (9 if month <= 2 else -3)) + 2) // 5 + day - 1
    days = era * 146097 + yoe * 365 + yoe // 4 - yoe // 100 + doy - 719468
    ns = days * _NANOSECONDS_A_DAY
    i = a + 10
    if i == b:
        return True, ns
    if data[i] != 32 and data[i] != 84:
        return False, 0
    hour, n1 = _digits(data, i + 1, b, 2)
    if n1 != 2 or i + 6 > b or data[i + 3] != 58:
        return False, 0
    minute, n2 = _digits(data, i + 4, b, 2)
    i += 6
    second = fraction = 0
    if n2 != 2 or hour > 24 or minute > 59:
        return False, 0
    if i < b and data[i] == 58:
        second, n3 = _digits(data, i + 1, b, 2)
        i += 3
        if n3 != 2 or second > 60:
            return False, 0
        if i < b and data[i] == 46:
            fraction, n3 = _digits(data, i + 1, b, 9)
            i += 1 + n3
            for _ in range(9 - n3):
                fraction *= 10
            if n3 == 0:
                return False, 0
    ns += ((hour * 60 + minute) * 60 + second) * 1_000_000_000 + fraction
    if i == b or (i + 1 == b and data[i] | 32 == 122):
        return True, ns
    if data[i] != 43 and data[i] != 45:
        return False, 0
    oh, n1 = _digits(data, i + 1, b, 2)
    j = i + 4 if i + 3 < b and data[i + 3] == 58 else i + 3
    om, n2 = _digits(data, j, b, 2)
    if n1 != 2 or j + n2 != b or n2 == 1:
        return False, 0
    offset = (oh * 60 + om) * 60_000_000_000
    return True, (ns - offset if data[i] == 43 else ns + offset)


@njit(nogil=True, cache=True)
def parse_times(data, offsets, bitmap, first):  # type: ignore[no-untyped-def]
    """Classes (NULL, INT or TEXT) and bits (int64 ns since 1970, UTC) of times written in ISO 8601."""
    n = len(offsets) - 1
    classes = np.empty(n, np.uint8)
    bits = np.zeros(n, np.uint64)
    for i in range(n):
        if len(bitmap) and not (bitmap[(first + i) >> 3] >> ((first + i) & 7)) & 1:
            classes[i] = NULL
            continue
        good, ns = _parse_time(data, np.int64(offsets[i]), np.int64(offsets[i + 1]))
        classes[i] = INT if good else TEXT
        bits[i] = np.uint64(ns)
    return classes, bits
