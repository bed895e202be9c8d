"""Text from data and paths as a terminal may get it: what would move the cursor or turn the writing is spelled out."""

from __future__ import annotations

import re

__all__ = ["escaped", "visible"]

# Controls (C0, DEL, C1), separators of lines and paragraphs, controls of direction (Unicode 15, section 23.2), halves of pairs.
_CONTROLS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """The text on one line, escape codes and the like as Python writes them.

    Examples
    --------
    >>> print(visible("red \\x1b[31m, two\\nlines, \\u202eturned"))
    red \\x1b[31m, two\\nlines, \\u202eturned
    >>> visible("Grüße 你好")
    'Grüße 你好'
    """
    return _CONTROLS.sub(_spelled, text)


def escaped(json: str) -> str:
    """JSON text that is the same value, without what would move the cursor or turn the writing.

    Examples
    --------
    >>> print(escaped('{"a": "\\u202eb"}'))
    {"a": "\\u202eb"}
    """
    # below a blank JSON has only what it lays lines out with: within strings it must escape them
    return _CONTROLS.sub(lambda sign: sign[0] if sign[0] < " " else f"\\u{ord(sign[0]):04x}", json)


def _spelled(match: re.Match[str]) -> str:
    sign = match[0]
    code = ord(sign)
    return _NAMED.get(sign) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")
