"""NDJSON, VW, svmlight, and the directory layouts of OutRank."""

import gzip
import json

import numpy as np
import pytest
from sklearn.datasets import dump_svmlight_file

from salience.data.readers import SourceError, ndjson, open_described, open_source, svmlight, vw, windows


def table_of(source, columns=None, rows=4):
    columns = list(columns or source.columns)
    batches = [batch for shard in source.shards() for batch in source.batches(shard, columns, rows)]
    assert sum(map(len, batches)) == source.rows
    return {
        name: [v for batch in batches for v in batch.column(i).to_pylist()] for i, name in enumerate(columns)
    }


def written(tmp_path, name, text):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


OBJECTS = [
    {"a": 1, "b": "x", "tags": ["p", 2]},
    {"a": 2.5, "b": None, "o": {"k": [1]}},
    {"a": "t", "new": True, "tags": [], "b": "ü\n", "empty": None},
]


@pytest.mark.parametrize("name", ["data.ndjson", "data.jsonl", "data.jsonl.gz"])
def test_ndjson_fields_are_text_and_flat_arrays_lists(tmp_path, name):
    path = written(tmp_path, name, "\n".join(map(json.dumps, OBJECTS)) + "\n\n")
    source = open_source(path)
    assert source.types == {
        "a": "text",
        "b": "text",
        "tags": "list",
        "o": "text",
        "new": "text",
        "empty": "text",
    }
    assert table_of(source) == {
        "a": ["1", "2.5", "t"], "b": ["x", None, "ü\n"], "tags": [["p", "2"], None, []],
        "o": [None, '{"k": [1]}', None], "new": [None, None, "true"], "empty": [None, None, None],
    }  # fmt: skip
    assert table_of(source, ["tags", "a"], 1)["a"] == ["1", "2.5", "t"]


def test_ndjson_shards_see_the_fields_of_the_whole_file(tmp_path, monkeypatch):
    monkeypatch.setattr(ndjson, "_SHARD_BYTES", 2000)
    monkeypatch.setattr(windows, "_WINDOW", 1000)
    lines = [json.dumps({"i": i, f"f{i // 100}": i}) for i in range(500)]
    source = open_source(written(tmp_path, "data.ndjson", "\n".join(lines)))
    assert len(source.shards()) > 3
    assert source.columns == ("i", "f0", "f1", "f2", "f3", "f4")
    assert table_of(source, ["i"], 7) == {"i": [str(i) for i in range(500)]}
    assert table_of(open_described(source.describe()), ["f4"])["f4"][-1] == "499"


@pytest.mark.parametrize("text", ["", "\n", "[1]\n", '{"a":1}\n{"a":\n'])
def test_what_is_no_ndjson_is_refused(tmp_path, text):
    with pytest.raises(SourceError, match="JSON object"):
        open_source(written(tmp_path, "data.ndjson", text))


VW = "1 |A u7 |B red  blue\n-1 2.0 'tag|B green |C:2.0 0.5\n\n0 |A u8\n"


def test_vw_namespaces_are_columns_and_tokens_are_joined(tmp_path):
    source = open_source(written(tmp_path, "data.vw", VW), label="click")
    assert source.format == "vw"
    assert table_of(source) == {
        "click": ["1", "-1", "0"], "A": ["u7", "", "u8"], "B": ["red-blue", "green", ""],
        "C": ["", "0.5", ""],
    }  # fmt: skip
    assert table_of(source, ["C", "A"], 2) == {"C": ["", "0.5", ""], "A": ["u7", "", "u8"]}
    assert table_of(open_described(source.describe())) == table_of(source)


def test_vw_without_namespace_names_has_features(tmp_path):
    source = open_source(written(tmp_path, "data.vw", "1 | a b:2\nno bar\n"))
    assert table_of(source) == {"label": ["1"], "features": ["a-b:2"]}
    assert source.notes == ("1 lines without '|' left out",)


def test_vw_shards_partition_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(vw, "_SHARD_BYTES", 500)
    monkeypatch.setattr(windows, "_WINDOW", 300)
    source = open_source(
        written(tmp_path, "data.vw", "".join(f"{i % 2} |A v{i} |B w{i}\n" for i in range(300)))
    )
    assert len(source.shards()) > 3
    assert table_of(source, ["B"], 7) == {"B": [f"w{i}" for i in range(300)]}


def test_what_is_no_vw_is_refused(tmp_path):
    with pytest.raises(SourceError, match="no VW example"):
        open_source(written(tmp_path, "data.vw", "a,b\n"))
    with pytest.raises(SourceError, match="pass label="):
        open_source(written(tmp_path, "data.vw", "1 |A x\n"), label="A")


