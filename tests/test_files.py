"""Files of users: what is read, what is written, and what is said of those that are broken."""

import json
import os
import pickle
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from facnet.errors import FacnetError, suggest
from facnet.files import (
    number, read_annotations, read_detections, read_ignored, read_json, read_videos, replacing,
    write_detections, write_json, write_text,
)
from facnet.importers.wtalc import read_ground_truth, read_wtalc


def save(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def detection(**changes):
    return {"label": "Diving", "score": 0.5, "segment": [1.0, 2.0], **changes}


def entry(*annotations, **changes):
    return {"subset": "test", "duration": 60.0, "annotations": list(annotations), **changes}


def annotation(label, start, end):
    return {"label": label, "segment": [start, end]}


def check_refused(read, path, *words):
    """The message is one line that begins with the file's name and holds the words in turn."""
    with pytest.raises(FacnetError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    for word in words:
        assert word in message
        message = message[message.index(word) + len(word):]


# ---------------------------------------------------------------- detections

FINITE = st.floats(-1e9, 1e9)
ROW = st.tuples(st.sampled_from(["v1", "v 2", "é"]), st.sampled_from("ab"), FINITE, FINITE, FINITE)
ROWS = st.lists(ROW.map(lambda r: (r[0], r[1], *sorted(r[2:4]), r[4])))


@given(rows=ROWS)
def test_written_detections_are_read_back_to_the_last_digit(rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("results") / "detections.json"
    frame = pd.DataFrame(rows, columns=["video", "label", "start", "end", "score"])
    frame = frame.astype({"start": float, "end": float, "score": float})
    write_detections(path, frame)
    # Rows of one video stay in order; videos follow their first appearance.
    first = frame.video.map({video: i for i, video in enumerate(frame.video.unique())})
    expected = frame.loc[first.sort_values(kind="stable").index].reset_index(drop=True)
    read = read_detections(path)
    pd.testing.assert_frame_equal(read, expected, check_exact=True, check_dtype=False)
    assert (read.dtypes[["start", "end", "score"]] == np.float64).all()


def test_the_results_file_has_the_activitynet_schema(tmp_path):
    path = tmp_path / "detections.json"
    row = {"video": ["v"], "label": ["Diving"], "start": [1.0], "end": [2.5], "score": [0.25]}
    write_detections(path, pd.DataFrame(row))
    assert json.loads(path.read_text()) == {
        "version": "VERSION 1.3",
        "results": {"v": [{"label": "Diving", "score": 0.25, "segment": [1.0, 2.5]}]},
        "external_data": {},
    }


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = save(tmp_path / "detections.json", "old")

    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    frame = pd.DataFrame({"video": ["v"], "label": ["a"], "start": [0], "end": [1], "score": [1]})
    check_refused(lambda p: write_detections(p, frame), path, "cannot be written", "No space left")
    assert [p.name for p in tmp_path.iterdir()] == ["detections.json"]
    assert path.read_text() == "old"


def test_times_and_scores_may_be_strings(tmp_path):
    results = {"results": {"v": [detection(segment=["1.5", "2"], score="0.75")]}}
    read = read_detections(save(tmp_path / "d.json", results))
    assert read.iloc[0].tolist() == ["v", "Diving", 1.5, 2.0, 0.75]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"results": {"v": [{"label"', ["not valid JSON; is the file complete?", "column"]),
        ("[1, 2]", ["found [1, 2] where a dict belongs"]),
        ({"database": {}}, ["no 'results', only ['database']"]),
        ({"results": []}, ["results: found [] where a dict belongs"]),
        ({"results": {"v7": {}}}, ["v7: found {} where a list belongs"]),
        ({"results": {"v7": ["x"]}}, ["v7: found 'x' where a dict belongs"]),
        ({"results": {"v7": [{"label": "a", "segment": [0, 1]}]}}, ["v7: no 'score'"]),
        ({"results": {"v7": [detection(label=3)]}}, ["v7, label: found 3 where a str belongs"]),
        ({"results": {"v7": [detection(segment=[1])]}}, ["v7: [1] is not a start and an end"]),
        ({"results": {"v7": [detection(segment="0 1")]}}, ["v7: found '0 1' where a list"]),
        ({"results": {"v7": [detection(segment=[0, "x"])]}}, ["v7, end: 'x' is not a finite"]),
        ({"results": {"v7": [detection(score=None)]}}, ["v7, score: None is not a finite number"]),
        ({"results": {"v7": [detection(score=True)]}}, ["v7, score: True is not a finite number"]),
        ({"results": {"v7": [detection(score=float("nan"))]}}, ["v7, score: nan is not a finite"]),
        ({"results": {"v7": [detection(segment=[0, float("inf")])]}}, ["v7, end: inf is not"]),
        ({"results": {"v7": [detection(segment=[5, 3])]}}, ["v7: segment [5.0, 3.0] ends before"]),
    ],
)
def test_broken_detections_are_one_line(tmp_path, content, words):
    check_refused(read_detections, save(tmp_path / "d.json", content), *words)


def test_what_is_not_a_text_file_is_one_line(tmp_path):
    check_refused(read_json, tmp_path / "absent.json", "No such file")
    check_refused(read_json, tmp_path, "Is a directory")
    binary = tmp_path / "weights.json"
    binary.write_bytes(b"\x80\x02\xff\xfe")
    check_refused(read_json, binary, "not a text file in UTF-8")


# ---------------------------------------------------------------- annotations in JSON


def test_annotations_are_read_from_a_file_and_from_a_folder_that_holds_it(tmp_path):
    database = {
        "train_1": entry(annotation("a", 0, 1), subset="training", labels=["a", "b"]),
        "v1": entry(annotation("b", "1.5", "200.25"), annotation("a", 2, 3), annotation("b", 4, 5)),
        "v2": {"annotations": []},
    }
    facts = {"database": database, "ignored": {"v1": [[7, 8.5]]}}
    path = save(tmp_path / "annotations.json", facts)
    for place in (path, tmp_path):
        read = read_annotations(place)
        assert read.instances.values.tolist() == [
            ["train_1", "a", 0, 1], ["v1", "b", 1.5, 200.25], ["v1", "a", 2, 3], ["v1", "b", 4, 5],
        ]
        assert read.ignored.values.tolist() == [["v1", 7, 8.5]]
        assert read.videos.video.tolist() == ["train_1", "v1", "v2"]
        assert read.videos.subset.tolist() == ["training", "test", ""]
        assert read.videos.labels.tolist() == [("a", "b"), ("b", "a"), ()]
        assert read.videos.duration.tolist()[:2] == [60, 60]
        assert np.isnan(read.videos.duration[2])
        assert read.test_instances.video.tolist() == ["v1"] * 3


@pytest.mark.parametrize(
    ("named", "subsets", "test"),
    [
        (None, {"training": 1, "validation": 1, "testing": 0}, "validation"),  # ActivityNet
        (None, {"Validation": 1, "Test": 1}, "Test"),  # THUMOS14, which trains on "Validation"
        (None, {"all": 1}, None),
        ("held out", {"training": 1, "test": 1, "held out": 1}, "held out"),
    ],
)
def test_the_subset_to_evaluate_on(tmp_path, named, subsets, test):
    database = {
        f"v_{name}": entry(*[annotation("a", 0, 1)] * count, subset=name)
        for name, count in subsets.items()
    }
    facts = {"database": database} if named is None else {"database": database, "test": named}
    read = read_annotations(save(tmp_path / "a.json", facts))
    assert read.test == test
    assert set(read.test_instances.video) == {f"v_{test}"} if test else {"v_all"}


def test_an_instance_labelled_ambiguous_is_an_ignored_interval(tmp_path):
    facts = {"database": {"v": entry(annotation("Ambiguous", 3, 4), annotation("a", 0, 1))}}
    read = read_annotations(save(tmp_path / "a.json", facts))
    assert read.ignored.values.tolist() == [["v", 3, 4]]
    assert read.instances.label.tolist() == ["a"]
    assert read.videos.labels.tolist() == [("a",)]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"results": {}}, ["no 'database', only ['results']"]),
        ({"database": {"v7": {"subset": "test"}}}, ["v7: no 'annotations', only ['subset']"]),
        ({"database": {"v7": entry({"label": "a"})}}, ["v7: no 'segment'"]),
        ({"database": {"v7": entry(annotation("a", 2, 1))}}, ["v7: segment [2.0, 1.0] ends"]),
        ({"database": {"v7": entry(duration="long")}}, ["v7, duration: 'long' is not"]),
        ({"database": {"v7": entry(labels="a")}}, ["v7: found 'a' where a list belongs"]),
        ({"database": {}, "ignored": {"v7": [3, 4]}}, ["ignored, v7: found 3 where a list"]),
        ({"database": {}, "ignored": {"v7": [[4, 3]]}}, ["v7: segment [4.0, 3.0] ends before"]),
    ],
)
def test_broken_annotations_are_one_line(tmp_path, content, words):
    check_refused(read_annotations, save(tmp_path / "a.json", content), *words)


