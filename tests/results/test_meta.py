"""Provenance."""

import json
import pickle

import numpy as np
import pytest

from salience.results import Interval, Meta


def test_parameters_become_plain_json_values():
    meta = Meta(params={"a": np.float32(0.5), "b": (1, 2), "c": np.array([1, 2]), "d": {2, 1}, "e": dict})
    assert dict(meta.params) == {"a": 0.5, "b": [1, 2], "c": [1, 2], "d": [1, 2], "e": "builtins.dict"}


def test_numbers_that_json_lacks_become_words():
    meta = Meta(params={"a": float("nan"), "b": np.inf})
    assert dict(meta.params) == {"a": "nan", "b": "inf"}
    assert meta == Meta.from_dict(json.loads(json.dumps(meta.to_dict(), allow_nan=False)))


def test_meta_is_frozen_and_so_are_its_mappings():
    meta = Meta(params={"a": 1})
    with pytest.raises(AttributeError):
        meta.method = "other"
    with pytest.raises(TypeError):
        meta.params["a"] = 2


def test_meta_survives_a_pickle_and_a_dict():
    meta = Meta(method="outrank", params={"bins": 32}, interval=("normal", 0.95), seed=np.int64(7))
    assert pickle.loads(pickle.dumps(meta)) == Meta.from_dict(meta.to_dict()) == meta
    assert meta.interval == Interval("normal", 0.95)


def test_fields_of_a_later_version_are_kept_not_lost():
    assert Meta.from_dict({**Meta().to_dict(), "colour": "red"}).extra["colour"] == "red"


def test_versions_are_those_of_the_loaded_libraries():
    assert Meta().versions["numpy"] == np.__version__
    assert "python" in Meta().versions


def test_the_text_shows_what_was_said_and_no_more():
    assert repr(Meta(seed=0, versions={}, rows=5)) == "Meta(method='given', seed=0, rows=5)"


def test_warnings_are_added_at_the_end():
    assert Meta(warnings=("a",)).warn("b", "c").warnings == ("a", "b", "c")


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"method": ""}, TypeError, "non-empty"),
        ({"data": "abc"}, TypeError, "sequence of strings"),
        ({"seed": 1.5}, TypeError, "seed must be int"),
        ({"seconds": float("inf")}, TypeError, "seconds must be float"),
        ({"rows": "many"}, TypeError, "rows must be int"),
        ({"params": [1]}, TypeError, "must be a mapping"),
        ({"interval": "normal"}, TypeError, "kind, level"),
        ({"interval": ("normal", 95)}, ValueError, r"\(0, 1\]"),
    ],
)
def test_a_wrong_field_is_refused(fields, error, message):
    with pytest.raises(error, match=message):
        Meta(**fields)