def test_ob_vw_takes_names_and_numbers_from_its_map(tmp_path):
    written(tmp_path, "data.vw.gz", "1 |A u7 |C C:0.5\n0 |B red |Z x\n")
    written(tmp_path, "vw_namespace_map.csv", "A,user\nB,color\nC,price,f32\n")
    source = open_source(tmp_path)
    assert source.format == "ob-vw"
    assert table_of(source) == {
        "label": ["1", "0"],
        "user": ["u7", ""],
        "color": ["", "red"],
        "price": ["0.5", ""],
    }
    assert source.notes == ("namespaces without a name in the map left out: Z",)
    assert table_of(open_described(source.describe())) == table_of(source)


def test_ob_csv_takes_names_from_its_description(tmp_path):
    features = [{"name": "a", "type": "Float"}, {"name": "b", "type": "String"}]
    written(tmp_path, "dataset_desc.json", json.dumps({"data_features": features}))
    written(tmp_path, "data.csv", 'a,b\n1,"{""k"": 1, ""l"": 2}"\n')
    source = open_source(tmp_path)
    assert source.format == "ob-csv"
    assert table_of(source) == {"a": ["1"], "b": ['{"k": 1, "l": 2}']}


def test_ob_raw_reads_all_parts_under_one_header(tmp_path):
    written(tmp_path, "raw_data/0_header/header.csv", "a\tb\n")
    written(tmp_path, "raw_data/1_train/day=1/part-0", "1\t2\n")
    written(tmp_path, "raw_data/1_train/day=2/part-0", "a\tb\n3\t4\n")
    for source in (open_source(tmp_path), open_source(tmp_path, format="ob-raw-dump")):
        assert source.format == "ob-raw"
        assert table_of(source) == {"a": ["1", "3"], "b": ["2", "4"]}
    assert table_of(open_described(source.describe())) == table_of(source)


def test_a_layout_that_is_not_there_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"needs .*vw_namespace_map.csv"):
        open_source(tmp_path, format="ob-vw")


def test_svmlight_ids_are_columns_and_absent_ones_zero(tmp_path):
    source = open_source(written(tmp_path, "data.svm", "1 qid:3 1:0.5 7:2 # note\n\n-1 7:1e3\n# only\n0.5\n"))
    assert source.types == {"label": "text", "qid": "text", "1": "real", "7": "real"}
    assert table_of(source) == {
        "label": ["1", "-1", "0.5"], "qid": ["3", "", ""], "1": [0.5, 0, 0], "7": [2, 1000, 0],
    }  # fmt: skip
    assert table_of(source, ["7"], 2) == {"7": [2, 1000, 0]}


def test_svmlight_of_scikit_learn_is_read_back_from_shards(tmp_path, monkeypatch):
    monkeypatch.setattr(svmlight, "_SHARD_BYTES", 1000)
    monkeypatch.setattr(windows, "_WINDOW", 700)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 6)) * (rng.random((200, 6)) < 0.6)
    dump_svmlight_file(x, rng.integers(0, 2, 200), str(tmp_path / "data.svmlight"))
    source = open_source(tmp_path / "data.svmlight")
    assert len(source.shards()) > 3
    found = table_of(source, [str(i) for i in range(6)], 64)
    for i in range(6):
        assert found[str(i)] == pytest.approx(x[:, i])


def test_svmlight_with_too_many_ids_is_read_as_lists(tmp_path, monkeypatch):
    monkeypatch.setattr(svmlight, "_MOST_COLUMNS", 2)
    source = open_source(written(tmp_path, "data.svm", "1 1:0.5 7:2\n0\n1 100000:3\n"))
    assert source.types == {"label": "text", "ids": "list", "values": "list"}
    assert table_of(source) == {
        "label": ["1", "0", "1"],
        "ids": [[1, 7], [], [100000]],
        "values": [[0.5, 2], [], [3]],
    }


def test_svmlight_lines_longer_than_the_room_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(svmlight, "CELLS", 4)
    source = open_source(
        written(tmp_path, "data.svm", "1 1:1\n1 " + " ".join(f"{i}:{i}" for i in range(1, 30)) + "\n")
    )
    assert table_of(source, ["29", "1"]) == {"29": [0, 29], "1": [1, 1]}


def test_a_bad_svmlight_token_is_shown_with_its_line(tmp_path):
    with pytest.raises(SourceError, match="line 2: 'x:1' is not id:value"):
        open_source(written(tmp_path, "data.svm", "1 1:1\n1 x:1\n"))
    with pytest.raises(SourceError, match="no line of svmlight"):
        open_source(written(tmp_path, "data.svm", "\n"))
