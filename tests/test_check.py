"""The data doctor: every fault is found, in one call, and named by file, video and value."""

import json
import re

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given, settings, strategies as st
from test_datasets import annotations, write
from test_files import lists

from facnet.cli import cli
from facnet.data import load
from facnet.errors import FacnetError
from facnet.importers.check import check_folder, foreground_seconds, portrait

VIDEOS = [f"train_{i}" for i in range(12)] + [f"test_{i}" for i in range(4)]
STRIDE = 0.64
LENGTHS = {video: 10 + i % 3 for i, video in enumerate(VIDEOS)}  # snippets


def healthy(folder, joint=False) -> dict:
    """A folder without a fault: 16 videos of two classes; gives the content of annotations.json."""
    rng = np.random.default_rng(0)
    facts = annotations({"rgb": {"columns": [0, 5]}, "flow": {"columns": [5, 12]}} if joint
                        else {"rgb": {}, "flow": {}})
    facts["ignored"] = {"test_0": [[5.0, 6.0]]}
    facts["database"] = {
        video: {"subset": "validation" if video.startswith("train") else "test",
                "duration": LENGTHS[video] * STRIDE,
                "annotations": [{"label": ("jump", "run")[i % 2], "segment": [1.0, 3.5]}]}
        for i, video in enumerate(VIDEOS)}
    streams = {"": 12} if joint else {"rgb/": 5, "flow/": 7}
    write(folder, facts, {f"{place}{video}": rng.random((LENGTHS[video], width)).astype(np.float32)
                          for place, width in streams.items() for video in VIDEOS})
    return facts


def edit(folder, stream, video, change):
    path = folder / "features" / stream / f"{video}.npy"
    array = np.load(path)
    np.save(path, change(array))


def put(snippet, value):
    def change(array):
        array[snippet] = value
        return array
    return change


def item(label, start, end):
    return {"label": label, "segment": [start, end]}


def twice(folder):
    """The text of annotations.json with one video's entry under another's name."""
    path = folder / "annotations.json"
    path.write_text(path.read_text().replace('"train_7"', '"train_6"'))