def test_a_folder_without_annotations_is_one_line(tmp_path):
    check_refused(read_ground_truth, tmp_path, "annotations.json: cannot be read")


# ---------------------------------------------------------------- the folder of W-TALC


def lists(*rows):
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def wtalc_folder(folder, **changes):
    """Two videos; strings as bytes, and as text in the lists of labels."""
    arrays = {
        "videoname": np.array([b"val_1", b"test_1"]),
        "subset": np.array([b"validation", b"test"]),
        "duration": np.array([[10.5], [20.0]]),
        "segments": lists([[1.0, 2.0]], [[3.0, 4.5], [5.0, 713.7]]),
        "labels": lists(["Diving"], ["Diving", b"CliffDiving"]),
        "labels_all": lists(["Diving"], []),
        **changes,
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=True)
    save(folder / "Ambiguous_test.txt", "test_1  0.0 1.4\nelsewhere  7.5 8.0\n")
    return folder


def test_the_wtalc_folder_is_read(tmp_path):
    read = read_wtalc(wtalc_folder(tmp_path))
    assert read.instances.values.tolist() == [
        ["val_1", "Diving", 1, 2], ["test_1", "Diving", 3, 4.5],
        ["test_1", "CliffDiving", 5, 713.7],  # beyond the video's end, as in THUMOS14
    ]
    assert read.videos.values.tolist() == [
        ["val_1", "validation", 10.5, ("Diving",)], ["test_1", "test", 20.0, ()],
    ]
    assert read.ignored.values.tolist() == [["test_1", 0, 1.4], ["elsewhere", 7.5, 8]]
    assert read.test_instances.video.tolist() == ["test_1"] * 2
    assert read.protocol == "released"


