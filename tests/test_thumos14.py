"""THUMOS14 in every layout becomes the same container, whole or not at all."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_cli import facnet, fails
from test_files import lists, save, wtalc_folder

from facnet.data import load
from facnet.errors import FacnetError
from facnet.importers.wtalc import read_ground_truth
from facnet.importers import importing
from facnet.importers.check import check_folder
from facnet.importers.thumos14 import import_thumos14

VIDEOS = {"val_1": 16, "test_1": 31}  # snippets; durations 10.5 and 20 s
WIDTH = 6  # columns, rgb first


@pytest.fixture
def truth(tmp_path):
    folder = tmp_path / "annotations"
    folder.mkdir()
    return wtalc_folder(folder, labels_all=lists(["CliffDiving", "Diving"], []))


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {video: rng.random((snippets, WIDTH)).astype(np.float32)
            for video, snippets in VIDEOS.items()}


def wtalc_file(folder, arrays) -> Path:
    np.save(folder / "features.npy", lists(*arrays.values()), allow_pickle=True)
    return folder / "features.npy"


def joint_folder(folder, arrays) -> Path:
    (folder / "i3d").mkdir()
    for video, array in arrays.items():
        np.save(folder / "i3d" / f"{video}.npy", array)
    return folder / "i3d"


def streams_folder(folder, arrays) -> Path:
    """As BaS-Net and UM have it: features/train/rgb/VIDEO.npy and so on."""
    for video, array in arrays.items():
        for stream, part in (("rgb", array[:, :3]), ("flow", array[:, 3:])):
            place = folder / "features" / ("train" if "val" in video else "test") / stream
            place.mkdir(parents=True, exist_ok=True)
            np.save(place / f"{video}.npy", part)
    return folder / "features"


LAYOUTS = (wtalc_file, joint_folder, streams_folder)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_gives_the_same_data(tmp_path, truth, arrays, layout):
    report = import_thumos14(
        layout(tmp_path, arrays), truth, tmp_path / "out", streams=("rgb", "flow"))
    data = load(tmp_path / "out")
    assert (data.name, data.classes, data.streams) == (
        "THUMOS14", ("CliffDiving", "Diving"), ("rgb", "flow"))
    assert data.snippet_seconds == 0.64 and data.protocol == "released"
    for video, array in arrays.items():
        np.testing.assert_array_equal(data.features("rgb", video), array[:, :3])
        np.testing.assert_array_equal(data.features("flow", video), array[:, 3:])
    assert data.subset("train") == ("val_1",) and data.subset("test") == ("test_1",)
    assert data.labels(("val_1", "test_1")).tolist() == [[1, 1], [0, 0]]  # labels_all
    expected = read_ground_truth(truth)
    assert data.instances.values.tolist() == expected.instances.values.tolist()
    assert data.ignored.values.tolist() == [["test_1", 0.0, 1.4]]
    assert report == (tmp_path / "out" / "import_report.txt").read_text().rstrip("\n")
    lines = report.splitlines()
    assert lines[:6] == [
        "kept:", "  to train on: 1 videos with 1 instances and 16 snippets of 0.64 s",
        "  to test on: 1 videos with 2 instances and 31 snippets of 0.64 s",
        "  rgb: 3 features a snippet", "  flow: 3 features a snippet",
        "  1 of 2 ambiguous intervals"]
    odd = lines[lines.index("oddities, kept as they are:"):]
    assert any("713.7] ends after the video's 20.0 s" in line
               for line in odd)
    assert any("val_1: labelled CliffDiving, Diving, but its instances show Diving" in line
               for line in odd)


def test_what_can_be_repaired_is_and_what_cannot_be_used_is_left_out(tmp_path, truth, arrays):
    wtalc_folder(truth, videoname=np.array([b"val_1", b"test_1", b"test_2"]),
                 subset=np.array([b"validation", b"test", b"test"]),
                 duration=np.array([10.5, 20.0, 9.0]),
                 segments=lists([[1.0, 2.0]], [[3.0, 4.5]], [[1.0, 2.0]]),
                 labels=lists(["Diving"], ["Diving"], ["Diving"]),
                 labels_all=lists(["Diving"], ["Diving"], ["Diving"]))
    folder = streams_folder(tmp_path, arrays)
    np.save(folder / "test/rgb/test_2.npy", arrays["val_1"][:14, :3])  # without its flow
    np.save(folder / "test/rgb/test_9.npy", arrays["val_1"][:, :3])
    path = folder / "train/flow/val_1.npy"
    np.save(path, np.load(path)[:15])
    report = import_thumos14(folder, truth, tmp_path / "out")
    for line in (
        f"  {tmp_path}/out/features/flow/val_1.npy, val_1: 15 snippets, but 16 in another stream;"
        " the longer is cut when it is read.",
        f"  {folder}/test/rgb/test_9.npy: no such video in the annotations",
        "  test_2: no flow",
    ):
        assert line in report.splitlines()
    data = load(tmp_path / "out")
    assert data.subset("test") == ("test_1",)
    assert data.features("rgb", "val_1").shape == data.features("flow", "val_1").shape == (15, 3)
    assert check_folder(tmp_path / "out").errors == []


def other_order(folder, arrays):
    return wtalc_file(folder, dict(reversed(arrays.items())))


def cut(folder, arrays):
    path = wtalc_file(folder, arrays)
    path.write_bytes(path.read_bytes()[:-100])
    return path


def with_nan(folder, arrays):
    arrays["test_1"][3, 4] = np.nan
    return joint_folder(folder, arrays)


def both_layouts(folder, arrays):
    joint_folder(folder, {"val_1": arrays["val_1"]})
    streams_folder(folder, {"test_1": arrays["test_1"]})
    return folder


def twice(folder, arrays):
    path = streams_folder(folder, arrays)
    np.save(path / "train/rgb/test_1.npy", arrays["test_1"][:, :3])
    return path


def other_length(folder, arrays):
    path = streams_folder(folder, arrays)
    np.save(path / "train/flow/val_1.npy", arrays["val_1"][:9, 3:])
    return path


@pytest.mark.parametrize("layout, message", [
    (other_order, "lengths and durations disagree in 2 of 2 videos"),
    (cut, "features.npy: refused; it is damaged"),
    (with_nan, r"test_1.npy, test_1: 1 values are NaN or infinite, the first \(nan\) in snippet 3"),
    (both_layouts, "some VIDEO.npy lie below rgb or flow and some do not"),
    (twice, "train/rgb/test_1.npy, test_1: .*test/rgb/test_1.npy is the same video and stream"),
    (other_length, "flow/val_1.npy, val_1: 9 snippets, but 16 in another stream"),
    (lambda d, a: wtalc_file(d, {"val_1": a["val_1"]}), r"shape \(1,\), but the annotations"),
    (lambda d, a: wtalc_file(d, a | {"test_1": a["test_1"][0]}), r"features.npy, test_1: holds"),
    (lambda d, a: wtalc_file(d, a | {"test_1": "x"}), "test_1: holds 'x', not numbers"),
    (lambda d, a: joint_folder(d, {"x": a["val_1"]}), "no VIDEO.npy that is annotated"),
    (lambda d, a: joint_folder(d, {"val_1": a["val_1"]}), "no video has subset 'test'"),
    (lambda d, a: d / "absent.npy", "absent.npy: cannot be read .No such file"),
])
def test_what_cannot_be_imported_is_one_line_and_leaves_nothing(
        tmp_path, truth, arrays, layout, message):
    features = layout(tmp_path, arrays)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(FacnetError, match=message) as caught:
        import_thumos14(features, truth, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert set(tmp_path.rglob("*")) == before


def test_annotations_of_another_data_set_are_refused(tmp_path, arrays):
    path = save(tmp_path / "a.json", {"database": {"v": {"subset": "training", "annotations": []}}})
    with pytest.raises(FacnetError, match=r"subsets are \['training'\], not validation"):
        import_thumos14(joint_folder(tmp_path, arrays), path, tmp_path / "out")


def test_a_folder_that_exists_is_never_touched(tmp_path, truth, arrays, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    error = fails(capsys, "data", "import", "thumos14", "--features",
                  wtalc_file(tmp_path, arrays), "--annotations", truth, "--out", out)
    assert error == f"facnet: {out}: exists already; remove it, or name another folder."
    assert [p.name for p in out.iterdir()] == ["mine.txt"]


def test_an_interrupted_import_leaves_nothing(tmp_path, truth, arrays, monkeypatch):
    features = joint_folder(tmp_path, arrays)
    before = set(tmp_path.rglob("*"))

    def interrupted(folder, path):
        assert path.exists()  # at the last moment
        raise KeyboardInterrupt

    monkeypatch.setattr(importing, "check_folder", interrupted)
    with pytest.raises(KeyboardInterrupt):
        import_thumos14(features, truth, tmp_path / "out")
    assert set(tmp_path.rglob("*")) == before


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path, truth, arrays, monkeypatch):
    features = joint_folder(tmp_path, arrays)
    before = set(tmp_path.rglob("*"))

    def full(file, array, **options):
        raise OSError(28, "No space left on device", str(file))

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(FacnetError, match="val_1.npy: No space left on device; not imported"):
        import_thumos14(features, truth, tmp_path / "out")
    assert set(tmp_path.rglob("*")) == before


KILLED = """
import sys, time
from facnet.importers import importing
from facnet.importers import thumos14
def stop(*arguments, **options):
    print("writing", flush=True)
    time.sleep(60)
{where}
thumos14.import_thumos14(*sys.argv[1:])
"""


@pytest.mark.parametrize("where", ["importing.write_json = stop", "importing.check_folder = stop"])
def test_a_killed_import_leaves_nothing_that_loads_and_can_be_run_again(
        tmp_path, truth, arrays, where):
    features, out = joint_folder(tmp_path, arrays), tmp_path / "out"
    code = KILLED.format(where=where)
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(features), str(truth), str(out)],
        stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    (left,) = tmp_path.glob(".out.importing-*")
    with pytest.raises(FacnetError):
        load(left)
    import_thumos14(features, truth, out)
    assert load(out).subset("test") == ("test_1",)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("name", ["/elsewhere/mine", "../mine", "a\\b", "..", "", "a\0b"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, truth, arrays, name):
    names = np.array([b"val_1", name.encode()], object)
    np.save(truth / "videoname.npy", names, allow_pickle=True)
    features = wtalc_file(tmp_path, arrays)
    with pytest.raises(FacnetError, match="is no name for a file"):
        import_thumos14(features, truth, tmp_path / "out" / "in")
    assert not list(tmp_path.rglob("mine.npy")) and not (tmp_path / "out").exists()


def test_one_streams_own_folder_is_that_stream(tmp_path, truth, arrays):
    folder = tmp_path / "RGB"
    folder.mkdir()
    for video, array in arrays.items():
        np.save(folder / f"{video}.npy", array)
    import_thumos14(folder, truth, tmp_path / "out")
    assert load(tmp_path / "out").streams == ("rgb",)
    assert load(tmp_path / "out").features("rgb", "val_1").shape == (16, WIDTH)


def test_names_with_letters_taken_apart_are_those_with_letters_composed(tmp_path, truth, arrays):
    """In the annotations or on the disk: macOS writes e and an accent for é."""
    name, apart = "lancé", "lance\u0301"
    arrays = {name: arrays["val_1"], "test_1": arrays["test_1"]}
    for given, placed in ((name, apart), (apart, name), (apart, apart)):
        np.save(truth / "videoname.npy", np.array([given.encode(), b"test_1"]))
        folder = tmp_path / f"{len(given)}-{len(placed)}"
        folder.mkdir()
        features = joint_folder(folder, {placed: arrays[name], "test_1": arrays["test_1"]})
        assert "no features" not in import_thumos14(features, truth, folder / "out")
        assert load(folder / "out").subset("train") == (name,)


def test_linked_folders_are_followed(tmp_path, truth, arrays):
    streams_folder(tmp_path, arrays)
    linked = tmp_path / "linked"
    linked.mkdir()
    for split in ("train", "test"):
        (linked / split).symlink_to(tmp_path / "features" / split)
    import_thumos14(linked, truth, tmp_path / "out")
    assert load(tmp_path / "out").streams == ("rgb", "flow")


@pytest.mark.parametrize("width, given, expected, said", [
    (2048, (), {"rgb": 1024, "flow": 1024}, "2048 columns hold rgb and flow, in equal parts"),
    (1024, (), {"features": 1024}, "1024 columns hold features"),
    (768, (), {"features": 768}, "768 columns hold features"),
    (5, (), {"features": 5}, "5 columns hold features"),
    (512, ("flow", " rgb "), {"flow": 256, "rgb": 256}, None),
    (2048, ("RGB",), {"RGB": 2048}, None)])
@pytest.mark.parametrize("layout", [wtalc_file, joint_folder])
def test_columns_are_two_streams_where_they_are_i3ds_or_one_is_told(
        tmp_path, truth, layout, width, given, expected, said):
    wide = {video: np.ones((length, width), np.float16) for video, length in VIDEOS.items()}
    report = import_thumos14(layout(tmp_path, wide), truth, tmp_path / "out", streams=given)
    data = load(tmp_path / "out")
    assert {s: data.features(s, "val_1").shape[1] for s in data.streams} == expected
    assert (" columns hold " in report) is bool(said) and (said or "") in report


@pytest.mark.parametrize("given", ["rgb,flow,audio,text", "rgb,RGB", "rgb,", "rgb, rgb"])
def test_streams_that_columns_cannot_be_are_refused(tmp_path, truth, arrays, capsys, given):
    error = fails(capsys, "data", "import", "thumos14", "--features", joint_folder(
        tmp_path, arrays), "--annotations", truth, "--streams", given, "--out", tmp_path / "out")
    assert "6 columns are not so many different streams of one width" in error
    assert not (tmp_path / "out").exists()


MEMORY = """
import resource, sys
from facnet.importers import thumos14
def peak():  # of this process alone: a child of a larger one inherits its mark in getrusage
    line = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