# Faults, each planted by a function of (folder, content of annotations.json), and what is said:
# a pattern over the whole line, which begins with the file's name.
ERRORS = {
    "a file is missing": (
        lambda d, f: (d / "features/flow/train_0.npy").unlink(),
        r"features/flow/train_0\.npy: no such file\."),
    "streams of different length": (
        lambda d, f: edit(d, "flow", "train_1", lambda a: a[:8]),
        r"features/flow/train_1\.npy, train_1: 8 snippets, but 11 in another stream\."),
    "NaN and infinity": (
        lambda d, f: edit(d, "rgb", "train_2", put((slice(3, 5), 1), [np.nan, np.inf])),
        r"rgb/train_2\.npy, train_2: 2 values are NaN or infinite, the first \(nan\) in snippet 3,"
        r" column 1\."),
    "another width": (
        lambda d, f: edit(d, "rgb", "train_3", lambda a: a[:, :4]),
        r"rgb/train_3\.npy, train_3: 4 features a snippet, but 5 in most videos\."),
    "unknown label": (
        lambda d, f: f["database"]["train_4"]["annotations"].append(item("rum", 1.0, 2.0)),
        r"annotations\.json, train_4: unknown label 'rum'\. Did you mean 'run'\?"),
    "unknown video-level label": (
        lambda d, f: f["database"]["train_5"].update(labels=["run", "fly"]),
        r"annotations\.json, train_5: unknown label 'fly'\. Choose from: jump, run"),
    "reversed segment": (
        lambda d, f: f["database"]["train_8"]["annotations"].append(item("run", 3.0, 2.0)),
        r"annotations\.json, train_8: segment \[3\.0, 2\.0\] ends before it starts\."),
    "segment before the start": (
        lambda d, f: f["database"]["test_1"]["annotations"].append(item("run", -2.0, 2.0)),
        r"annotations\.json, test_1: run \[-2\.0, 2\.0\] starts before 0\."),
    "pickled file": (
        lambda d, f: np.save(d / "features/rgb/train_9.npy", lists([1.0], [2.0])),
        r"rgb/train_9\.npy: cannot be read as a plain \.npy array .*pickled objects, which may run"
        r" code"),
    "truncated file": (
        lambda d, f: (d / "features/rgb/train_10.npy").write_bytes(
            (d / "features/rgb/train_10.npy").read_bytes()[:200]),
        r"rgb/train_10\.npy: cannot be read as a plain \.npy array \(mmap length"),
    "empty file": (
        lambda d, f: (d / "features/flow/train_11.npy").write_bytes(b""),
        r"flow/train_11\.npy: no \.npy file, whatever its name"),
    "features that are no numbers": (
        lambda d, f: np.save(d / "features/flow/test_2.npy", np.zeros((10, 7), "S3")),
        r"flow/test_2\.npy: features of type \|S3, not float16 or float32\."),
    "class without training videos": (
        lambda d, f: f["classes"].append("swim"),
        r"annotations\.json: no training video has class 'swim'\."),
    "time that is no number": (
        lambda d, f: f["database"]["test_3"]["annotations"].append(item("run", "soon", 2.0)),
        r"annotations\.json, test_3, start: 'soon' is not a finite number\."),
    "unknown protocol": (
        lambda d, f: f.update(protocol="anet"),
        r"annotations\.json, protocol: 'anet' is no protocol. Choose from: activitynet, rel"),
    "duplicate id": (
        lambda d, f: None,  # planted in the text, by `twice`
        r"annotations\.json, train_6: appears 2 times; ids are unique\."),
}
ODDITIES = {
    "snippets of zeros": (
        lambda d, f: edit(d, "rgb", "test_0", put(slice(6, 9), 0.0)),
        r"rgb/test_0\.npy, test_0: 3 of 10 snippets are all zeros, the first is snippet 6\."),
    "segment past the end": (
        lambda d, f: f["database"]["test_0"]["annotations"].append(item("run", 6.0, 71.5)),
        r"annotations\.json, test_0: run \[6\.0, 71\.5\] ends after the video's 6\.4 s\."),
    "length that disagrees with the duration": (
        lambda d, f: f["database"]["test_1"].update(duration=12.0),
        r"annotations\.json, test_1: 11 snippets last 7\.0 s at 0\.64 s each, but its duration is"
        r" 12\.0 s\."),
    "labels that disagree": (
        lambda d, f: f["database"]["test_2"].update(labels=["jump", "run"]),
        r"annotations\.json, test_2: labelled jump, run, but its instances show jump\."),
    "an instance twice": (
        lambda d, f: f["database"]["test_3"]["annotations"].append(item("run", 1.0, 3.5)),
        r"annotations\.json, test_3: run \[1\.0, 3\.5\] is there twice\."),
    "ignored intervals of strangers": (
        lambda d, f: f["ignored"].update(elsewhere=[[1.0, 2.0]]),
        r"annotations\.json: ignored intervals of elsewhere, not in it\."),
    "files of strangers": (
        lambda d, f: np.save(d / "features/rgb/other.npy", np.zeros((3, 5), np.float32)),
        r"features/rgb: [12] files of no video used, such as other\.npy\."),
    "training video without a label": (
        lambda d, f: f["database"]["train_0"].update(labels=[], annotations=[]),
        r"annotations\.json, train_0: a training video without a label\."),
    "test video without an instance": (
        lambda d, f: f["database"]["test_3"].update(annotations=[]),
        r"annotations\.json, test_3: a test video without an instance\."),
    "a subset of its own": (
        lambda d, f: f["database"].update(extra={"subset": "spare", "annotations": []}),
        r"annotations\.json: 1 videos of subset 'spare', such as extra, are neither trained"
        r" nor tested on\."),
    "classes that look alike": (
        lambda d, f: (f["classes"].append("run "), f["database"]["train_0"].update(
            labels=["jump", "run "]), f["database"]["train_0"]["annotations"].append(
                item("run ", 4.0, 5.0)), f["database"]["test_0"]["annotations"].append(
                    item("run ", 4.0, 5.0))),
        r"annotations\.json: 'run', 'run ' are different classes; is one mistyped\?"),
    "an instance of no length": (
        lambda d, f: f["database"]["test_0"]["annotations"].append(item("jump", 2.0, 2.0)),
        r"annotations\.json, test_0: jump at 2\.0 has no length\."),
    "a stream that is a snippet longer": (
        lambda d, f: edit(d, "flow", "train_2", lambda a: a[:-1]),
        r"flow/train_2\.npy, train_2: 11 snippets, but 12 in another stream; the longer is cut when"
        r" it is read\."),
    "no duration": (
        lambda d, f: f["database"]["test_3"].pop("duration"),
        r"annotations\.json: a duration or features of 1 videos are missing\."),
}