@pytest.mark.parametrize("subsets, test, video", [
    ((b"validation", b"test"), "test", "test_1"), ((b"training", b"validation"), "validation",
                                                    "test_1"),
    ((b"Test", b"Train"), "Test", "val_1"), ((b"one", b"two"), None, None)])
def test_of_the_wtalc_folder_the_subset_to_evaluate_is_one_that_it_has(
        tmp_path, subsets, test, video):
    read = read_wtalc(wtalc_folder(tmp_path, subset=np.array(subsets)))
    assert read.test == test
    assert not video or set(read.test_instances.video) == {video}


def test_the_wtalc_folder_may_hold_arrays_in_arrays_and_pickles_of_python_2(tmp_path):
    folder = wtalc_folder(tmp_path)
    expected = read_wtalc(folder).instances
    segments = lists(np.array([[1.0, 2.0]]), np.array([[3.0, 4.5], [5.0, 713.7]]))
    labels = lists([np.str_("Diving")], np.array(["Diving", "CliffDiving"]))
    for name, array in {"segments": segments, "labels": labels}.items():
        with open(folder / f"{name}.npy", "wb") as file:
            header = {"descr": "|O", "fortran_order": False, "shape": array.shape}
            np.lib.format.write_array_header_1_0(file, header)
            # Python 2 wrote bytes and knew no other name of the module.
            file.write(pickle.dumps(array, protocol=2).replace(b"numpy._core", b"numpy.core"))
    pd.testing.assert_frame_equal(read_wtalc(folder).instances, expected)


