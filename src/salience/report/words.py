"""What a ranking says, in plain words: which columns matter, which only look as if, which say nothing.

The command line ends on these sentences and the report opens with them, so they are written once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from salience.results.ordering import null_level

if TYPE_CHECKING:
    from salience.results import Scores
    from salience.verify.verdict import Verdict

__all__ = [
    "ALPHA",
    "PILES",
    "Pile",
    "Reading",
    "cell",
    "headline",
    "how_sure",
    "interval",
    "name_list",
    "number",
    "plural",
    "ranked",
    "read_ranking",
]

# The share of columns called important by mistake that we accept (Benjamini-Hochberg q).
ALPHA = 0.05
SEPARATOR = " · "  # between the names of an item that has several, as a pair does


class Pile(NamedTuple):
    """What a reader is told of one column of the pile, of several, and the colour class of the report."""

    one: str
    many: str
    css: str


PILES: dict[str, Pile] = {
    "matters": Pile("matters", "matter", "good"),
    "leak": Pile("suspiciously good", "suspiciously good", "bad"),
    "near": Pile("almost too good", "almost too good", "warn"),
    "looks": Pile("only looks as if", "only look as if", "warn"),
    "unsure": Pile("undecided", "undecided", "warn"),
    "silent": Pile("nothing found", "with nothing found", "mute"),
    "untested": Pile("ranked, not tested", "ranked, not tested", "mute"),
    "unusable": Pile("not scored", "not scored", "mute"),
    "control": Pile("control", "controls planted", "mute"),
    "kept": Pile("kept", "kept", "good"),
    "left": Pile("left out", "left out", "mute"),
}

# The word a ranking gives each column (salience.tabular.streaming.scoring.verdict) -> its pile.
WORDS: dict[str, str] = {
    "signal": "matters",
    "leak": "leak",
    "near-leak": "near",
    "unsure": "unsure",
    "id": "silent",
    "noise": "silent",
    "constant": "unusable",
    "unjudged": "untested",
}


@dataclass(frozen=True)
class Reading:
    """A ranking sorted into piles.

    Attributes
    ----------
    piles : dict of str to list of str
        Column names by pile (the keys of `PILES`), best first.
    of : dict of str to str
        The pile of each column.
    tested : bool
        Whether there was a null to test against; without one nothing is called important.
    """

    piles: dict[str, list[str]]
    of: dict[str, str] = field(repr=False)
    tested: bool

    @property
    def real(self) -> int:
        """How many columns of the data were looked at, controls left out."""
        return len(self.of) - len(self.piles["control"])


def ranked(scores: Scores) -> tuple[pl.DataFrame, str]:
    """The rows of a ranking, best first (of several contexts, the first), and the column that names the item.

    Parameters
    ----------
    scores : Scores

    Returns
    -------
    frame : polars.DataFrame
        With a column ``raw``, where it can be known: the score before its null is taken off.
    key : str

    Examples
    --------
    >>> from salience.results import Scores
    >>> ranked(Scores.from_values([0.1, 0.3], ["age", "city"]))[0]["column"].to_list()
    ['city', 'age']
    """
    frame = scores.frame
    if len(frame):
        where = {name: frame[name][0] for name in scores.by}
        frame = frame[list(scores.order(**where))]
    if {"value", "null"} <= set(frame.columns) and scores.meta.params.get("normalize") != "minmax":
        level = null_level(frame, scores.meta.net_of_null)
        net = level is None or not level[~np.isnan(level)].any()
        frame = frame.with_columns(raw=pl.col("value") + pl.col("null") if net else pl.col("value"))
    if len(scores.keys) == 1:
        return frame, scores.keys[0]
    key = SEPARATOR.join(scores.keys)
    return frame.with_columns(pl.concat_str(scores.keys, separator=SEPARATOR).alias(key)), key


def read_ranking(frame: pl.DataFrame, key: str = "column", alpha: float = ALPHA) -> Reading:
    """Sort the rows of a ranking into piles.

    A column *matters* when it stands above its null at false discovery rate `alpha`; where the ranking has a
    ``verdict`` of its own, that is taken. It *only looks as if* when it does not, though someone who keeps as
    many columns by the score before its null is taken off would keep it: that is cardinality speaking.

    Parameters
    ----------
    frame : polars.DataFrame
        ``scores.frame`` of a ranking, best first: the key and ``value``; where there are, ``q``, ``p``,
        ``raw`` (of `ranked`; without it ``mi``), ``flag``, ``kind``, ``verdict``.
    key : str
        The column that names the item.
    alpha : float

    Returns
    -------
    Reading

    Examples
    --------
    >>> frame = pl.DataFrame({"column": ["age", "row_id", "coin"], "value": [0.1, 0.0, 0.0],
    ...                       "mi": [0.1, 0.6, 1e-5], "q": [0.0, 0.7, 0.8]})
    >>> reading = read_ranking(frame)
    >>> reading.piles["matters"], reading.piles["looks"], reading.piles["silent"]
    (['age'], ['row_id'], ['coin'])
    """
    rows = frame.to_dicts()
    tested = any(_is_number(row.get("q")) or _is_number(row.get("p")) for row in rows)
    of: dict[str, str] = {str(row[key]): _pile(row, tested, alpha) for row in rows}
    raw = "raw" if "raw" in frame.columns else "mi"
    judged = [row for row in rows if of[str(row[key])] in ("matters", "silent") and _is_number(row.get(raw))]
    best_by_raw = sorted(judged, key=lambda row: -row[raw])[: sum(pile == "matters" for pile in of.values())]
    for row in best_by_raw:
        if of[str(row[key])] == "silent":
            of[str(row[key])] = "looks"
    piles: dict[str, list[str]] = {pile: [] for pile in PILES}
    for name, pile in of.items():
        piles[pile].append(name)
    return Reading(piles, of, tested)


def _pile(row: dict[str, Any], tested: bool, alpha: float) -> str:
    if is_control(row):
        return "control"
    if (word := row.get("verdict")) in WORDS:
        return WORDS[str(word)]
    flag, value = row.get("flag"), row.get("value")
    if flag == "leak":
        return "leak"
    if not _is_number(value) or flag in ("constant", "dead", "untrained", "too_few", "unscored"):
        return "unusable"
    if row.get("kept") is not None:
        return "kept" if row["kept"] else "left"
    if not tested:
        return "untested"
    chance = row.get("q") if _is_number(row.get("q")) else row.get("p")
    return "matters" if _is_number(chance) and chance <= alpha and value > 0 else "silent"  # type: ignore[operator]


def _is_number(value: Any) -> bool:
    return value is not None and value == value


def is_control(row: Mapping[str, Any]) -> bool:
    """Whether a row of a ranking is a planted control and not a column of the data."""
    return row.get("kind") == "control"


def headline(
    frame: pl.DataFrame,
    label: str | None,
    verdict: Verdict | None = None,
    key: str = "column",
    pairs: Scores | None = None,
) -> list[str]:
    """Say what a ranking found, in a few sentences, with the counts.

    Parameters
    ----------
    frame : polars.DataFrame
        ``scores.frame``, best first.
    label : str or None
        What the columns were ranked for.
    verdict : Verdict, optional
        What became of the checks.
    pairs : Scores, optional
        Combinations of columns, of which the best is named.

    Returns
    -------
    list of str

    Examples
    --------
    >>> frame = pl.DataFrame({"column": ["age", "row_id"], "value": [0.1, 0.0], "mi": [0.1, 0.6],
    ...                       "q": [0.0, 0.7], "card": [73, 48842]})
    >>> for sentence in headline(frame, "income"):
    ...     print(sentence)
    1 of 2 columns tells something about income that chance does not: age.
    1 column only looks as if: row_id (48,842 distinct values); noise with as many values would do as well.
    No verification was run: whether the ranking holds up on other data is open.
    """
    reading = read_ranking(frame, key)
    cards = (
        dict(zip(frame[key].to_list(), frame["card"].to_list(), strict=True))
        if "card" in frame.columns
        else {}
    )
    sentences = [_what_matters(reading, label or "the label")]
    if leaks := reading.piles["leak"]:
        sentences.append(
            f"{name_list(leaks)} {'tells' if len(leaks) == 1 else 'tell'} nearly all there is to know: "
            "make sure that is known before the outcome and not copied from it."
        )
    if near := reading.piles["near"]:
        sentences.append(
            f"{name_list(near)} {'tells' if len(near) == 1 else 'tell'} most of it alone, which few honest columns do: "
            "make sure that is known before the outcome."
        )
    if looks := reading.piles["looks"]:
        looks = sorted(looks, key=lambda name: -(cards.get(name) or 0))
        named = [f"{n} ({number(cards[n])} distinct values)" if cards.get(n) else n for n in looks]
        look = PILES["looks"].one if len(looks) == 1 else PILES["looks"].many
        sentences.append(
            f"{plural(len(looks), 'column')} {look}: {name_list(named)}; "
            "noise with as many values would do as well."
        )
    if unsure := reading.piles["unsure"]:
        sentences.append(f"{plural(len(unsure), 'column')} could go either way: {name_list(unsure)}.")
    if nothing := len(reading.piles["silent"]):
        what = plural(nothing, "other column") if looks else plural(nothing, "column")
        sentences.append(f"Nothing was found in {what}.")
    if pairs is not None and "verdict" in pairs.frame.columns:
        sentences.append(_what_goes_together(pairs))
    return [*sentences, how_sure(verdict)]


def _what_matters(reading: Reading, label: str) -> str:
    best = reading.piles["matters"]
    if not reading.tested:
        order = [name for name, pile in reading.of.items() if pile == "untested"]
        return (
            f"{plural(reading.real, 'column')} ranked for {label}, first {name_list(order[:3])}. "
            "There was no null to compare with, so nothing here says what is chance."
        )
    if not best:
        return f"None of {plural(reading.real, 'column')} tells anything about {label} that chance does not."
    tells = "tells" if len(best) == 1 else "tell"
    what = f"something about {label} that chance does not"
    share = (
        f"All {len(best)} columns"
        if len(best) == reading.real > 1
        else f"{len(best)} of {plural(reading.real, 'column')}"
    )
    return f"{share} {tells} {what}: {name_list(best)}."


def _what_goes_together(pairs: Scores) -> str:
    frame = pairs.frame[list(pairs.order())]
    found = frame.filter(frame["verdict"] == "signal")
    k = len(pairs.keys)
    what, other = (
        ("pair", "the better of the two") if k == 2 else ("combination", f"the best {k - 1} of them")
    )
    if found.is_empty():
        if (frame["verdict"] == "unjudged").all():
            return f"No {what} was tested, so nothing says which of them say more together."
        return f"No {what} says more than its columns do."
    best = found.row(0, named=True)
    names = name_list([str(best[key]) for key in pairs.keys], k)
    rest = len(found) - 1
    more = f"; so {'does' if rest == 1 else 'do'} {plural(rest, f'other {what}')}" if rest else ""
    return f"Together they say more: {names} (+{number(best['value'], 2)} nats over {other}){more}."


def how_sure(verdict: Verdict | None) -> str:
    """One sentence on what became of the checks."""
    own = [check for check in verdict if not check.is_control] if verdict is not None else []
    ran = [check for check in own if check.verdict != "not run"]
    if verdict is None or not ran:
        return "No verification was run: whether the ranking holds up on other data is open."
    held = sum(check.verdict == "holds" for check in ran)
    count = f"{held} of {plural(len(ran), 'check')} hold"
    if verdict.overall == "holds":
        return f"The ranking holds up: {_all_of(len(ran))}, judged on rows it was not made from."
    if verdict.overall == "fails":
        failed = [check.name for check in verdict.failed]
        fail = "fails" if len(failed) == 1 else "fail"
        return f"The ranking does not fully hold up: {name_list(failed, len(failed))} {fail}; {count}."
    open_ = [check.name for check in ran if check.verdict == "undecided"]
    if not open_:
        blunt = name_list([check.name for check in verdict.unconvincing])
        return f"Whether the ranking holds up is undecided: a worthless ranking passes as well ({blunt})."
    return f"Whether the ranking holds up is undecided: {count}; the data cannot tell for {name_list(open_, len(open_))}."


def _all_of(count: int) -> str:
    return "the one check holds" if count == 1 else f"all {count} checks hold"


def name_list(names: Sequence[str], most: int = 3) -> str:
    """Write names out as a person would; of many the first few, said to be that.

    Examples
    --------
    >>> name_list(["a", "b", "c", "d", "e"])
    'above all a, b and c'
    >>> name_list(["a", "b"])
    'a and b'
    """
    shown = [str(name).replace("\n", "\\n") for name in names[:most]]
    if len(shown) < 2:
        return "".join(shown)
    some = "above all " if len(names) > most else ""
    return f"{some}{', '.join(shown[:-1])} and {shown[-1]}"


def plural(count: int, noun: str) -> str:
    """A count with its noun.

    Examples
    --------
    >>> plural(1, "column"), plural(1200, "row")
    ('1 column', '1,200 rows')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def cell(value: Any) -> str:
    """What is no number, for a table; parameters in JSON lose their quotes.

    Examples
    --------
    >>> cell('{"M": 16, "ef_search": 40}'), cell("{x}"), cell(None)
    ('M=16, ef_search=40', '{x}', '')
    """
    text = "" if value is None else str(value)
    if text[:2] == '{"':
        try:
            return ", ".join(f"{name}={held}" for name, held in json.loads(text).items())
        except ValueError:  # it only looks like that
            return text
    return text


def interval(lo: Any, hi: Any) -> str:
    """Two ends for reading, if there are two.

    Examples
    --------
    >>> interval(0.25, 1.0), interval(float("nan"), float("nan"))
    ('0.250 to 1', '')
    """
    ends = number(lo), number(hi)
    return " to ".join(ends) if all(ends) else ""


def number(value: Any, digits: int = 3) -> str:
    """A number for reading: significant digits, thin thousands, no exponents but for the very small.

    Examples
    --------
    >>> number(0.123456), number(48842), number(0.0000012), number(None)
    ('0.123', '48,842', '1.2e-06', '')
    """
    if value is None or value != value:
        return ""
    if abs(value) >= 1e15:
        return f"{value:.{digits - 1}e}"
    if isinstance(value, int) or (isinstance(value, float) and value == int(value) and abs(value) >= 1000):
        return f"{int(value):,}"
    if value == 0:
        return "0"
    if abs(value) < 1e-4:
        return f"{value:.{max(digits - 2, 0)}e}"
    if abs(value) < 1:
        return f"{value:.{digits}f}" if abs(value) >= 0.0995 else f"{value:.{digits}g}"
    return f"{value:,.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"
