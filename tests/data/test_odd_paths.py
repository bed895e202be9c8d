"""Paths that lead to no ordinary file: read or refused at once, whatever asks for them."""

import os
import socket
import subprocess
import threading

import numpy as np
import pytest
from typer.testing import CliRunner

from salience.cli.app import app
from salience.data import files
from salience.data.files import kind_of, piped, read_whole
from salience.data.images import read_images
from salience.data.readers import SourceError, open_source
from salience.data.vectors import read_labels, read_vectors

TABLE = b"a,y\n" + b"u,1\nv,0\n" * 20
pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "_PATIENCE", 0.1)


def written_to(path, content):
    """Somebody writes to a pipe, from another thread."""
    os.mkfifo(path)

    def write():
        with open(path, "wb") as pipe:
            pipe.write(content)

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    return path


def rows_of(source):
    return [
        r
        for shard in source.shards()
        for b in source.batches(shard, source.columns, 9)
        for r in b.to_pylist()
    ]


def test_what_a_path_leads_to(tmp_path):
    os.mkfifo("pipe")
    os.symlink("circle", "circle")
    os.symlink("gone", "dangling")
    (tmp_path / "file").touch()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        found = {name: kind_of(name) for name in ("pipe", "circle", "dangling", "file", "socket")}
    assert all(name == kind for name, kind in found.items())
    assert [kind_of(path) for path in (tmp_path, "/dev/zero", "none", "a\0b")] == [
        "folder",
        "device",
        "nothing",
        "nothing",
    ]


@pytest.mark.parametrize("name", ["pipe", "pipe.csv", "pipe.csv.gz"])
def test_a_pipe_is_read_as_standard_input_is(name):
    import gzip

    content = gzip.compress(TABLE) if name.endswith("gz") else TABLE
    source = open_source(written_to(name, content))
    assert (source.format, source.rows, source.columns) == ("csv", 40, ("a", "y"))
    assert rows_of(source)[:2] == [{"a": "u", "y": "1"}, {"a": "v", "y": "0"}]
    assert f"read from {name}" in source.notes


def test_pipes_in_a_list_are_told_apart_by_what_comes():
    first, second = written_to("one", TABLE), written_to("two", TABLE)
    assert open_source([first, second]).rows == 80
    with pytest.raises(SourceError, match="several formats"):
        open_source([written_to("three", TABLE), written_to("four", b'{"a": 1}\n')])


def test_an_error_names_the_pipe_and_not_the_copy_of_what_came():
    with pytest.raises(SourceError, match=r"^pipe\.csv: .*never closes"):
        open_source(written_to("pipe.csv", b'a,b\n"x,1\n'))


def test_a_pipe_to_which_nobody_writes_is_refused_and_a_slow_writer_is_waited_for():
    os.mkfifo("pipe.csv")
    with pytest.raises(SourceError, match=r"pipe\.csv is a pipe to which nobody writes"):
        open_source("pipe.csv")
    slow = subprocess.Popen(["sh", "-c", "exec 3> pipe.csv; sleep 0.5; printf 'a\n1\n' >&3"])
    while slow.poll() is None and not (content := b"".join(_patiently("pipe.csv"))):
        pass
    assert content == b"a\n1\n"
    assert slow.wait() == 0


def _patiently(path):
    try:
        yield from piped(path)
    except ValueError:
        return


@pytest.mark.parametrize("given", ["circle.csv", "dangling.csv", "/dev/zero", "/dev/null"])
def test_links_to_nowhere_and_devices_are_refused(given):
    os.symlink("circle.csv", "circle.csv")
    os.symlink("gone.csv", "dangling.csv")
    with pytest.raises(SourceError, match=f"{given} is a (link|device)"):
        open_source(given)
    with pytest.raises(ValueError, match=f"{given} is a (link|device)"):
        read_whole(given)