class Malicious:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_malicious_pickle_is_refused_before_it_acts(tmp_path, protocol):
    folder = wtalc_folder(tmp_path)
    marker = tmp_path / "it has acted"
    path = folder / "segments.npy"
    with open(path, "wb") as file:
        header = {"descr": "|O", "fortran_order": False, "shape": (2,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(pickle.dumps(lists([[Malicious(marker)]], []), protocol=protocol))
    with pytest.raises(FacnetError, match=r"segments.npy: refused.*names posix.mkdir"):
        read_wtalc(folder)
    assert not marker.exists()
    np.load(path, allow_pickle=True)  # the file is as dangerous as it looks
    assert marker.exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subset": np.array([b"test"])}, r"'subset': 1"),
        ({"labels": lists(["Diving"], ["Diving"])}, "test_1: 2 segments but 1 labels"),
        ({"labels": lists(["Diving"], None)}, "test_1: found None where a list belongs"),
        ({"segments": lists([[1.0, 2.0]], [[3.0, 4.5], [9.0]])}, r"test_1: \[9.0\] is not a start"),
        ({"segments": lists([[1.0, 2.0]], [[3.0, 4.5], [9.0, 8.0]])}, r"segment \[9.0, 8.0\] ends"),
        ({"duration": np.array([1.0, np.nan])}, "test_1: .*nan.* is not a finite number"),
    ],
)
def test_a_broken_wtalc_folder_is_one_line(tmp_path, changes, message):
    with pytest.raises(FacnetError, match=message) as caught:
        read_wtalc(wtalc_folder(tmp_path, **changes))
    assert "\n" not in str(caught.value)


def test_a_missing_or_truncated_array_is_one_line(tmp_path):
    folder = wtalc_folder(tmp_path)
    whole = (folder / "labels.npy").read_bytes()
    (folder / "labels.npy").write_bytes(whole[: len(whole) - 20])
    with pytest.raises(FacnetError, match="labels.npy: refused"):
        read_wtalc(folder)
    (folder / "labels.npy").unlink()
    with pytest.raises(FacnetError, match="labels.npy: cannot be read .No such file"):
        read_wtalc(folder)


def test_the_real_wtalc_folder_has_its_known_counts(reference):
    read = read_wtalc(reference / "data/thumos14/Thumos14reduced-Annotations")
    assert read.videos.subset.value_counts().to_dict() == {"test": 212, "validation": 200}
    assert (len(read.instances), len(read.test_instances)) == (3007 + 3358, 3358)
    assert (len(read.ignored), read.ignored.video.nunique()) == (99, 37)
    assert read.instances.label.nunique() == 20
    videos = read.videos.set_index("video")
    assert videos.labels["video_test_0000270"] == ()
    assert read.instances[read.instances.video == "video_test_0000270"].end.max() == 713.7
    hours = videos.duration.groupby(videos.subset).sum() / 3600
    assert hours.round(2).to_dict() == {"test": 12.76, "validation": 11.61}


def test_real_annotations_of_activitynet_are_read(reference):
    path = reference / "data/activitynet13/activity_net.v1-3.subset.json"
    read = read_annotations(path)
    assert read.test == "validation"
    assert read.videos.subset.value_counts()["validation"] == 4728


# ---------------------------------------------------------------- lists


