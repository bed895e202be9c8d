"""What a column of texts is read as: a number only where its spelling tells nothing more."""

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from salience.data.encoding import numbers
from salience.data.hashing import identities
from salience.data.plan import plan
from salience.tabular.streaming.passes import RankingPass

PAIRS = {
    "zeros": ("07", "007"),
    "decimals": ("1.0", "1.00"),
    "plus": ("+5", "5"),
    "exponent": ("1e3", "1000"),
    "overflow": ("3e450", "inf"),
    "long": ("12345678901234567890", "12345678901234567891"),
}


def drawn(choices, n=2000, seed=0):
    return [choices[i] for i in np.random.default_rng(seed).integers(0, len(choices), n)]


def kind_of(texts):
    return plan({"c": texts}).column("c").kind


def notes_of(**columns):
    return plan(columns).notes


def written(frame, path):
    """A table as a file of texts."""
    table = frame.cast(pl.String).to_arrow()
    (pc.write_csv if path.suffix == ".csv" else pq.write_table)(table, path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("spellings", PAIRS.values(), ids=PAIRS)
def test_what_a_spelling_says_about_the_label_is_found(tmp_path, spellings, suffix):
    rng = np.random.default_rng(0)
    second = rng.random(4000) < 0.5
    y = rng.random(4000) < np.where(second, 0.7, 0.3)
    code = np.where(second, spellings[1], spellings[0])
    source = written(pl.DataFrame({"code": code, "y": y.astype(int)}), tmp_path / f"codes{suffix}")
    score = RankingPass("y").fit(source).scores_.frame["value"][0]
    shares = np.bincount(2 * second + y, minlength=4).reshape(2, 2) / 4000
    there = (shares * np.log(shares / np.outer(shares.sum(1), shares.sum(0)))).sum()
    assert there > 0.07
    assert score == pytest.approx(there, abs=0.002)


@pytest.mark.parametrize(
    "texts",
    [
        drawn(["1", "2", "3"]),
        drawn(["1", "2.5", "-3"]),
        drawn(["5", "5.0", "7", "7.0"]),
        drawn(["0", "-0.0", "0.0", "2"]),
        drawn([" 5", "5", "6", "6 "]),
        drawn([f"{x / 100:.2f}" for x in range(500)]),
        drawn([f"{x:e}" for x in range(500)]),
        drawn([f"{x:5d}" for x in range(500)]),
        drawn(["1.5", "2.5", "inf"]),
        [str(2**63 + 10**6 * i) for i in range(500)],
    ],
    ids=[
        "integers",
        "decimals",
        "5 and 5.0",
        "zero",
        "blanks",
        "two places",
        "e",
        "padded",
        "inf",
        "64 bits",
    ],
)
def test_numbers_as_writers_write_them_are_numbers(texts):
    assert kind_of(texts) == "number"
    assert notes_of(c=texts) == ()


@pytest.mark.parametrize(
    "texts",
    [
        drawn(["01234", "98765", "10001"]),
        drawn([f"{h:02d}" for h in range(24)]),
        drawn(["040123456", "+38640123456"]),
        drawn([f"1.{minor}" for minor in range(30)]),
        ["00501", *(str(z) for z in range(10000, 12000))],
    ],
    ids=["zip", "hour", "phone", "version", "one of all of one length"],
)
def test_codes_stay_text(texts):
    assert kind_of(texts) == "text"


def test_a_rare_odd_spelling_does_not_take_the_bins_from_a_number_column():
    rng = np.random.default_rng(0)
    prices = [f"{x:.2f}" for x in rng.gamma(2, 50, 5000)]
    mixed = [f"{float(x)}" if i % 2 else x for i, x in enumerate(prices)]
    once = ["05", "+3", *prices]
    for texts in (mixed, once):
        column = plan({"c": texts}).column("c")
        assert column.kind == "number"
        assert column.edges is not None


def test_a_spelling_seen_once_is_an_accident():
    assert kind_of(["1.00", *drawn(["1", "2"], 30)]) == "number"
    assert kind_of([*["1.00"] * 5, *drawn(["1", "2"], 30)]) == "text"


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (drawn(["2020-01-01", "2020-01-02"]), "time"),
        (drawn(["2020-01-01", "2020-01-01T00:00:00Z", "2020-01-02 00:00", "2020-01-02"]), "time"),
        (drawn(["2020-01-01 10:00", "2020-01-01T10:00:00.000", "2020-01-02T10:00:00+00:00"]), "time"),
        (drawn(["2020-01-01T10:00:00Z", "2020-01-01T11:00:00+01:00", "2020-01-01T05:00:00-05:00"]), "text"),
    ],
    ids=["dates", "midnights", "writers", "zones"],
)
def test_times_are_times_unless_one_instant_is_told_in_several_zones(texts, kind):
    assert kind_of(texts) == kind


def test_the_notes_say_what_was_seen_and_what_turns_it():
    prices = [f"{x / 100:.2f}" for x in range(100, 3000)] * 2 + ["2.5"] * 9
    assert notes_of(
        zip=drawn(["01234", "98765"], len(prices)),
        version=drawn(["1.1", "1.10", "1.2"], len(prices)),
        price=prices,
        town=drawn(["Rome", "Oslo"], len(prices)),
    ) == (
        "column 'zip' stays text, for '01234' has zeros in front (--as number:zip reads numbers)",
        "column 'version' stays text, for '1.1' and '1.10' are one number (--as number:version reads numbers)",
        "column 'price' is read as numbers: '2.5' and '2.50' are one (--as text:price keeps them apart)",
    )


def test_many_columns_of_one_kind_make_few_notes():
    notes = plan({f"c{i}": ["01", "02"] * 9 for i in range(30)}).notes
    assert len(notes) == 4
    assert notes[-1] == "27 more columns stay text for zeros in front: 'c3', 'c4', 'c5', ..."


def test_a_given_kind_is_kept_and_needs_no_note():
    found = plan({"zip": ["01234", "1234"] * 9}, spec={"zip": {"kind": "number"}})
    assert (found.column("zip").kind, found.column("zip").distinct, found.notes) == ("number", 1, ())


@pytest.mark.parametrize(("one", "two"), [("07", "7"), ("1.0", "1.00")])
def test_classes_of_a_label_are_told_by_their_spelling(one, two):
    label = plan({"x": range(40), "y": [one, two] * 20}, "y").labels[0]
    assert set(label.classes) == {one, two}


def test_numbers_beyond_float64_keep_an_identity_of_their_own_and_their_place():
    texts = pa.array(["inf", "3e450", "4e450", "-3e450", "1" * 400, "1e-400", "2e-400", "0", "1"])
    hashes = identities(texts, "number", ())[0]
    assert len(set(hashes.tolist())) == len(texts)
    expected = [np.inf, np.inf, np.inf, -np.inf, np.inf, 0, 0, 0, 1]
    assert numbers(texts, "number", ()).tolist() == expected


def test_zero_is_one_value_however_written():
    zeros = pa.array(["0", "-0", "0.0", "0e999", "-0e-999", "000"])
    assert len(set(identities(zeros, "number", ())[0].tolist())) == 1