def plant(folder, *faults):
    facts = healthy(folder)
    for change, _ in faults:
        change(folder, facts)
    (folder / "annotations.json").write_text(json.dumps(facts))


def said(lines, pattern) -> list[str]:
    return [line for line in lines if re.search(pattern, line)]


@pytest.mark.parametrize("joint", [False, True])
def test_a_healthy_folder_has_no_fault_and_a_portrait(tmp_path, joint):
    healthy(tmp_path, joint)
    report = check_folder(tmp_path)
    assert (report.errors, report.oddities) == ([], [])
    pd.testing.assert_frame_equal(report.portrait, portrait(load(tmp_path)))
    assert report.portrait.train.to_dict() == {
        "videos": 12, "videos of several classes": 0, "instances": 12, "classes": 2,
        "hours": pytest.approx(132 * STRIDE / 3600), "snippets": 132,
        "foreground share": pytest.approx(2.5 * 12 / (132 * STRIDE)), "median instance (s)": 2.5}


@pytest.mark.parametrize("name", ERRORS)
def test_each_error_is_found_alone(tmp_path, name):
    plant(tmp_path, ERRORS[name])
    if name == "duplicate id":
        twice(tmp_path)
    report = check_folder(tmp_path)
    assert len(said(report.errors, ERRORS[name][1])) == len(report.errors) == 1
    assert report.portrait is None


@pytest.mark.parametrize("name", ODDITIES)
def test_each_oddity_is_found_alone_and_is_no_error(tmp_path, name):
    plant(tmp_path, ODDITIES[name])
    report = check_folder(tmp_path)
    assert report.errors == []
    assert len(said(report.oddities, ODDITIES[name][1])) == len(report.oddities) == 1
    assert report.portrait is not None


def test_all_faults_are_diagnosed_in_one_call(tmp_path):
    faults = {k: v for k, v in {**ERRORS, **ODDITIES}.items()
              if k not in ("training video without a label", "test video without an instance",
                           "no duration")}  # they would undo others
    plant(tmp_path, *faults.values())
    twice(tmp_path)
    result = CliRunner().invoke(cli, ["data", "check", str(tmp_path)])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    lines = result.output.splitlines()
    for name, (_, pattern) in faults.items():
        kind = "error" if name in ERRORS else "oddity"
        (line,) = said(lines, pattern)
        assert line.startswith(f"{kind}: {tmp_path}"), name
    errors = sum(name in ERRORS for name in faults)
    # The training video that lost its name to another's has files that belong to nobody.
    assert f"{errors} errors" in lines[-1]
    assert "hours" not in result.output


def test_a_missing_stream_is_one_error(tmp_path):
    facts = healthy(tmp_path)
    facts["streams"] = {"rgb": {}, "depth": {}}
    (tmp_path / "annotations.json").write_text(json.dumps(facts))
    report = check_folder(tmp_path)
    assert report.errors == [f"{tmp_path}/features/depth: no such folder, for stream depth."]