def test_videos_are_one_a_line(tmp_path):
    path = save(tmp_path / "videos.txt", "video 1\n\n  v2\t\nv2\n")
    assert read_videos(path) == ("video 1", "v2")
    check_refused(read_videos, save(tmp_path / "empty.txt", "\n"), "names no video")


def test_ignored_intervals_are_three_words_a_line(tmp_path):
    path = save(tmp_path / "ignored.txt", "v1  0.0 1.4\n\nv2\t3 4\n")
    assert read_ignored(path).values.tolist() == [["v1", 0, 1.4], ["v2", 3, 4]]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("v7 1.0", ["line 2, v7: ['1.0'] is not a start and an end"]),
        ("v7 1.0 two", ["line 2, v7, end: 'two' is not a finite number"]),
        ("v7 4 3", ["v7: segment [4.0, 3.0] ends before it starts"]),
    ],
)
def test_broken_lines_are_named(tmp_path, line, words):
    check_refused(read_ignored, save(tmp_path / "ignored.txt", f"v1 0 1\n{line}\n"), *words)


# ---------------------------------------------------------------- names and numbers

@pytest.mark.parametrize("value", ["1_0", "１２", "0x10", "1e", "", " ", "one", "1,5", "Infinity"])
def test_numbers_are_decimal_whatever_python_reads(tmp_path, value):
    found = {"results": {"v1": [detection(score=value)]}}
    check_refused(read_detections, save(tmp_path / "d.json", found), "v1", "not a finite number")
    truth = {"database": {"v1": entry({"label": "a", "segment": [0, value]})}}
    check_refused(read_annotations, save(tmp_path / "t.json", truth), "v1", "not a finite number")
    with pytest.raises(FacnetError):
        read_ignored(save(tmp_path / "i.txt", f"v1 0 {value}"))


@pytest.mark.parametrize("value", ["1.5", " 1.5 ", "+1.5", "15e-1", "1.5E0", np.float32(1.5)])
def test_a_number_may_be_a_text(value):
    assert number(value, "here") == 1.5


@pytest.mark.parametrize("word", ["v3.mp4", "V3", "v_v3", "v3.NPY", "v_V3.mkv"])
def test_a_name_with_an_ending_or_in_other_case_suggests_the_right_one(word):
    assert suggest(word, [f"v{i}" for i in range(2000)]) == " Did you mean 'v3'?"


def test_thousands_of_wrong_names_are_answered_in_seconds():
    names = [f"video_{i:05}" for i in range(3000)]
    start = time.perf_counter()
    for name in names:
        assert name in suggest(f"{name}.mp4", names)
    assert time.perf_counter() - start < 20


def test_one_video_in_two_ways_to_write_a_letter_is_twice_there(tmp_path):
    path = tmp_path / "t.json"
    path.write_text('{"database": {"\u00e9": {"annotations": []}, "e\u0301": {"annotations": []}}}',
                    encoding="utf-8")
    check_refused(read_annotations, path, "\u00e9", "appears 2 times")


# ---------------------------------------------------------------- what is written

def test_a_link_stays_a_link_and_its_target_is_written(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "x.json").symlink_to("disk/x.json")
    write_json(tmp_path / "x.json", {"a": 1})
    assert (tmp_path / "x.json").is_symlink()
    assert read_json(tmp_path / "disk/x.json") == {"a": 1}


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path):
    write_text(tmp_path / "x.txt", "old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "x.txt") as partial:
        partial.write_text("half of the n")
        raise RuntimeError
    assert (tmp_path / "x.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.parametrize("place, reason", [
    ("absent/x.txt", "No such file or directory"), (".", "no plain file"),
    ("/dev/null", "no plain file"), ("x" * 300, "File name too long")])
def test_a_place_that_cannot_be_written_is_named_with_the_reason(tmp_path, monkeypatch, place,
                                                                 reason):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FacnetError, match=reason) as caught:
        write_text(place, "text")
    assert str(caught.value).startswith(f"{place}: cannot be written")
    assert not any(tmp_path.iterdir())
