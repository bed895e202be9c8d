import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salience.tabular.streaming.reference import Reference, as_candidate, candidate_name


def test_the_form_of_outrank_is_read(tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"desc": {"features": ["f0", "f1", "f0,f1", "f0"], "fields": ["f2"]}}))
    model = Reference.read(path)
    assert model.features == (("f0",), ("f1",), ("f0", "f1"))
    assert model.columns == ("f0", "f1", "f2")


@given(st.lists(st.lists(st.text(min_size=1), min_size=1, max_size=3, unique=True), min_size=1, max_size=5))
def test_what_is_written_is_read_again_whatever_the_names(features):
    model = Reference(tuple(dict.fromkeys(tuple(f) for f in features)))
    assert Reference.read(json.loads(model.to_json())) == model


def test_a_name_that_holds_the_word_and_stays_one_column():
    assert as_candidate("rock AND roll") == ("rock AND roll",)
    assert candidate_name(("rock AND roll", "year")) == "rock AND roll AND year"
    assert Reference.of(["rock AND roll"]).columns == ("rock AND roll",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("not json", "is not JSON"),
        ('{"features": []}', 'no object "desc"'),
        ("[]", 'no object "desc"'),
        ('{"desc": {"colour": 1}}', "neither"),
        ('{"desc": {"features": "f0"}}', "must be a list"),
        ('{"desc": {"features": ["f0", 3]}}', r"desc.features\[1\] is 3"),
        ('{"desc": {"features": ["f0,,f1"]}}', r"desc.features\[0\]"),
        ('{"desc": {"features": ["f0,f0"]}}', "twice"),
    ],
)
def test_a_file_of_another_form_says_where_it_is_wrong(tmp_path, content, says):
    path = tmp_path / "model.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=says):
        Reference.read(path)


def test_an_absent_file_and_an_unknown_column_are_named(tmp_path):
    with pytest.raises(ValueError, match="no reference model at"):
        Reference.read(tmp_path / "nothing.json")
    with pytest.raises(ValueError, match="do not have: ghost"):
        Reference.of(["a", ("a", "ghost")]).check(["a", "b"])


def test_a_candidate_must_name_something():
    with pytest.raises(TypeError, match="column name or a tuple"):
        as_candidate(())
