"""A folder of features and a CSV become a data set's folder, whole or not at all, without code."""

import json
import os
import shutil
from unicodedata import normalize

import numpy as np
import pandas as pd
import pytest
from test_cli import facnet, fails

from facnet.cli import main
from facnet.data import load
from facnet.errors import FacnetError
from facnet.experiment import evaluate_test
from facnet.files import read_annotations, read_detections, write_detections
from facnet.importers import importing
from facnet.importers.check import check_folder
from facnet.importers.own import init_folder

VIDEOS = {f"match_{i}": 20 + i for i in range(8)}  # snippets
WIDTH = 6
SECONDS = 0.5
ROWS = """video,label,start,end
match_0,dive,1,2.5
match_0,jump,3,4
match_1,dive,0,2
match_2,dive,2,3
match_3,jump,2,3
match_4,jump,2,3
match_5,dive,2,3
match_6,dive,2,3
match_7,jump,2,3
"""
LABELS = "\n".join(",".join(line.split(",")[:2]) for line in ROWS.splitlines())


def joint(folder, arrays) -> None:
    folder.mkdir()
    for video, array in arrays.items():
        np.save(folder / f"{video}.npy", array)


def separate(folder, arrays) -> None:
    for stream, columns in (("rgb", slice(0, 3)), ("flow", slice(3, 6))):
        (folder / stream).mkdir(parents=True)
        for video, array in arrays.items():
            np.save(folder / stream / f"{video}.npy", array[:, columns])


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {video: rng.random((snippets, WIDTH), np.float32) for video, snippets in VIDEOS.items()}


@pytest.fixture
def mine(tmp_path, arrays, monkeypatch):
    """A user's folder: i3d/ with joint features and segments.csv; the command runs inside it."""
    monkeypatch.chdir(tmp_path)
    joint(tmp_path / "i3d", arrays)
    (tmp_path / "segments.csv").write_text(ROWS)
    return tmp_path


def init(folder, **options) -> str:
    return init_folder(folder / "i3d", folder / "segments.csv", folder / "data" / "mine",
                       SECONDS, **options)


def rows(folder, text: str) -> None:
    (folder / "segments.csv").write_text(text)


def test_three_commands_lead_to_detections_and_a_fourth_to_a_number(mine):
    text = facnet("data", "init", "--features", "i3d", "--annotations", "segments.csv",
                  "--snippet-seconds", SECONDS, "--out", "data/mine")
    assert "split by video with seed 0: 2 of 8 to test" in text
    facnet("train", "--dataset", "data/mine", "--profile", "smoke", "--out", "run")
    facnet("localize", "run", "--dataset", "data/mine", "--out", "d.json")
    text = facnet("evaluate", "d.json", "--annotations", "data/mine")
    assert "Protocol seconds (ActivityNet's matching, THUMOS14's tIoUs), subset 'test': 2 v" in text
    assert facnet("data", "check", "data/mine").endswith("data/mine: 0 errors, 0 oddities\n")


def test_all_that_the_rows_say_is_in_the_folder(mine, arrays):
    report = init(mine)
    data = load(mine / "data/mine")
    assert (data.name, data.classes, data.streams) == ("mine", ("dive", "jump"), ("features",))
    assert data.snippet_seconds == SECONDS
    for video, array in arrays.items():
        np.testing.assert_array_equal(data.features("features", video), array)
    given = [line.split(",") for line in ROWS.splitlines()[1:]]
    assert sorted(data.instances.values.tolist()) == sorted(
        [video, label, float(start), float(end)] for video, label, start, end in given)
    durations = data.videos.set_index("video").duration
    assert durations.to_dict() == {video: n * SECONDS for video, n in VIDEOS.items()}
    assert report.splitlines()[:2] == [
        "kept:", "  to train on: 6 videos with 7 instances and 142 snippets of 0.5 s"]
    assert report == (mine / "data/mine/import_report.txt").read_text().rstrip("\n")