before = peak()
thumos14.import_thumos14(*sys.argv[1:])
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("layout, limit", [(wtalc_file, 2.0), (joint_folder, 0.5)])
def test_memory_is_bounded(tmp_path, layout, limit):
    """By twice W-TALC's file; for a folder by a few videos. Here 40 videos, 39 MB."""
    names = [f"v{i:02d}" for i in range(40)]
    truth = tmp_path / "annotations"
    truth.mkdir()
    wtalc_folder(
        truth, videoname=np.array(names).astype("S"),
        subset=np.array(["validation", "test"] * 20).astype("S"),
        duration=np.full(40, 160.0), segments=lists(*[[[1.0, 2.0]]] * 40),
        labels=lists(*[["Diving"]] * 40), labels_all=lists(*[["Diving"]] * 40))
    rng = np.random.default_rng(0)
    features = layout(tmp_path, {n: rng.random((250, 1000), dtype=np.float32) for n in names})
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(features), str(truth), str(tmp_path / "out")],
        capture_output=True, text=True, check=True)
    assert int(done.stdout) < limit * 40 * 250 * 1000 * 4


def test_the_real_annotations_run_from_import_to_a_number(reference, tmp_path):
    """Random features of the true lengths, a few columns wide: every step of the command line."""
    truth = reference / "data/thumos14/Thumos14reduced-Annotations"
    rng = np.random.default_rng(0)
    durations = np.load(truth / "duration.npy").ravel()
    np.save(tmp_path / "features.npy",
            lists(*(rng.random((int(d / 0.64), 8), dtype=np.float32) for d in durations)),
            allow_pickle=True)
    out, run = tmp_path / "thumos14", tmp_path / "run"
    text = facnet("data", "import", "thumos14", "--features", tmp_path / "features.npy",
                  "--annotations", truth, "--streams", "rgb, flow", "--out", out)
    assert "to train on: 200 videos with 3007 instances and 65215 snippets" in text
    assert "to test on: 212 videos with 3358 instances and 71691 snippets" in text
    assert text.count("but its instances show") == 8 + 20
    assert "video_test_0000270: labelled nothing, but its instances show HammerThrow" in text
    assert text.count("ends after the video") == 5
    text = facnet("data", "check", out)
    assert text.splitlines()[-1] == f"{out}: 0 errors, 33 oddities"
    assert "hours                      11.612  12.765" in text
    facnet("train", "--dataset", out, "--profile", "smoke", "--set", "training.epochs=1",
           "--out", run)
    facnet("localize", run, "--dataset", out, "--out", tmp_path / "d.json")
    text = facnet("evaluate", tmp_path / "d.json", "--annotations", out)
    assert "Protocol released (FAC-Net's released code), subset 'test': 212 videos, 33" in text
