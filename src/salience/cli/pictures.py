"""Pictures of a run: drawn once, kept as SVG beside its scores, shown in its report."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from salience.runs.writer import RunWriter


def keep(run: RunWriter, name: str, title: str, draw: Callable[[], Any]) -> None:
    """Draw a picture into the run folder and note its title, so that the report shows it.

    Parameters
    ----------
    run : RunWriter
    name : str
        Of the file, without ``.svg``.
    title : str
    draw : callable
        Gives the matplotlib axes.
    """
    import matplotlib

    matplotlib.use("agg")  # a file needs no window
    from matplotlib import pyplot

    with matplotlib.rc_context({"svg.hashsalt": "salience"}):
        figure = draw().figure
        text = io.StringIO()
        figure.savefig(text, format="svg", bbox_inches="tight", metadata={"Date": None})
        pyplot.close(figure)
    run.write_picture(name, text.getvalue())
    run.info.setdefault("pictures", []).append({"file": f"{name}.svg", "title": title})


@contextmanager
def remarks(tell: Callable[..., object]) -> Iterator[None]:
    """Warnings of a method are told, each once: ``tell(*texts)``, as `RunWriter.note` takes them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    tell(*dict.fromkeys(str(one.message) for one in caught if issubclass(one.category, UserWarning)))


def unsaid(*remarks: str) -> None:
    """For `remarks` on the fits of a verdict, which are not about what was found."""