@pytest.mark.parametrize("streams, expected", [
    ((), {"features": (0, 6)}), (("rgb", "flow"), {"rgb": (0, 3), "flow": (3, 6)})])
def test_joint_columns_are_one_stream_or_equal_parts(mine, arrays, streams, expected):
    init(mine, streams=streams)
    data = load(mine / "data/mine")
    assert data.streams == tuple(expected)
    for stream, columns in expected.items():
        np.testing.assert_array_equal(
            data.features(stream, "match_3"), arrays["match_3"][:, slice(*columns)])


def test_a_folder_a_stream_is_that_stream(mine, arrays):
    shutil.rmtree(mine / "i3d")
    separate(mine / "i3d", arrays)
    init(mine)
    data = load(mine / "data/mine")
    assert data.streams == ("rgb", "flow")
    np.testing.assert_array_equal(data.features("flow", "match_3"), arrays["match_3"][:, 3:])


def test_features_stay_where_they_are_and_a_tree_may_move(mine, tmp_path_factory):
    """A link is relative within the current folder, so that all of it can be moved."""
    before = sorted((mine / "i3d").iterdir())
    assert "data/mine/features is a link to ../../i3d" in init(mine)
    assert sorted((mine / "i3d").iterdir()) == before
    assert os.readlink(mine / "data/mine/features") == "../../i3d"
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "moved"
    mine.rename(elsewhere)
    assert len(load(elsewhere / "data/mine").features("features", "match_0")) == 20