def test_a_wrong_stride_is_one_error_that_names_the_right_one(tmp_path):
    facts = healthy(tmp_path)
    facts["snippet_seconds"] = 0.16
    (tmp_path / "annotations.json").write_text(json.dumps(facts))
    (error,) = check_folder(tmp_path).errors
    assert re.search(r"annotations\.json: snippet_seconds is 0\.16, but lengths and durations"
                     r" disagree in 16 of 16 videos; by the median a snippet lasts 0\.64 s",
                     error)


def test_a_faulty_header_is_told_whole_and_before_the_rest(tmp_path):
    """Beside its keys only what stands in the database is told."""
    facts = healthy(tmp_path)
    edit(tmp_path, "flow", "train_2", put((3, 1), np.nan))
    facts["database"]["train_4"]["annotations"].append(item("run", 3.0, 2.0))
    for broken in ({}, {**facts, "train": "test", "classes": "run", "streams": ["rgb", "flow"],
                        "snippet_seconds": "0.64"}):
        whole = {"database": facts["database"], **broken}
        (tmp_path / "annotations.json").write_text(json.dumps(whole))
        report = check_folder(tmp_path)
        assert len(said(report.errors, "is not|a container needs")) == (4 if broken else 6)
        assert said(report.errors, r"train_4: segment \[3\.0, 2\.0\] ends before it starts")
        assert len(report.errors) == (5 if broken else 7) and report.oddities == []


def test_a_link_that_leads_nowhere_is_named(tmp_path):
    healthy(tmp_path)
    (tmp_path / "features").rename(tmp_path / "moved")
    (tmp_path / "features").symlink_to("i3d", target_is_directory=True)
    errors = check_folder(tmp_path).errors
    assert len(errors) == 2
    assert errors[0] == f"{tmp_path}/i3d/rgb: no such folder, for stream rgb."


def test_without_segments_to_test_on_there_is_one_oddity(tmp_path):
    facts = healthy(tmp_path)
    for video, entry in facts["database"].items():
        if video.startswith("test"):
            entry |= {"labels": ["run"], "annotations": []}
    (tmp_path / "annotations.json").write_text(json.dumps(facts))
    report = check_folder(tmp_path)
    assert report.errors == []
    (oddity,) = report.oddities
    assert "no test video has an instance; detections can be made, but not evaluated" in oddity


@pytest.mark.parametrize("subset, use", [("validation", "train"), ("test", "test")])
def test_a_split_without_videos_is_an_error(tmp_path, subset, use):
    facts = healthy(tmp_path)
    for entry in facts["database"].values():
        entry["subset"] = "testing" if entry["subset"] == subset else entry["subset"]
    (tmp_path / "annotations.json").write_text(json.dumps(facts))
    errors = check_folder(tmp_path).errors
    assert errors[0] == (
        f"{tmp_path}/annotations.json: no video has subset {subset!r}, the one to {use} on.")
    with pytest.raises(FacnetError, match=f"no video has subset '{subset}', the one to {use} on"):
        load(tmp_path)


def test_a_slightly_wrong_grid_and_an_untested_class_are_oddities(tmp_path):
    facts = healthy(tmp_path)
    for video, entry in facts["database"].items():
        entry["duration"] *= 25 / 24
        if video.startswith("test"):
            entry["annotations"] = [item("run", 1.0, 2.0)]
    (tmp_path / "annotations.json").write_text(json.dumps(facts))
    report = check_folder(tmp_path)
    assert report.errors == []
    assert said(report.oddities, r"the median video is \+4\.2% longer than its snippets")
    assert said(report.oddities, r"no test video has an instance of 'jump'")


