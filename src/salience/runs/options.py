"""Options of a command from a file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from salience.data.files import read_whole

__all__ = ["read_options"]


def read_options(path: str | os.PathLike[str], allowed: Sequence[str]) -> dict[str, Any]:
    """Read an options file (TOML): one line per option of the command, dashes or underscores.

    Parameters
    ----------
    path : path-like
    allowed : sequence of str
        The option names of the command, with underscores.

    Returns
    -------
    dict
        Option name (underscores) to value.

    Raises
    ------
    ValueError
        No such file, not TOML, or an option the command does not have (near names are suggested).

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "clicks.toml"
    >>> _ = file.write_text('target = "click"\\nlabel-bins = 5\\n')
    >>> read_options(file, ["target", "label_bins"])
    {'target': 'click', 'label_bins': 5}
    """
    try:
        given = tomllib.loads(read_whole(path).decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(
            f"options file {path} is not TOML ({error}); write one `name = value` per line"
        ) from None
    except OSError as error:
        raise ValueError(f"options file {path} cannot be read: {error.strerror}") from None
    options = {name.replace("-", "_"): value for name, value in given.items()}
    for name in options:
        if name not in allowed:
            near = get_close_matches(name, allowed, n=3) or sorted(allowed)
            raise ValueError(
                f"options file {path}: there is no option {name!r}; near names: {', '.join(near)}"
            )
    return options
