"""ActivityNet-1.3 in every layout becomes the same container, and is trained on where it is."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_cli import facnet, fails

from facnet.config import changed
from facnet.data import load
from facnet.errors import FacnetError
from facnet.evaluation import PROTOCOLS
from facnet.experiment import run
from facnet.importers import importing
from facnet.importers import activitynet
from facnet.importers.check import check_folder
from facnet.methods import preset
from facnet.profiles import profile

STRIDE = 0.64
WIDTH = 6  # columns, rgb first
import_activitynet = partial(activitynet.import_activitynet, streams=("rgb", "flow"))


def video(subset, snippets, *instances):
    return {"subset": subset, "duration": (snippets + 0.5) * STRIDE, "resolution": "320x240",
            "url": "https://example.org", "annotations": [
                {"label": label, "segment": [start, end]} for label, start, end in instances]}


# With what the real annotations have: names that begin with v_, videos of one to three snippets,
# instances without length, past the end, twice, over another.
DATABASE = {
    "aaa": video("training", 16, ("Ballet", 1.0, 3.5), ("Ballet", 2.0, 4.0)),
    "v_bb": video("training", 2, ("Long jump", 0.1, 1.0)),
    "one": video("training", 1, ("Ballet", 0.3, 0.3)),
    "ccc": video("validation", 31, ("Ballet", 1.0, 5.0), ("Long jump", 15.0, 24.0)),
    "ddd": video("validation", 3, ("Ballet", 0.5, 1.5), ("Ballet", 0.5, 1.5)),
    "uno": video("validation", 1, ("Long jump", 0.1, 0.13)),
    "hid": video("testing", 9),
}
USED = [name for name, entry in DATABASE.items() if entry["subset"] != "testing"]


def truth_of(folder, **changes) -> Path:
    path = folder / "activity_net.v1-3.min.json"
    database = {name: entry for name, entry in (DATABASE | changes).items() if entry}
    path.write_text(json.dumps({"version": "VERSION 1.3", "taxonomy": [], "database": database}))
    return path


def snippets(name) -> int:
    return int(DATABASE[name]["duration"] / STRIDE)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {name: rng.random((snippets(name), WIDTH), np.float32) for name in DATABASE}


def put(folder, files) -> Path:
    for name, array in files.items():
        path = folder / "i3d" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)
    return folder / "i3d"


def flat(folder, arrays, prefix="") -> Path:
    return put(folder, {f"{prefix}{name}": array for name, array in arrays.items()})


def prefixed(folder, arrays) -> Path:
    return flat(folder, arrays, "v_")


def by_split(folder, arrays) -> Path:
    """As ACM-Net and ASM-Loc have it."""
    place = {"training": "train", "validation": "test", "testing": "test"}
    return put(folder, {f"{place[DATABASE[name]['subset']]}/v_{name}": array
                        for name, array in arrays.items()})


def by_stream(folder, arrays, prefix="") -> Path:
    return put(folder, {f"{stream}/{prefix}{name}": array[:, columns]
                        for name, array in arrays.items()
                        for stream, columns in (("rgb", slice(0, 3)), ("flow", slice(3, 6)))})


def by_stream_prefixed(folder, arrays) -> Path:
    return by_stream(folder, arrays, "v_")


@pytest.mark.parametrize("layout", [flat, prefixed, by_split, by_stream, by_stream_prefixed])
@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_each_layout_gives_the_same_data_without_copying(tmp_path, arrays, layout, kind):
    arrays = {name: array.astype(kind) for name, array in arrays.items()}
    features = layout(tmp_path, arrays)
    before = {file: file.stat().st_mtime_ns for file in features.rglob("*.npy")}
    report = import_activitynet(features, truth_of(tmp_path), tmp_path / "out")
    data = load(tmp_path / "out")
    assert (data.name, data.classes, data.streams, data.protocol) == (
        "ActivityNet-1.3", ("Ballet", "Long jump"), ("rgb", "flow"), "activitynet")
    assert data.subset("train") == ("aaa", "v_bb", "one")
    assert data.subset("test") == ("ccc", "ddd", "uno")
    for name in USED:
        for stream, columns in (("rgb", slice(0, 3)), ("flow", slice(3, 6))):
            got = data.features(stream, name)
            assert isinstance(got, np.memmap) and got.dtype == kind
            np.testing.assert_array_equal(got, arrays[name][:, columns])
    assert sorted(data.instances.values.tolist()) == sorted(
        [name, item["label"], *item["segment"]]
        for name in USED for item in DATABASE[name]["annotations"])
    placed = [path for path in (tmp_path / "out/features").rglob("*.npy")]
    assert all(path.is_symlink() for path in placed)
    assert len(placed) == len(USED) * (2 if (features / "rgb").is_dir() else 1)
    assert {file: file.stat().st_mtime_ns for file in features.rglob("*.npy")} == before
    assert report == (tmp_path / "out/import_report.txt").read_text().rstrip("\n")
    lines = report.splitlines()
    assert lines[:6] == [
        "kept:", "  to train on: 3 videos with 4 instances and 19 snippets of 0.64 s",
        "  to test on: 3 videos with 5 instances and 35 snippets of 0.64 s",
        "  rgb: 3 features a snippet", "  flow: 3 features a snippet", "  2 of 2 classes"]
    assert "  1 testing videos, whose labels are hidden" in lines
    odd = lines[lines.index("oddities, kept as they are:"):]
    for said in ("one: Ballet at 0.3 has no length.", "ddd: Ballet [0.5, 1.5] is there twice.",
                 "ccc: Long jump [15.0, 24.0] ends after the video's 20.2 s."):
        assert any(line.endswith(said) for line in odd)
    assert check_folder(tmp_path / "out").errors == []


def test_links_are_relative_within_the_current_folder_which_may_move(
        tmp_path, arrays, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path)
    by_split(tmp_path, arrays)
    truth_of(tmp_path)
    import_activitynet("i3d", "activity_net.v1-3.min.json", "data/anet")
    assert os.readlink("data/anet/features/aaa.npy") == "../../../i3d/train/v_aaa.npy"
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "moved"
    tmp_path.rename(elsewhere)
    assert len(load(elsewhere / "data/anet").features("flow", "ccc")) == 31


def test_what_is_missing_is_counted_and_listed_but_not_all_of_it_on_the_screen(tmp_path, arrays):
    absent = {f"gone_{i}": video("validation", 5, ("Ballet", 0, 1)) for i in range(30)}
    truth = truth_of(tmp_path, **absent, also=video("training", 5, ("Ballet", 0, 1)))
    features = by_stream(tmp_path, arrays)
    (features / "flow/one.npy").unlink()
    np.save(features / "rgb/v_stranger.npy", np.zeros((2, 3), np.float32))
    shown = facnet("data", "import", "activitynet", "--features", features,
                   "--annotations", truth, "--out", tmp_path / "out").splitlines()
    whole = (tmp_path / "out/import_report.txt").read_text().splitlines()
    for lines in (shown, whole):
        begin = lines.index("left out:")
        assert lines[begin + 1 : begin + 5] == [
            "  2 training and 30 validation videos without features",
            "  1 testing videos, whose labels are hidden",
            "  one: no flow", "  gone_0: no features"]
    assert "  also: no features" in whole and "  gone_29: no features" in whole
    assert f"  {features}/rgb/v_stranger.npy: no such video in the annotations" in whole
    assert "  gone_29: no features" not in shown
    assert load(tmp_path / "out").subset("train") == ("aaa", "v_bb")


def test_a_class_without_a_training_video_is_left_out_in_so_many_words(tmp_path, arrays):
    del arrays["v_bb"]
    report = import_activitynet(
        flat(tmp_path, arrays), truth_of(tmp_path), tmp_path / "out").splitlines()
    assert "  1 of 2 classes" in report
    assert ("  1 classes, since no training video with features shows them, and with them 2"
            " validation videos: Long jump") in report
    data = load(tmp_path / "out")
    assert data.classes == ("Ballet",) and data.subset("test") == ("ddd",)
    assert check_folder(tmp_path / "out").errors == []


def test_a_stream_that_is_a_snippet_longer_is_cut_when_it_is_read(tmp_path, arrays):
    features = by_stream(tmp_path, arrays)
    before = np.load(features / "rgb/aaa.npy")
    np.save(features / "flow/aaa.npy", before[:-1])
    report = import_activitynet(features, truth_of(tmp_path), tmp_path / "out")
    assert (f"  {features}/flow/aaa.npy, aaa: 15 snippets, but 16 in another stream; the longer is"
            " cut when it is read.") in report.splitlines()
    data = load(tmp_path / "out")
    np.testing.assert_array_equal(data.features("rgb", "aaa"), before[:-1])
    assert data.features("rgb+flow", "aaa").shape == (15, 6)
    assert all(path.is_symlink() for path in (tmp_path / "out/features").rglob("*.npy"))


def harmed(change):
    """A layout of which one file is changed by a function of its path."""
    def layout(folder, arrays):
        features = by_stream(folder, arrays)
        change(features)
        return features
    return layout


def nan(features):
    array = np.load(features / "rgb/ccc.npy")
    array[4, 1] = np.nan
    np.save(features / "rgb/ccc.npy", array)


def only(*names):
    return lambda folder, arrays: flat(folder, {name: arrays[name] for name in names})


@pytest.mark.parametrize("layout, message", [
    (harmed(nan), r"i3d/rgb/ccc.npy, ccc: 1 values are NaN or infinite, the first \(nan\) in"),
    (harmed(lambda d: (d / "rgb/ccc.npy").write_bytes(b"\x93NUM")), "i3d/rgb/ccc.npy: no .npy"),
    (harmed(lambda d: np.save(d / "rgb/ccc.npy", np.zeros((1, 31, 3)))), r"of shape \(1, 31, 3\)"),
    (harmed(lambda d: np.save(d / "rgb/ccc.npy", np.zeros((31, 3), int))), "of type int64"),
    (harmed(lambda d: np.save(d / "rgb/ccc.npy", np.zeros((31, 4)))), "ccc: 4 features a snippet"),
    (harmed(lambda d: np.save(d / "rgb/ccc.npy", np.zeros((25, 3)))),
     "flow/ccc.npy, ccc: 31 snippets, but 25 in another stream"),
    (harmed(lambda d: np.save(d / "rgb/v_ccc.npy", np.zeros((31, 3)))),
     "rgb/v_ccc.npy, ccc: .*rgb/ccc.npy is the same video and stream"),
    (harmed(lambda d: np.save(d / "ccc.npy", np.zeros((31, 6)))), "some VIDEO.npy lie below rgb"),
    (only("aaa", "v_bb", "one"), "i3d: no features to use of validation videos"),
    (only("ccc", "ddd"), "i3d: no features to use of .*training"),
    (only("hid"), "i3d: no VIDEO.npy that is annotated, such as aaa.npy"),
    (lambda d, a: flat(d, {v: x[:, :5] for v, x in a.items()}), "5 columns are not so many"),
    (lambda d, a: flat(d, {v: np.resize(x, (100, WIDTH)) for v, x in a.items()}),
     "lengths and durations disagree in 6 of 6 videos"),  # rescaled, as TSN's and TSP's are
    (lambda d, a: d / "absent", "absent: no VIDEO.npy that is annotated"),
])
def test_features_that_cannot_be_used_are_one_line_and_leave_nothing(
        tmp_path, arrays, layout, message):
    truth, features = truth_of(tmp_path), layout(tmp_path, arrays)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(FacnetError, match=message) as caught:
        import_activitynet(features, truth, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("change, message", [
    ({"aaa": video("test", 16, ("Ballet", 1, 2))}, "subsets are .*, not training and validation"),
    ({name: None for name in ("ccc", "ddd", "uno")}, r"subsets are \['testing', 'training'\]"),
    ({"aaa": video("training", 16, ("Ballet", 3, 2))}, "aaa: .*ends before it starts"),
    ({"aaa": video("training", 16, ("Ballet", -1, 2))}, r"aaa: Ballet \[-1.0, 2.0\] starts before"),
    ({"aaa": video("training", 16, ("Ballet", "soon", 2))}, "aaa, start: 'soon' is not a"),
    ({"aaa": {"subset": "training"}}, "aaa: no 'annotations'"),
    ({"../aaa": video("training", 16, ("Ballet", 1, 2))}, "'../aaa' is no name for a file"),
])
def test_annotations_that_cannot_be_used_are_one_line_and_leave_nothing(
        tmp_path, arrays, change, message):
    features, truth = flat(tmp_path, arrays), truth_of(tmp_path, **change)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(FacnetError, match=message) as caught:
        import_activitynet(features, truth, tmp_path / "out")
    assert "\n" not in str(caught.value) and f"{truth}" in str(caught.value)
    assert set(tmp_path.rglob("*")) == before


def test_a_stride_that_is_no_time_is_refused(tmp_path, arrays):
    for seconds in (0, -1, float("inf"), float("nan")):
        with pytest.raises(FacnetError, match="snippet_seconds = .*: must be a positive number"):
            import_activitynet(
                flat(tmp_path, arrays), truth_of(tmp_path), tmp_path / "out", seconds)


def test_a_folder_that_exists_is_never_touched(tmp_path, arrays, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    error = fails(capsys, "data", "import", "activitynet", "--features", flat(tmp_path, arrays),
                  "--annotations", truth_of(tmp_path), "--out", tmp_path / "out")
    assert error == f"facnet: {tmp_path}/out: exists already; remove it, or name another folder."
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("harm", ["interrupted", "no links here"])
def test_an_import_that_ends_early_leaves_the_features_and_nothing_else(
        tmp_path, arrays, monkeypatch, harm):
    features, truth = by_split(tmp_path, arrays), truth_of(tmp_path)
    before = set(tmp_path.rglob("*"))

    def interrupted(folder, path):
        raise KeyboardInterrupt

    def refused(link, target):
        raise OSError(1, "Operation not permitted", str(link))

    if harm == "interrupted":
        monkeypatch.setattr(importing, "check_folder", interrupted)
    else:
        monkeypatch.setattr(Path, "symlink_to", refused)
    with pytest.raises((KeyboardInterrupt, FacnetError)) as caught:
        import_activitynet(features, truth, tmp_path / "out")
    if harm != "interrupted":
        assert str(caught.value).endswith("aaa.npy: Operation not permitted; not imported.")
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("recipe", ["released", "paper", "STPN", "BM + CW", "W-TALC", "UM"])
def test_videos_of_one_to_three_snippets_are_trained_on_and_scored(tmp_path, arrays, recipe):
    import_activitynet(by_split(tmp_path, arrays), truth_of(tmp_path), tmp_path / "out")
    data = load(tmp_path / "out")
    experiment = changed(profile("smoke").apply(preset(recipe)), {"training.epochs": 2})
    result = run(data, experiment, progress=False)
    assert all(np.isfinite(history.total).all() for history in result.histories.values())
    assert result.evaluation.protocol == "activitynet" and result.evaluation.videos == 3
    assert np.isfinite(result.evaluation.average)


@pytest.mark.parametrize("sampling", ["stratified", "crop"])
def test_long_videos_are_sampled_from_disk(tmp_path, arrays, sampling):
    """A step on `training.snippets` of each video gives what it gives on data in memory."""
    import_activitynet(by_split(tmp_path, arrays), truth_of(tmp_path), tmp_path / "out")
    fields = {"training.epochs": 2, "training.snippets": 5, "training.sampling": sampling}
    experiment = changed(profile("smoke").apply(preset("released")), fields)
    data = load(tmp_path / "out")
    found = run(data, experiment, progress=False)
    whole = run(data, changed(experiment, {"training.snippets": None}), progress=False)
    assert (found.histories["rgb"].total != whole.histories["rgb"].total).all()
    assert len(found.scores["rgb"].activation) == 35, "videos are tested whole"


def test_many_short_videos_are_open_a_few_at_a_time(tmp_path):
    """Systems allow a process some hundreds of open files."""
    resource = pytest.importorskip("resource")
    database = {f"{i:04d}": video("validation" if i else "training", 1, ("Ballet", 0, 0.5))
                for i in range(400)}
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"database": database}))
    features = put(tmp_path, {f"rgb/{name}": np.ones((1, 4), np.float32) for name in database})
    activitynet.import_activitynet(features, truth, tmp_path / "out")
    data = load(tmp_path / "out")
    untrained = changed(profile("smoke").apply(preset("released")), {"training.epochs": 0})
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 256), hard))
    try:
        result = run(data, untrained, progress=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(result.scores["rgb"].activation) == 399


# Read whenever a video's features are asked for, and at the end: a clock misses peaks on a busy
# machine.
MEMORY = """
import sys
from facnet.config import changed
from facnet.data import Dataset, load
from facnet.methods import preset
from facnet.training import fit, predict
def own():  # without the mapped pages of files, which the system takes back when it needs them
    line = next(line for line in open("/proc/self/status") if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024
seen, features = [], Dataset.features
def watched(*arguments):
    seen.append(own())
    return features(*arguments)
Dataset.features = watched
data = load(sys.argv[1])
experiment = changed(preset(), {"training.epochs": 1, "model.embedding_widths": [128, 128]})
before = own()
model, _ = fit(data, "rgb", experiment, progress=False)
scores = predict(model, data, "rgb", data.subset("test"), experiment)
print(max(*seen, own()) - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_memory_does_not_grow_with_the_number_of_videos(tmp_path):
    """Four times the videos, 60 MB of features more, and less than a tenth of that in memory."""
    rng, peaks, sizes = np.random.default_rng(0), [], []
    for count in (160, 640):  # both fill more than a group of `predict`
        folder = tmp_path / str(count)
        folder.mkdir()
        database = {f"{i:04d}": video("training" if i % 2 else "validation", 96 if i % 3 else 192,
                                      ("Ballet", 1, 9)) for i in range(count)}
        arrays = {name: rng.random((int(entry["duration"] / STRIDE), 256), np.float32)
                  for name, entry in database.items()}
        truth = folder / "truth.json"
        truth.write_text(json.dumps({"database": database}))
        activitynet.import_activitynet(
            put(folder, {f"rgb/v_{v}": x for v, x in arrays.items()}), truth, folder / "out")
        sizes.append(sum(array.nbytes for array in arrays.values()))
        # glibc else keeps freed arrays, some 20 MB of them now and then.
        done = subprocess.run([sys.executable, "-c", MEMORY, str(folder / "out")],
                              capture_output=True, text=True, check=True,
                              env={**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536"})
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 0.1 * (sizes[1] - sizes[0])


def test_the_counts_in_the_data_page_are_counted_again(reference):
    from count_activitynet import README, count, page

    truth = reference / "data/activitynet13/activity_net.v1-3.subset.json"
    assert page(count(truth)) == README.read_text(encoding="utf-8")


def test_the_real_annotations_run_from_import_to_a_number(reference, tmp_path):
    """Random features of the true lengths, a few columns wide: every step of the command line."""
    truth = reference / "data/activitynet13/activity_net.v1-3.subset.json"
    database = json.loads(truth.read_text())["database"]
    used = {name: entry for name, entry in database.items() if entry["subset"] != "testing"}
    rng = np.random.default_rng(0)
    for name, entry in used.items():
        place = tmp_path / "i3d" / {"training": "train", "validation": "test"}[entry["subset"]]
        place.mkdir(parents=True, exist_ok=True)
        length = max(1, int(entry["duration"] * 25 / 16))
        np.save(place / f"v_{name}.npy", rng.random((length, 4), np.float32))
    out, part, found = tmp_path / "anet", tmp_path / "part", tmp_path / "d.json"
    command = ("data", "import", "activitynet", "--features", tmp_path / "i3d",
               "--annotations", truth, "--out")
    text = facnet(*command, out)
    assert "to train on: 9649 videos with 14859 instances and 1767109 snippets of 0.64 s" in text
    assert "to test on: 4728 videos with 7293 instances and 872964 snippets of 0.64 s" in text
    assert "200 of 200 classes" in text and "4851 testing videos" in text
    text = facnet("data", "check", out)
    assert f"{out}: 0 errors" in text.splitlines()[-1]
    own = pd.DataFrame([(entry["subset"], name, item["label"]) for name, entry in used.items()
                        for item in entry["annotations"]], columns=["subset", "video", "label"])
    kept = {*own[own.subset == "training"].drop_duplicates("label").video,
            *own[own.subset == "validation"].video.unique()[:40]}
    for file in (tmp_path / "i3d").rglob("*.npy"):
        if file.stem.removeprefix("v_") not in kept:
            file.unlink()
    text = facnet(*command, part)
    assert "to test on: 40 videos with" in text and "200 of 200 classes" in text
    facnet("train", "--dataset", part, "--profile", "smoke", "--set", "training.epochs=1",
           "--out", tmp_path / "run")
    facnet("localize", tmp_path / "run", "--dataset", part, "--out", found)
    text = facnet("evaluate", found, "--annotations", part)
    assert "Protocol activitynet (ActivityNet's toolkit), subset 'validation': 40 videos" in text
    result = json.loads(facnet("evaluate", found, "--annotations", part, "--json"))
    assert list(map(float, result["mean_ap"])) == pytest.approx(PROTOCOLS["activitynet"].tiou)