def test_a_folder_leaves_out_pipes_and_says_so_and_refuses_links_to_nothing(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/a.csv").write_bytes(TABLE)
    os.mkfifo("parts/b.csv")
    for given in ("parts", "parts/*.csv"):
        source = open_source(given)
        assert source.rows == 40
        assert "b.csv (a pipe)" in source.notes[0]
    os.symlink("gone.csv", "parts/c.csv")
    with pytest.raises(SourceError, match=r"parts/c\.csv is a link to a file that is not there"):
        open_source("parts")


def test_a_pattern_follows_no_links_in_circles(tmp_path):
    """Two links to the folder itself: whoever follows them sees the file 2^40 times."""
    (tmp_path / "parts/deep").mkdir(parents=True)
    (tmp_path / "parts/a.csv").write_bytes(TABLE)
    (tmp_path / "parts/deep/b.csv").write_bytes(TABLE)
    (tmp_path / "parts/.hidden.csv").write_bytes(TABLE)
    for name in ("x", "y"):
        os.symlink(".", f"parts/{name}")
    for pattern in ("parts/**/*.csv", "parts/**", "**/*.csv"):
        assert [shard.path for shard in open_source(pattern).shards()] == ["parts/a.csv", "parts/deep/b.csv"]
    assert "(a link)" in open_source("parts").notes[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_listed_is_no_empty_folder(tmp_path):
    (tmp_path / "parts/closed").mkdir(parents=True)
    (tmp_path / "parts/a.csv").write_bytes(TABLE)
    (tmp_path / "parts/closed").chmod(0)
    with pytest.raises(SourceError, match="closed cannot be listed"):
        open_source("parts")


@pytest.mark.parametrize(
    ("read", "name"),
    [(read_vectors, "x.npy"), (read_vectors, "x.npz"), (read_images, "x.npz"), (read_labels, "y.npy")],
)
def test_arrays_are_not_read_from_pipes(read, name):
    os.mkfifo(name)
    with pytest.raises(SourceError, match=f"{name} is a pipe, and this is read more than once"):
        read(name)


def test_pipes_among_the_files_of_a_layout_are_refused(tmp_path):
    (tmp_path / "dump").mkdir()
    os.mkfifo("dump/dataset_desc.json")
    with pytest.raises(SourceError, match="nobody writes"):
        open_source("dump")
    os.unlink("dump/dataset_desc.json")
    (tmp_path / "dump/dataset_desc.json").write_text('{"data_features": [{"name": "a"}]}')
    os.mkfifo("dump/data.csv")
    with pytest.raises(SourceError, match=r"data\.csv is a pipe"):
        open_source("dump")


@pytest.mark.parametrize(
    "command",
    [
        ["rank", "P.csv", "-t", "y"],
        ["rank", "good.csv", "-t", "y", "--options", "P.toml"],
        ["rank", "good.csv", "-t", "y", "--reference", "P.json", "--heuristic", "surrogate-SGD"],
        ["rank", "good.csv", "-t", "y", "--focus-reference", "P.json"],
        ["audit", "P.csv", "-t", "y"],
        ["compare", "good.csv", "P.csv"],
        ["summarize", "P.txt"],
        ["summarize", "P"],
        ["choose", "P.txt", "--like", "good.csv"],
        ["index", "P.npy"],
        ["index", "P.parquet"],
        ["distil", "P.npz"],
        ["report", "P"],
        ["verify", "P"],
        ["merge", "P.arrow"],
        ["explain", "good.csv", "-t", "y", "--row", "1", "--actions", "P.toml"],
    ],
)
def test_every_command_refuses_a_dead_pipe_in_one_line(tmp_path, command):
    (tmp_path / "good.csv").write_bytes(TABLE)
    for arg in command:
        if arg.startswith("P"):
            os.mkfifo(arg)
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "P" in result.stderr


def test_options_come_through_a_pipe(tmp_path):
    from salience.runs.options import read_options

    assert read_options(written_to("o.toml", b"label-bins = 5\n"), ["label_bins"]) == {"label_bins": 5}


def test_texts_come_through_a_pipe():
    from salience.cli.texts import read_documents

    assert read_documents([written_to("63", b"One. Two.\n")]) == ["One. Two.\n"]
    assert read_documents([written_to("t.csv", b"text\nOne.\n")]) == ["One."]
    assert read_documents([written_to("t.txt", b"One.")]) == ["One."]


HEADERS = {
    "negative": "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 4)}",
    "beyond the file": "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000, 4)}",
    "beyond 64 bits": "{'descr': '<f4', 'fortran_order': False, 'shape': (1%s, 4)}" % ("0" * 40),
    "wraps around": "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
    "list": "{'descr': '<f4', 'fortran_order': False, 'shape': [20, 4]}",
    "no type": "{'descr': (), 'fortran_order': False, 'shape': (20, 4)}",
    "objects": "{'descr': '|O', 'fortran_order': False, 'shape': (20, 4)}",
    "records": "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (20, 4)}",
    "keys": "{1: 2, 'a': 3}",
    "nested": "(" * 5000,
    "long double": "{'descr': '<f16', 'fortran_order': False, 'shape': (5, 4)}",
    "dates": "{'descr': '<M8[s]', 'fortran_order': False, 'shape': (10, 4)}",
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_of_an_npy_that_makes_no_sense_is_refused(tmp_path, case):
    header = HEADERS[case].encode().ljust(117) + b"\n"
    length = len(header).to_bytes(2, "little")
    (tmp_path / "x.npy").write_bytes(b"\x93NUMPY\x01\x00" + length + header + bytes(320))
    with pytest.raises(SourceError, match=r"x\.npy"):
        read_vectors("x.npy")


def test_other_byte_orders_and_column_order_are_read(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    np.save("x.npy", np.asfortranarray(values.astype(">f4")))
    found = read_vectors("x.npy")
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, values)


def test_members_of_a_zip_that_are_no_arrays_are_refused(tmp_path):
    import zipfile

    with zipfile.ZipFile("x.npz", "w") as file:
        file.writestr("images", b"not one")
        file.writestr("labels", b"not one")
    with pytest.raises(SourceError, match="has nothing"):
        read_images("x.npz")
    with zipfile.ZipFile("y.npz", "w") as file:
        file.writestr("images.npy", b"not one")
        file.writestr("labels.npy", b"not one")
    with pytest.raises(SourceError, match=r"images in .*no array"):
        read_images("y.npz")
    with pytest.raises(SourceError, match="several arrays"):
        read_vectors("y.npz")


def test_texts_of_characters_that_do_not_exist_are_refused():
    np.save("y.npy", np.array([0x110000, 65], np.uint32).view("U1"))
    with pytest.raises(SourceError, match="characters that do not exist"):
        read_labels("y.npy")
