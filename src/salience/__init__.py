"""salience: which features matter, and does the ranking hold up?

Every name here is imported when it is first used; ``import salience`` alone loads no library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from salience.lazy import lazy_namespace

__version__ = "0.1.0.dev0"

__all__ = [
    "Attributions",  # scores of items, per instance
    "Scores",  # what every method returns: items and how much they matter
    "Selection",  # the items that were kept, and by which rule
    "load",  # read Scores back from the Parquet file that Scores.save wrote
    "methods",  # the table of all methods (a module: methods.table(), methods.find(name))
    "open_source",  # open data for reading: a path, a folder, a data frame
    "plan",  # decide types, bins and memory from a pilot of a source
    "rank",  # rank the columns of a source by what they tell about a label
    "scan",  # one pass of mergeable states over a plan
    "verify",  # does a ranking hold up? (a subpackage: verify.verify(scores, bench))
]

__getattr__, __dir__ = lazy_namespace(
    __name__,
    {
        "Attributions": "salience.results.attributions:Attributions",
        "Scores": "salience.results.scores:Scores",
        "Selection": "salience.results.selection:Selection",
        "load": "salience.results.scores:Scores.load",
        "methods": "salience.methods",
        "open_source": "salience.data.readers:open_source",
        "plan": "salience.data.plan:plan",
        "rank": "salience.tabular.ranking:rank",
        "scan": "salience.data.scan:scan",
        "verify": "salience.verify",
    },
)

if TYPE_CHECKING:  # so that type checkers and editors see what the lazy table names
    from salience import methods as methods
    from salience import verify as verify
    from salience.data.plan import plan as plan
    from salience.data.readers import open_source as open_source
    from salience.data.scan import scan as scan
    from salience.results.attributions import Attributions as Attributions
    from salience.results.scores import Scores as Scores
    from salience.results.selection import Selection as Selection
    from salience.tabular.ranking import rank as rank

    load = Scores.load
