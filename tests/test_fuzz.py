"""Damaged files: whatever bytes a file holds, it is read or refused in one clear line.

`pytest tests/test_fuzz.py --hypothesis-profile=thorough` tries forty times as many.
"""

import copy
import json
import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from test_datasets import annotations, write
from test_files import lists, wtalc_folder

from facnet.data import load
from facnet.errors import FacnetError
from facnet.files import read_detections
from facnet.importers.check import check_folder
from facnet.importers.pickled import read_array
from facnet.importers.wtalc import read_wtalc

fuzz = settings(max_examples=2 * settings().max_examples,
                suppress_health_check=list(HealthCheck))

POSITION = st.floats(0, 1)
BYTES = st.binary(min_size=1, max_size=8)
DAMAGE = st.lists(
    st.one_of(
        st.tuples(st.just("cut"), POSITION, st.just(b"")),
        st.tuples(st.just("overwrite"), POSITION, BYTES),
        st.tuples(st.just("insert"), POSITION, BYTES),
        st.tuples(st.just("delete"), POSITION, BYTES),
    ), min_size=1, max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
    | st.sampled_from([10**400, -1, "", "nan", "jump", "test", 1e308]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.text(max_size=4) | st.sampled_from(["label", "segment", "columns"]), inner, max_size=3),
    max_leaves=6)


def damaged(content: bytes, steps) -> bytes:
    for what, position, extra in steps:
        at = int(position * len(content))
        if what == "cut":
            content = content[:at]
        elif what == "insert":
            content = content[:at] + extra + content[at:]
        else:
            rest = content[at + len(extra):]
            content = content[:at] + (extra if what == "overwrite" else b"") + rest
    return content


def places(value, path=()):
    """Every place in a JSON value."""
    yield path
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def replaced(value, path, new):
    value = copy.deepcopy(value)
    if not path:
        return new
    target = value
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = new
    return value


def refusal(read, path) -> str:
    """Empty if the file was read; else the one line that it was refused with."""
    try:
        read(path)
    except FacnetError as error:
        message = str(error)
        assert message.isprintable() and str(path.parent) in message, message
        return message
    return ""


def every_row(path):
    data = load(path.parent)
    for stream in data.streams:
        for video in data.videos.video:
            np.asarray(data.features(stream, video))


def check_agrees_with_load(folder):
    """What load refuses, the check lists; it may list more."""
    refused = refusal(every_row, folder / "annotations.json")
    try:
        errors = check_folder(folder).errors
    except FacnetError as error:
        errors = [str(error)]
    assert all(line.isprintable() for line in errors)
    assert errors or not refused


@pytest.fixture(scope="module")
def container(tmp_path_factory):
    folder = tmp_path_factory.mktemp("container")
    rng = np.random.default_rng(0)
    write(folder, annotations({"rgb": {"columns": [0, 5]}, "flow": {"columns": [5, 12]}}),
          {video: rng.random((10, 12)).astype(np.float32) for video in "abc"})
    return folder


@fuzz
@given(steps=DAMAGE)
def test_a_damaged_container_is_read_or_refused_by_check_and_load_alike(container, steps):
    for path in (container / "annotations.json", container / "features" / "b.npy"):
        whole = path.read_bytes()
        path.write_bytes(damaged(whole, steps))
        try:
            check_agrees_with_load(container)
        finally:
            path.write_bytes(whole)


@fuzz
@given(data=st.data(), new=JSON)
def test_any_value_anywhere_in_annotations_is_read_or_refused(container, data, new):
    path = container / "annotations.json"
    whole = path.read_text()
    facts = json.loads(whole)
    place = data.draw(st.sampled_from(list(places(facts))))
    path.write_text(json.dumps(replaced(facts, place, new)))
    try:
        check_agrees_with_load(container)
    finally:
        path.write_text(whole)


RESULTS = {"results": {"v1": [{"label": "a", "score": 0.5, "segment": [1.0, 2.0]}], "v2": []}}


@fuzz
@given(data=st.data(), new=JSON, steps=DAMAGE)
def test_damaged_detections_are_read_or_refused(tmp_path_factory, data, new, steps):
    path = tmp_path_factory.getbasetemp() / "detections.json"
    place = data.draw(st.sampled_from(list(places(RESULTS))))
    path.write_text(json.dumps(replaced(RESULTS, place, new)))
    refusal(read_detections, path)
    path.write_bytes(damaged(json.dumps(RESULTS).encode(), steps))
    refusal(read_detections, path)


@pytest.fixture(scope="module")
def wtalc(tmp_path_factory):
    return wtalc_folder(tmp_path_factory.mktemp("wtalc"))


@fuzz
@given(name=st.sampled_from(["videoname", "duration", "segments", "labels", "labels_all"]),
       steps=DAMAGE)
def test_damaged_arrays_of_annotations_are_read_or_refused(wtalc, name, steps):
    path = wtalc / f"{name}.npy"
    whole = path.read_bytes()
    path.write_bytes(damaged(whole, steps))
    try:
        refusal(lambda p: read_wtalc(p.parent), path)
    finally:
        path.write_bytes(whole)


@fuzz
@given(protocol=st.integers(0, 4), steps=DAMAGE)
def test_damaged_pickles_of_features_are_read_or_refused(tmp_path_factory, protocol, steps):
    path = tmp_path_factory.getbasetemp() / "features.npy"
    rng = np.random.default_rng(0)
    arrays = lists(*(rng.random((3, 4), dtype=np.float32) for _ in range(3)))
    with open(path, "wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": arrays.shape}
        np.lib.format.write_array_header_1_0(file, header)
        start = file.tell()
        file.write(pickle.dumps(arrays, protocol=protocol))
    content = path.read_bytes()
    path.write_bytes(content[:start] + damaged(content[start:], steps))
    refusal(read_array, path)
    path.write_bytes(damaged(content, steps))
    refusal(read_array, path)