def test_columns_beyond_the_file_are_named(tmp_path):
    facts = healthy(tmp_path, joint=True)
    facts["streams"]["flow"]["columns"] = [5, 14]
    (tmp_path / "annotations.json").write_text(json.dumps(facts))
    errors = check_folder(tmp_path).errors
    assert len(errors) == len(VIDEOS)
    assert errors[0].endswith("train_0.npy, train_0: 12 columns, but rgb and flow take 14.")


@pytest.mark.parametrize("key, value, message", [
    ("name", 3, "name: '3' is not a name"),
    ("classes", ["run", "run"], "is not a list of different names"),
    ("classes", [], "is not a list of different names"),
    ("streams", ["rgb"], r"is not like \{"),
    ("streams", {"rgb": {"columns": [5, 0]}}, r"is not like \{"),
    ("streams", {"rgb": {"columns": [0.0, 5.5]}}, r"is not like \{"),
    ("streams", {"rgb": {"columns": [False, True]}}, r"is not like \{"),
    ("snippet_seconds", "0.64", "is not a number from 0.001 to a million"),
    ("snippet_seconds", 0, "is not a number from 0.001 to a million"),
    ("test", "validation", "is not the name of another subset"),
])
def test_a_header_that_means_nothing_is_refused_by_load_and_listed_by_the_check(
        tmp_path, key, value, message):
    facts = healthy(tmp_path)
    facts[key] = value
    del facts["train" if key != "test" else "name"]
    (tmp_path / "annotations.json").write_text(json.dumps(facts))
    pattern = rf"annotations\.json, {key}: .*{message}|{key}: '3' is not a name"
    with pytest.raises(FacnetError, match=rf"no '|{message}"):
        load(tmp_path)
    errors = check_folder(tmp_path).errors
    assert len(errors) == 2 or key == "test"
    assert said(errors, pattern)
    assert said(errors, "a container needs name, classes, streams, snippet_seconds, train, test")


def test_a_number_too_large_for_a_float_is_an_error_too(tmp_path):
    facts = healthy(tmp_path)
    facts["snippet_seconds"] = 10**400
    (tmp_path / "annotations.json").write_text(json.dumps(facts))
    assert said(check_folder(tmp_path).errors, "snippet_seconds: '1000.* is not a number from")
    with pytest.raises(FacnetError, match="snippet_seconds: 1000.* is not a finite number"):
        load(tmp_path)


def test_what_the_check_accepts_is_loaded_and_what_load_refuses_is_an_error(tmp_path):
    for i, (name, fault) in enumerate({**ERRORS, **ODDITIES}.items()):
        folder = tmp_path / str(i)
        folder.mkdir()
        plant(folder, fault)
        if name == "duplicate id":
            twice(folder)
        try:
            data = load(folder)
            for stream in data.streams:
                for video in data.videos.video:
                    data.features(stream, video)
            loads = True
        except FacnetError:
            loads = False
        assert loads or check_folder(folder).errors, name


def test_foreground_counts_overlaps_once_and_nothing_past_the_end():
    videos = pd.DataFrame({"video": ["a", "b"], "duration": [10.0, 5.0]})
    instances = pd.DataFrame(
        [("a", 1.0, 6.0), ("a", 2.0, 3.0), ("a", 5.0, 12.0), ("b", 7.0, 9.0), ("b", 0.5, 1.0)],
        columns=["video", "start", "end"])
    assert foreground_seconds(videos, instances) == pytest.approx(9.0 + 0.5)


@given(st.lists(st.tuples(st.integers(0, 99), st.integers(0, 30)), min_size=1, max_size=12))
@settings(max_examples=100)
def test_foreground_is_the_length_of_the_union(segments):
    covered = np.zeros(100, bool)
    for start, length in segments:
        covered[start : start + length] = True
    instances = pd.DataFrame([("v", s, s + n) for s, n in segments],
                             columns=["video", "start", "end"])
    videos = pd.DataFrame({"video": ["v"], "duration": [100.0]})
    assert foreground_seconds(videos, instances) == covered.sum()