def test_a_link_to_elsewhere_is_absolute(mine, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    init(mine)
    assert os.readlink(mine / "data/mine/features") == str((mine / "i3d").resolve())
    assert check_folder(mine / "data/mine").errors == []


def test_the_split_depends_on_videos_and_seed_alone(mine):
    init(mine)
    first = load(mine / "data/mine").subset("test")
    shutil.rmtree(mine / "data")
    header, *lines = ROWS.splitlines()
    rows(mine, "\n".join([header, *reversed(lines)]))
    init(mine)
    assert set(load(mine / "data/mine").subset("test")) == set(first)
    said = json.loads((mine / "data/mine/annotations.json").read_text())["split"]
    assert said == "by video with seed 0: 2 of 8 to test, each label kept in a video to train on"
    others = set()
    for seed in range(1, 5):
        shutil.rmtree(mine / "data")
        init(mine, seed=seed, test_share=0.5)
        others.add(frozenset(load(mine / "data/mine").subset("test")))
        assert len(load(mine / "data/mine").subset("test")) == 4
    assert len(others) > 1


def test_every_label_keeps_a_video_to_train_on(mine):
    rows(mine, ROWS.replace("match_7,jump", "match_7,spin"))
    text = init(mine, test_share=0.99)
    data = load(mine / "data/mine")
    assert data.labels(data.subset("train")).any(0).all()
    assert "match_7" in data.subset("train")
    assert "of 8 to test (8 were wanted)" in text


def test_a_split_that_is_given_is_kept(mine):
    lines = ROWS.splitlines()
    lines = [lines[0] + ",subset"] + [
        line + ("," if "jump,3" in line else ",test" if line[6] in "0357" else ",train")
        for line in lines[1:]]
    rows(mine, "\n".join(lines))
    assert "split as segments.csv gives it" in init(mine)
    assert load(mine / "data/mine").subset("test") == ("match_0", "match_3", "match_5", "match_7")


def with_subsets(folder, *names) -> None:
    """The rows with a column of subsets, the names dealt out to the videos in turn."""
    header, *lines = ROWS.splitlines()
    lines = [f"{line},{names[int(line[6]) % len(names)]}" for line in lines]
    rows(folder, "\n".join([f"{header},subset", *lines]))


@pytest.mark.parametrize("train, test", [
    ("train", "test"), ("training", "testing"), ("Train", "VAL"), ("train", "valid"),
    ("training", "validation")])
def test_subsets_may_have_the_names_that_the_field_gives_them(mine, train, test):
    with_subsets(mine, train, test)
    report = init(mine)
    assert f"'{train.lower()}' to train on" in report and f"'{test.lower()}' to test on" in report
    data = load(mine / "data/mine")
    assert set(data.subset("train")) == {f"match_{i}" for i in (0, 2, 4, 6)}
    assert set(data.subset("test")) == {f"match_{i}" for i in (1, 3, 5, 7)}


@pytest.mark.parametrize("names", [
    ("train", "val", "test"), ("train", "training"), ("validation", "test"),
    ("training", "validation", "testing")])
def test_subsets_of_which_the_use_is_not_clear_are_refused(mine, names):
    with_subsets(mine, *names)
    with pytest.raises(FacnetError, match="segments.csv: which of the subsets .* Call these train"):
        init(mine)
    assert not (mine / "data/mine").exists()


def in_folders(folder, arrays, *names, cut=0) -> None:
    """The features as streams of half of the columns, the second some snippets shorter."""
    shutil.rmtree(folder / "i3d")
    for number, name in enumerate(names):
        (folder / "i3d" / name).mkdir(parents=True)
        for video, array in arrays.items():
            part = array[: len(array) - number * cut, 3 * number : 3 * number + 3]
            np.save(folder / "i3d" / name / f"{video}.npy", part)


@pytest.mark.parametrize("cut", [1, 2])
def test_a_stream_that_is_a_snippet_longer_is_cut_when_it_is_read(mine, arrays, cut):
    in_folders(mine, arrays, "rgb", "flow", cut=cut)
    report = init(mine)
    assert (f"flow/match_0.npy, match_0: {20 - cut} snippets, but 20 in another stream; the longer"
            " is cut when it is read.") in report
    assert report.count("match_0: ") == 1 and "frame rate" not in report
    data = load(mine / "data/mine")
    assert [len(data.features(s, "match_0")) for s in ("rgb", "flow", "rgb+flow")] == [20 - cut] * 3
    assert data.videos.set_index("video").duration["match_0"] == (20 - cut) * SECONDS
    assert check_folder(mine / "data/mine").errors == []
    assert len(np.load(mine / "i3d/rgb/match_0.npy")) == 20


def test_streams_that_do_not_belong_together_are_refused_by_all(mine, arrays):
    in_folders(mine, arrays, "rgb", "flow")
    init(mine)
    in_folders(mine, arrays, "rgb", "flow", cut=3)
    with pytest.raises(FacnetError, match="match_0: streams rgb, flow have .20, 17. snippets"):
        load(mine / "data/mine").features("rgb", "match_0")
    assert len(check_folder(mine / "data/mine").errors) == len(VIDEOS)
    shutil.rmtree(mine / "data")
    with pytest.raises(FacnetError, match="flow/match_0.npy, match_0: 17 snippets, but 20 in ano"):
        init(mine)


@pytest.mark.parametrize("names", ["rgb, flow", "RGB,Flow", " rgb ,flow"])
def test_streams_that_are_asked_for_have_no_blanks_around_their_names(mine, names):
    facnet("data", "init", "--features", "i3d", "--annotations", "segments.csv", "--streams", names,
           "--snippet-seconds", SECONDS, "--out", "data/mine")
    assert [s.lower() for s in load(mine / "data/mine").streams] == ["rgb", "flow"]


def test_the_report_says_which_stream_has_a_weight_if_none_is_called_rgb(mine, arrays):
    in_folders(mine, arrays, "RGB", "Flow")
    assert "localization.rgb_weight" not in init(mine)
    assert load(mine / "data/mine").streams == ("RGB", "Flow")
    shutil.rmtree(mine / "data")
    in_folders(mine, arrays, "rgb_i3d", "flow_i3d")
    assert "streams flow_i3d, rgb_i3d count the same, as none is called rgb" in init(mine)
    assert "count the same" in facnet("data", "check", "data/mine")


def test_what_joint_columns_are_taken_for_is_said(mine):
    assert "6 columns hold features, in equal parts; --streams A,B says what else" in init(mine)
    shutil.rmtree(mine / "data")
    assert "columns hold" not in init(mine, streams=("rgb", "flow"))


def test_which_time_a_snippet_stands_for_is_said(mine):
    said = "a feature is of the 0.5 s from its snippet's start to the next; if its window is longer"
    assert said in init(mine)
    assert f"assumed: {said}" in facnet("data", "check", "data/mine")


def rescaled(factor):
    """The rows with times in another unit."""
    lines = [line.split(",") for line in ROWS.splitlines()[1:]]
    return "video,label,start,end\n" + "".join(
        f"{video},{label},{float(start) * factor:.6f},{float(end) * factor:.6f}\n"
        for video, label, start, end in lines)


@pytest.mark.parametrize("factor", [1 / 11, 1 / 60, 1 / 3600])  # shares, minutes, hours
def test_times_that_are_no_seconds_are_an_oddity(mine, factor):
    assert "are times in seconds?" not in init(mine)
    shutil.rmtree(mine / "data")
    rows(mine, rescaled(factor))
    assert "of the instances to train on 100% are shorter than a snippet" in init(mine)
    assert "are times in seconds?" in facnet("data", "check", "data/mine")


@pytest.mark.parametrize("seconds", [16, 25, 30, 0.004])
def test_a_grid_of_frames_is_an_oddity(mine, seconds):
    rows(mine, LABELS)
    report = init_folder(mine / "i3d", mine / "segments.csv", mine / "data/mine", seconds)
    assert f"segments.csv: a snippet every {seconds:g} s; of 16 frames at 25 fps it is" in report


@pytest.mark.parametrize("shape", [(30, WIDTH), (WIDTH, 30)])
def test_features_of_one_length_for_all_videos_are_an_oddity(mine, shape):
    for video in VIDEOS:
        np.save(mine / f"i3d/{video}.npy", np.ones(shape, np.float32))
    rows(mine, LABELS)
    said = f"6 of 6 videos to train on have the same {shape[0]} snippets; are features rescaled"
    assert said in init(mine)
    assert said in facnet("data", "check", "data/mine")


def test_a_file_whose_name_has_its_letters_taken_apart_is_found(mine):
    """As macOS writes names: e and an accent, where tables have é."""
    name = "lancé_möve"
    (mine / "i3d/match_1.npy").rename(mine / f"i3d/{normalize('NFD', name)}.npy")
    (mine / "segments.csv").write_text(ROWS.replace("match_1", name), encoding="utf-8")
    assert "of no video used" not in init(mine)
    data = load(mine / "data/mine")
    assert name in set(data.videos.video) and len(data.features("features", name)) == 21


def test_labels_alone_are_enough_to_train_on(mine):
    rows(mine, ROWS.replace("match_1,dive,0,2", "match_1,dive,,").replace("3,4\n", ",\n"))
    text = init(mine, test_share=0.5)
    data = load(mine / "data/mine")
    assert {"match_0", "match_1"} <= set(data.subset("train"))
    assert "to train on: 4 videos with 3 instances" in text
    assert "  2 videos have labels without times" in text
    assert data.labels(("match_0", "match_1")).tolist() == [[1, 1], [1, 0]]


@pytest.mark.parametrize("columns", ["video,label,start,end", "video,label"])
def test_without_any_segment_evaluation_says_what_it_lacks(mine, capsys, columns):
    labels = [line.split(",")[:2] + [""] * (columns.count(",") - 1)
              for line in ROWS.splitlines()[1:]]
    rows(mine, "\n".join([columns, *map(",".join, labels)]))
    text = init(mine)
    assert text.count("an instance") == 1
    assert "no test video has an instance; detections can be made, but not evaluated" in text
    told = facnet("data", "check", "data/mine")
    assert "unknown" in told and "nan" not in told and told.endswith("0 errors, 1 oddities\n")
    facnet("train", "--dataset", "data/mine", "--profile", "smoke", "--out", "run")
    facnet("localize", "run", "--dataset", "data/mine", "--out", "d.json")
    error = fails(capsys, "evaluate", "d.json", "--annotations", "data/mine")
    assert error.startswith("facnet: data/mine: no video has an instance")


def test_test_videos_of_unknown_times_are_left_out_of_the_number(mine):
    """What is found in them is neither right nor wrong."""
    text = "video,label,start,end,subset\n"
    for i in range(8):
        times = "," if i == 5 else "1,4"
        text += f"match_{i},{'dive' if i % 2 else 'jump'},{times},{'train' if i < 4 else 'test'}\n"
    rows(mine, text)
    assert "  1 videos have labels without times" in init(mine)
    everywhere = pd.DataFrame([(f"match_{i}", "dive", 1.0, 4.0, 0.9) for i in (5, 7)],
                              columns=["video", "label", "start", "end", "score"])
    write_detections(mine / "d.json", everywhere)
    result = json.loads(facnet("evaluate", "d.json", "--annotations", "data/mine", "--json"))
    assert result["left_out"] == {
        "in videos with labels but no segment": 1}
    assert result["ap"]["dive"]["0.7"] == 100
    here = evaluate_test(everywhere, load(mine / "data/mine"))
    assert here.ap.loc["dive", 0.7] == 100
    assert here.left_out == {"in a video not evaluated": 1}


def test_a_single_class_can_be_detected(mine):
    rng = np.random.default_rng(0)
    for i in range(8):  # an action has features of its own
        array = rng.random((40, WIDTH), np.float32) * 0.1
        array[:, 0] = 1
        array[10:20, :2] = 0, 1
        np.save(mine / f"i3d/match_{i}.npy", array)
    rows(mine, "video,label\n" + "".join(f"match_{i},dive\n" for i in range(8)))
    init(mine)
    facnet("train", "--dataset", "data/mine", "--profile", "smoke", "--out", "run")
    facnet("localize", "run", "--dataset", "data/mine", "--out", "d.json")
    assert set(read_detections("d.json").label) == {"dive"}


@pytest.mark.parametrize("label", ["Ambiguous", "ambiguous", "AMBIGUOUS"])
def test_ambiguous_intervals_are_no_class(mine, label):
    rows(mine, ROWS + f"match_1,{label},3,4\n")
    assert "1 rows labelled Ambiguous: intervals that evaluation may ignore" in init(mine)
    data = load(mine / "data/mine")
    assert data.classes == ("dive", "jump")
    assert data.ignored.values.tolist() == [["match_1", 3.0, 4.0]]
    assert read_annotations(mine / "data/mine").ignored.values.tolist() == [["match_1", 3.0, 4.0]]


def test_columns_in_another_order_and_blanks_and_a_byte_order_mark_do_no_harm(mine):
    shuffled = "\ufefflabel, Video,end,start,annotator\r\n\r\n"
    for line in ROWS.splitlines()[1:]:
        video, label, start, end = line.split(",")
        shuffled += f'"{label}", {video} ,{end},{start},me\r\n'
    rows(mine, shuffled)
    assert "segments.csv: column 'annotator'" in init(mine)
    assert len(load(mine / "data/mine").instances) == 9


@pytest.mark.parametrize("change, message", [
    (("match_1,dive,0,2", "match_1,dive,x,2"),
     "segments.csv, row 4, match_1: start and end are 'x to 2', not two numbers of seconds"),
    (("match_1,dive,0,2", "match_1,dive,0,"), "row 4, match_1: .* are '0 to ', not two"),
    (("match_1,dive,0,2", "match_1,dive,0,nan"), "row 4, match_1: .* are '0 to nan', not"),
    (("match_1,dive,0,2", "match_1,dive,3,2"), r"row 4, match_1: dive \[3.0, 2.0\] ends before it"),
    (("match_1,dive,0,2", "match_1,dive,-1,2"), r"row 4, match_1: dive \[-1.0, 2.0\] .* or starts"),
    (("match_1,dive,0,2", "match_1,,0,2"), "row 4, match_1: no label"),
    (("match_1,dive,0,2", "match_1,Ambiguous,,"), "row 4, match_1: start and end are ' to ', not"),
    (("match_1,dive,0,2", "match_1,dive,0"), "row 4, match_1: 3 values, but 4 columns"),
    (("match_1,dive,0,2", "match_1,dive,0,2,5"), "row 4, match_1: 5 values, but 4 columns"),
    (("match_1,dive,0,2", "match_9,dive,0,2"), "row 4, match_9: no .*match_9.npy. Did you mean 'm"),
    (("match_1,dive,0,2", "match_1.mp4,dive,0,2"), "row 4, match_1.mp4: .*Did you mean 'match_1'"),
    (("match_1,dive,0,2", "Match_1,dive,0,2"), "row 4, Match_1: .*Did you mean 'match_1'"),
    (("match_1,dive,0,2", 'match_1,dive,0,"1,5"'), "row 4, match_1: .* are '0 to 1,5', not two"),
    (("match_1,dive,0,2", "match_1,dive,0:01,2"), "row 4, match_1: .* are '0:01 to 2', not two"),
    (("match_1,dive,0,2", "match_1.npy,dive,0,2"), "row 4, match_1.npy: .*Did you mean 'match_1'"),
    (("match_1,dive,0,2", "../match_1,dive,0,2"), "row 4, ../match_1: no .*match_1.npy"),
    (("match_1,dive,0,2", ",dive,0,2"), "row 4, : no .*i3d/.npy"),
    (("match_1,dive,0,2", '"match_1,dive,0,2'), "row 10: not a CSV"),
    (("match_1,dive,0,2", "match_1,dive,0,2000"),
     "row 4, match_1: ends at 2000 s, but the features after 10.5 s.* a snippet every 0.5 s"),
    (("start,end", "begin,end"), "row 1: 'video,label,begin,end' has not one column 'start'"),
    ((",", " "), "row 1: 'video label start end' has not one column 'video'"),
    (("start,end", "start"), "row 1: 'video,label,start' has not one column 'end'"),
    ((ROWS, "video,label,start,end\n"), "no row below a header"),
    ((ROWS, "\n\n"), "no row below a header video,label,start,end"),
    ((ROWS, "video,label,start,end\nmatch_0,dive,1,2\nmatch_1,jump,1,2\n"), "cannot be split"),
    ((ROWS, "video,label,start,end,subset\nmatch_0,dive,1,2,train\nmatch_1,dive,1,2,\n"),
     "row 3, match_1: no subset, but other videos have one"),
    ((ROWS, "video,label,start,end,subset\nmatch_0,dive,1,2,train\nmatch_0,dive,3,4,test\n"),
     "row 3, match_0: subset test, but train in an earlier row"),
    ((ROWS, "video,label,start,end,subset\nmatch_0,dive,1,2,mine\n"),
     "row 2, match_0: subset 'mine' is none of train, training, test"),
    ((ROWS, "video,label,start,end,subset\nmatch_0,dive,1,2,train\n"),
     "segments.csv: no video has subset 'test'"),
    ((ROWS, "video,label,start,end,subset\nmatch_0,dive,1,2,train\nmatch_1,jump,1,2,test\n"),
     "segments.csv: no training video has class 'jump'"),
])
def test_a_row_that_cannot_be_used_is_one_line_and_leaves_nothing(mine, change, message):
    rows(mine, ROWS.replace(*change))
    before = set(mine.rglob("*"))
    with pytest.raises(FacnetError, match=message) as caught:
        init(mine)
    assert "\n" not in str(caught.value)
    assert {path for path in set(mine.rglob("*")) - before if path.name != "data"} == set()


def nan(folder):
    array = np.load(folder / "i3d/match_3.npy")
    array[2, 1] = np.nan
    np.save(folder / "i3d/match_3.npy", array)


def deeper(folder, *places):
    """Deal the files out to folders below."""
    for i, file in enumerate(sorted(folder.iterdir())):
        (folder / places[i % len(places)]).mkdir(parents=True, exist_ok=True)
        file.rename(folder / places[i % len(places)] / file.name)


@pytest.mark.parametrize("harm, message", [
    (nan, r"i3d/match_3.npy, match_3: 1 values are NaN or infinite, the first \(nan\) in snippet"),
    (lambda d: (d / "i3d/match_3.npy").write_bytes(b"\x93NUM"), "i3d/match_3.npy: no .npy file"),
    (lambda d: np.save(d / "i3d/match_3.npy", np.zeros((9, 2, 2))), r"match_3.npy: .*\(9, 2, 2\)"),
    (lambda d: np.save(d / "i3d/match_3.npy", np.ones((23, 5))), "match_3.npy, match_3: 5 colu"),
    (lambda d: separate(d / "i3d", {"match_0": np.zeros((20, 6))}), "VIDEO.npy lie in itself, rg"),
    (lambda d: (d / "i3d").rename(d / "there"), "i3d: no such folder"),
    (lambda d: [p.unlink() for p in (d / "i3d").iterdir()], "i3d: holds neither VIDEO.npy nor"),
    (lambda d: [np.save(p, np.load(p).T) for p in (d / "i3d").iterdir()],
     "i3d: every file has 6 rows, and from 20 to 27 columns; a row is a snippet: turn them"),
    (lambda d: [np.save(p, np.load(p).astype(int)) for p in (d / "i3d").iterdir()],
     "match_0.npy: features of type int64, not float16 or float32.* And 3 more"),
    (lambda d: np.save(d / "i3d/match_3.npy", np.full((23, 6), 1e300)), "138 values are NaN or"),
    (lambda d: deeper(d / "i3d", "a/rgb"), "i3d: holds neither"),
    (lambda d: deeper(d / "i3d", "train", "test"), "VIDEO.npy lie in test, train, no str"),
    (lambda d: (d / "segments.csv").unlink(), "segments.csv: cannot be read"),
    (lambda d: (d / "segments.csv").write_bytes(b"\xff\xfe"), "segments.csv, line 1: not a text"),
])
def test_files_that_cannot_be_used_are_one_line_and_leave_nothing(mine, harm, message):
    harm(mine)
    before = set(mine.rglob("*"))
    with pytest.raises(FacnetError, match=message) as caught:
        init(mine)
    assert "\n" not in str(caught.value)
    assert {path for path in set(mine.rglob("*")) - before if path.name != "data"} == set()


def test_all_faults_are_told_in_one_call(mine, capsys):
    """Those of the rows in their order, then of files that cannot be read, each on a line."""
    rows(mine, ROWS.replace("dive,1,2.5", "dive,2.5,1").replace("match_2,dive,2", "match_2,dive,x")
         .replace("match_4,", "match_44,") + "../match_7,jump,1,2\nmatch_7,,1,2\n")
    (mine / "i3d/match_5.npy").unlink()
    np.save(mine / "i3d/match_6.npy", np.ones(26))
    with pytest.raises(SystemExit):
        main(["data", "init", "--features", "i3d", "--annotations", "segments.csv",
              "--snippet-seconds", "0.5", "--out", "data/mine"])
    *lines, last = [line for line in capsys.readouterr().err.splitlines() if line]
    assert [line.partition(" ")[2][:40] for line in lines] == [line[:40] for line in (
        "segments.csv, row 2, match_0: dive [2.5, 1.0] ends",
        "segments.csv, row 5, match_2: start and end are",
        "segments.csv, row 7, match_44: no i3d/match_44.npy",
        "segments.csv, row 8, match_5: no i3d/match_5.npy",
        "segments.csv, row 11, ../match_7: no i3d/../match_7.npy",
        "segments.csv, row 12, match_7: no label.......",
        "i3d/match_6.npy: features of shape (26,), not")]
    assert last == "facnet: segments.csv: not imported. 7 errors."
    assert not (mine / "data/mine").exists()


def test_a_file_that_no_row_names_is_the_one_suggested(mine):
    """A numbered name is close to many, but what others mean it cannot mean."""
    (mine / "i3d/match_4.npy").rename(mine / "i3d/match_004.npy")
    with pytest.raises(FacnetError, match="match_4: no .*match_4.npy. Did you mean 'match_004'"):
        init(mine)
    (mine / "i3d/match_004.npy").unlink()
    with pytest.raises(FacnetError, match=r"match_4: no [^ ]*match_4.npy\.$"):
        init(mine)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_a_spreadsheets_separators_are_read(mine, separator):
    rows(mine, ROWS.replace(",", separator))
    init(mine)
    assert len(load(mine / "data/mine").instances) == 9


def test_names_may_hold_blanks_dots_and_letters_of_any_language(mine):
    name = "möve 1.5 – final"
    (mine / "i3d/match_1.npy").rename(mine / f"i3d/{name}.npy")
    (mine / "segments.csv").write_text(ROWS.replace("match_1", name), encoding="utf-8")
    init(mine)
    assert len(load(mine / "data/mine").features("features", name)) == 21


def test_labels_that_differ_in_case_alone_are_pointed_out(mine):
    rows(mine, ROWS.replace("match_1,dive", "match_1,Dive "))
    text = init(mine)
    assert "segments.csv: 'Dive', 'dive' are different classes; is one mistyped?" in text
    assert "videos of the classes: Dive 1, dive 4, jump 4" in text


@pytest.mark.parametrize("options, message", [
    ({"streams": ("a", "b", "c", "d")}, "streams = a,b,c,d: 6 columns"),
    ({"streams": ("a", "a")}, "streams = a,a: 6 columns"),
    ({"test_share": 0.0}, "test share = 0.0: must be above 0 and below 1"),
    ({"test_share": float("nan")}, "test share = nan"),
])
def test_options_that_cannot_be_are_refused(mine, options, message):
    with pytest.raises(FacnetError, match=message):
        init(mine, **options)


def test_a_folder_that_exists_is_never_touched(mine, capsys):
    (mine / "data/mine").mkdir(parents=True)
    (mine / "data/mine/notes.txt").write_text("mine")
    error = fails(capsys, "data", "init", "--features", "i3d", "--annotations", "segments.csv",
                  "--snippet-seconds", "0.5", "--out", "data/mine")
    assert error == "facnet: data/mine: exists already; remove it, or name another folder."
    assert [path.name for path in (mine / "data/mine").iterdir()] == ["notes.txt"]


def test_an_interruption_leaves_the_features_and_nothing_else(mine, monkeypatch):
    def interrupted(folder, path):
        assert path.exists()  # at the last moment
        raise KeyboardInterrupt

    monkeypatch.setattr(importing, "check_folder", interrupted)
    with pytest.raises(KeyboardInterrupt):
        init(mine)
    assert not list((mine / "data").iterdir())
    assert len(list((mine / "i3d").iterdir())) == len(VIDEOS)


@pytest.mark.parametrize("mask, mode", [(0o022, 0o755), (0o027, 0o750), (0o002, 0o775)])
def test_what_is_made_has_the_users_umask(mine, mask, mode):
    before = os.umask(mask)
    try:
        init(mine)
    finally:
        os.umask(before)
    out = mine / "data/mine"
    assert out.stat().st_mode & 0o777 == mode
    assert {p.stat().st_mode & 0o777 for p in out.iterdir() if p.is_file()} == {mode & 0o666}
