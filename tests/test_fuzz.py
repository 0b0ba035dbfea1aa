"""Damaged files and odd options: whatever is given, it is used or refused in one clear line.

`pytest tests/test_fuzz.py --hypothesis-profile=thorough` tries forty times as many.
"""

import copy
import json
import os
import pickle
import shutil
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from test_datasets import annotations, write
from test_files import lists, wtalc_folder

from facnet.cli import cli, main
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


# A right command line of each command, in a folder that has all it names.
COMMANDS = {
    "train": {"--dataset": "mine", "--profile": "smoke", "--preset": "released", "--seed": "0",
              "--device": "cpu", "--set": "training.epochs=0", "--out": "out/run"},
    "localize": {"": "run", "--dataset": "mine", "--profile": "smoke",
                 "--protocol": "seconds", "--device": "cpu", "--out": "out/found.json"},
    "draw": {"": "run", "--dataset": "mine", "--profile": "smoke", "--video": "c",
             "--label": "jump", "--out": "out/c.png"},
    "evaluate": {"": "found.json", "--annotations": "mine", "--protocol": "seconds",
                 "--tiou": "0.5", "--videos": "videos.txt"},
    "sweep": {"": "seeds", "--dataset": "mine", "--profile": "smoke", "--preset": "released",
              "--set": "training.epochs=0", "--seeds": "1", "--jobs": "1", "--device": "cpu",
              "--results": "out/records", "--out": "out/runs.csv"},
    "data check": {"": "mine"},
    "data init": {"--features": "features", "--annotations": "rows.csv", "--test-share": "0.3",
                  "--snippet-seconds": "0.64", "--streams": "rgb,flow", "--seed": "0",
                  "--out": "out/made"},
    "data import thumos14": {"--features": "features", "--annotations": "truth.json",
                             "--snippet-seconds": "0.64", "--out": "out/made"},
    "data import activitynet": {"--features": "features", "--annotations": "truth.json",
                                "--snippet-seconds": "0.64", "--out": "out/made"},
    "data import shrec21": {"--source": "mine", "--out": "out/made"},
    "checkpoint import": {"": "found.json", "--stream": "rgb", "--dataset": "mine",
                          "--out": "out/theirs"}}
# Neither what never ends, such as /dev/full, nor the whole disk: both can be read, for ever.
ODD = st.one_of(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/~"),
                        max_size=8),
                st.sampled_from([
    "", " ", "-1", "0", "1", "1e400", "nan", "inf", "-inf", "1_0", "9" * 30, "9" * 5000, ".",
    "../x", "/dev/null", "*", "x" * 300, "rgb,,flow", "rgb,rgb", "cuda:99",
    "meta", "cpu:7", "{}", "[]", "null", "training.epochs=[]", "training.epochs=1e3", "=", "seed=1",
    "model.embedding_widths=0,0", "localization.thresholds=", "training.snippets=null", "table1",
    "0.1:0.7:0", "::", "train", "mine", "run", "features", "found.json",
    "rows.csv", "truth.json", "videos.txt", "absent/file", "Jump", "c"]))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a data set, its checkpoints and all else that `COMMANDS` name."""
    folder = tmp_path_factory.mktemp("place")
    rng = np.random.default_rng(0)
    (folder / "mine").mkdir()
    write(folder / "mine", annotations({"rgb": {"columns": [0, 5]}, "flow": {"columns": [5, 12]}}),
          {video: rng.random((10, 12)).astype(np.float32) for video in "abc"})
    (folder / "features").symlink_to("mine/features")
    found = {"c": [{"label": "jump", "score": 0.5, "segment": [1.0, 2.0]}]}
    (folder / "found.json").write_text(json.dumps({"results": found}))
    facts = json.loads((folder / "mine/annotations.json").read_text())
    (folder / "truth.json").write_text(json.dumps({"database": facts["database"]}))
    (folder / "rows.csv").write_text("video,label,start,end\na,x,1,2\nb,x,0,1\nc,x,0,1\n")
    (folder / "videos.txt").write_text("c\n")
    with pytest.MonkeyPatch.context() as patch:
        assert run_in(folder, "train", COMMANDS["train"], patch) == 0
    shutil.copytree(folder / "out/run", folder / "run")
    return folder


def run_in(place, command, options, monkeypatch) -> object:
    """The status that a command line ends with; only below out/ may it leave anything."""
    monkeypatch.chdir(place)
    shutil.rmtree("out", ignore_errors=True)
    os.mkdir("out")
    given = [*command.split(), *(f"{name}={value}" if name else value
                                 for name, value in options.items())]
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    try:
        main(given)
        status = 0
    except SystemExit as stop:
        status = stop.code or 0
    after = {path: path.stat().st_mtime_ns for path in place.rglob("*")
             if path.is_file() and place / "out" not in path.parents}
    assert after == before
    return status


def test_the_command_lines_to_be_changed_are_right(place, monkeypatch):
    named = {parameter.opts[0] for name in COMMANDS for parameter in _parameters(name)}
    used = {option for options in COMMANDS.values() for option in options if option}
    assert {one for one in named if one.startswith("--")} - used == {"--scheduler", "--json"}
    for command in ("localize", "draw", "evaluate", "sweep", "data check", "data init"):
        assert run_in(place, command, COMMANDS[command], monkeypatch) == 0, command


def _parameters(command):
    found = cli
    for part in command.split():
        found = found.commands[part]
    return found.params


@settings(max_examples=4 * settings().max_examples, deadline=None,
          suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_option_is_used_or_refused(place, data):
    command = data.draw(st.sampled_from(sorted(COMMANDS)))
    options = dict(COMMANDS[command])
    inputs = sorted(options.keys() - {"--out", "--results"})
    for name in data.draw(st.lists(st.sampled_from(inputs), min_size=1, max_size=2)):
        options[name] = data.draw(ODD)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", open(os.devnull, "w"))
        assert run_in(place, command, options, patch) in (0, 1, 2)
