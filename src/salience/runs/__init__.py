"""The run folder: everything one command found out, in one place that is either complete or not there.

A run is written in ``NAME.partial``; every file in it is written beside, synced and renamed, and the folder
itself takes its final name only at the end. So whoever sees ``NAME`` sees a whole run, after a power cut too.

==================== =============================================================
``run.json``         command, options, versions, seconds (``timings`` by stage), peak memory, status, notes
``plan.json``        how the source was read: types, bins, label classes
``scores.parquet``   the ranking; ``pairs``, ``pair_columns``, ``redundancy``, ``order_3mr``, ``audit`` likewise
``verdict.json``     does the ranking hold up
``report.html``      the same for the eye
``log.txt``          what happened, with the time of day
``checkpoint/``      only while unfinished: what ``--resume`` takes up
==================== =============================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__all__ = [
    "Run",  # a finished run, read back
    "RunWriter",  # a run folder, being written
    "read_options",  # options of a command from a TOML file
    "versions",  # of Python and the packages a result depends on
    "write_whole",  # write a file beside, sync, rename
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "Run": "salience.runs.reader:Run",
        "RunWriter": "salience.runs.writer:RunWriter",
        "read_options": "salience.runs.options:read_options",
        "versions": "salience.runs.writer:versions",
        "write_whole": "salience.runs.disk:write_whole",
    },
)

if TYPE_CHECKING:
    from salience.runs.disk import write_whole as write_whole
    from salience.runs.options import read_options as read_options
    from salience.runs.reader import Run as Run
    from salience.runs.writer import RunWriter as RunWriter
    from salience.runs.writer import versions as versions
