"""A folder of plain arrays and one json is a data set; what is wrong with it is said."""

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest
from conftest import record

from facnet.config import changed
from facnet.data import load, read_features
from facnet.errors import FacnetError
from facnet.evaluation import PROTOCOLS
from facnet.experiment import run
from facnet.importers.check import check_folder
from facnet.methods import preset
from facnet.profiles import profile
from facnet.study.records import provenance
from facnet.study.tables import sweep


def annotations(streams) -> dict:
    """Two training videos and one test video of two classes."""
    def entry(subset, shown, **more):
        items = [{"label": label, "segment": [1.0 + i, 3.0 + i]} for i, label in enumerate(shown)]
        return {"subset": subset, "duration": 6.4, "annotations": items, **more}

    return {
        "name": "mine", "classes": ["jump", "run"], "streams": streams, "snippet_seconds": 0.64,
        "train": "validation", "test": "test", "ignored": {"c": [[5.0, 6.0]]},
        "database": {
            "a": entry("validation", ["jump"]),
            "b": entry("validation", ["run"], labels=["jump", "run"]),
            "c": entry("test", ["jump", "run"]),
            "d": entry("elsewhere", ["jump"]),
        },
    }


def write(folder, facts, arrays) -> None:
    (folder / "annotations.json").write_text(json.dumps(facts))
    for name, array in arrays.items():
        path = folder / "features" / f"{name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, array)


@pytest.fixture
def wide():
    rng = np.random.default_rng(0)
    return {video: rng.random((10, 12)).astype(np.float16) for video in "abc"}


@pytest.fixture(params=["a file a stream", "one file for both"])
def folder(request, tmp_path, wide):
    if request.param == "one file for both":
        streams = {"rgb": {"columns": [0, 5]}, "flow": {"columns": [5, 12]}}
        write(tmp_path, annotations(streams), wide)
    else:
        arrays = {f"{stream}/{video}": array[:, cut] for video, array in wide.items()
                  for stream, cut in (("rgb", slice(0, 5)), ("flow", slice(5, 12)))}
        write(tmp_path, annotations({"rgb": {}, "flow": {}}), arrays)
    return tmp_path


def test_both_layouts_give_the_same_data_set_without_copying(folder, wide):
    data = load(folder)
    assert (data.name, data.classes, data.streams) == ("mine", ("jump", "run"), ("rgb", "flow"))
    assert data.subset("train") == ("a", "b") and data.subset("test") == ("c",)
    assert data.labels(("a", "b")).tolist() == [[1, 0], [1, 1]]
    assert len(data.instances_of("test")) == 2 and len(data.ignored) == 1
    assert not data.simulated
    flow = data.features("flow", "b")
    np.testing.assert_array_equal(flow, wide["b"][:, 5:])
    assert isinstance(flow, np.memmap)


def test_a_folder_is_trained_on_like_the_embedded_data(folder):
    result = run(load(folder), profile("smoke").apply(preset()))
    assert set(result.models) == {"rgb", "flow"}
    assert result.models["flow"].input_width == 7
    assert 0 <= result.evaluation.average <= 100


@pytest.mark.parametrize("named, protocol", [
    ({}, "seconds"), ({"protocol": "released"}, "released"),
    ({"protocol": "activitynet"}, "activitynet")])
def test_a_folder_is_evaluated_by_the_protocol_that_it_names(tmp_path, wide, named, protocol):
    write(tmp_path, annotations({"rgb": {"columns": [0, 5]}}) | named, wide)
    data = load(tmp_path)
    untrained = changed(profile("smoke").apply(preset()), {"training.epochs": 0})
    found = record(data, untrained)
    assert found["protocol"] == run(data, untrained).evaluation.protocol == protocol
    assert found["tiou"] == pytest.approx(PROTOCOLS[protocol].tiou)
    tious = "0.5 to 0.95" if protocol == "activitynet" else "0.1 to 0.7"
    assert provenance(data, "smoke", 1).endswith(f"protocol {protocol} (tIoU {tious}).")
    frame = sweep("seeds", str(tmp_path), "smoke", 1, tmp_path / "records", untrained)
    tious = [float(column) for column in frame if column.startswith("0.")]
    assert tious == pytest.approx(found["tiou"]) and frame.key.tolist() == [found["key"]]
    assert record(data, untrained, "thumos")["protocol"] == "thumos", "unless another is asked for"


@pytest.mark.parametrize("change, message", [
    (lambda f: f.pop("snippet_seconds"), "no 'snippet_seconds'"),
    (lambda f: f.update(train="training"), "no video has subset 'training', the one to train on"),
    (lambda f: f.update(classes=["jump", "runs"]), "b: unknown label 'run'. Did you mean 'runs'"),
    (lambda f: f["database"]["c"]["annotations"][0].update(segment=[3.0, 1.0]), "c: "),
])
def test_faulty_annotations_are_one_clear_error(tmp_path, wide, change, message):
    facts = annotations({"rgb": {"columns": [0, 5]}})
    change(facts)
    write(tmp_path, facts, wide)
    with pytest.raises(FacnetError, match=message) as error:
        load(tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("array, message", [
    (None, "b.npy: no such file"),
    (np.array([{"a": 1}], object), "b.npy: cannot .* it holds pickled objects, which may run code"),
    (np.zeros((0, 12)), r"features of shape \(0, 12\), not \[T, D\]"),
    (np.zeros((9, 12), int), "features of type int64, not float16 or float32"),
    (np.zeros((9, 4)), r"4 columns, but rgb is in \[0, 5\]"),
])
def test_faulty_features_are_one_clear_error(tmp_path, wide, array, message):
    write(tmp_path, annotations({"rgb": {"columns": [0, 5]}}), wide)
    (tmp_path / "features" / "b.npy").unlink()
    if array is not None:
        np.save(tmp_path / "features" / "b.npy", array)
    with pytest.raises(FacnetError, match=message):
        load(tmp_path).features("rgb", "b")


def test_a_name_that_is_no_data_set_gets_a_suggestion():
    with pytest.raises(FacnetError, match="Did you mean 'synthetic'"):
        load("synthetics")


def test_a_video_that_leads_elsewhere_is_not_read(tmp_path, wide):
    facts = annotations({"rgb": {"columns": [0, 5]}})
    facts["database"]["../b"] = facts["database"].pop("b")
    write(tmp_path, facts, wide)
    np.save(tmp_path / "b.npy", wide["b"])
    with pytest.raises(FacnetError, match=r"annotations.json: '../b' is no name for a file"):
        load(tmp_path).features("rgb", "../b")


def test_the_fingerprint_sees_every_video(folder):
    before = load(folder).fingerprint
    path = next((folder / "features").rglob("b.npy"))
    np.save(path, np.load(path)[:-1])
    assert load(folder).fingerprint != before


def test_the_fingerprint_changes_with_labels_and_features(folder):
    before = load(folder).fingerprint
    path = next((folder / "features").rglob("c.npy"))
    np.save(path, np.load(path) + 1)
    after = load(folder).fingerprint
    facts = json.loads((folder / "annotations.json").read_text())
    facts["database"]["a"]["annotations"][0]["segment"] = [1.0, 3.5]
    (folder / "annotations.json").write_text(json.dumps(facts))
    assert len({before, after, load(folder).fingerprint}) == 3


def test_the_fingerprint_sees_each_value_of_each_file_though_size_and_time_stay(folder):
    found = [load(folder).fingerprint]
    for path in sorted((folder / "features").rglob("*.npy")):
        array, state = np.load(path), path.stat()
        array[3, 2] += 1  # of ten rows neither the first, the middle one nor the last
        np.save(path, array)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
        assert path.stat().st_size == state.st_size
        assert path.stat().st_mtime_ns == state.st_mtime_ns
        found.append(load(folder).fingerprint)
    assert len(set(found)) == len(found) > 3


def test_the_fingerprint_says_which_columns_a_stream_has(tmp_path, wide):
    found = []
    for first in (0, 1):
        write(tmp_path, annotations({"rgb": {"columns": [first, first + 5]}}), wide)
        found.append(load(tmp_path).fingerprint)
    assert found[0] != found[1]


def test_of_a_file_that_has_not_changed_only_the_digest_is_read_again(folder, monkeypatch):
    read, digest = [], hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, *kind: (
        read.append(Path(file.name).name), digest(file, *kind))[1])
    files = len(list((folder / "features").rglob("*.npy")))
    before = load(folder).fingerprint
    assert len(read) == files, "each once, though two streams may be in it"
    assert load(folder).fingerprint == before and len(read) == files
    path = next((folder / "features").rglob("b.npy"))
    np.save(path, np.load(path) + 1)
    assert load(folder).fingerprint != before and read[files:] == ["b.npy"]


@pytest.mark.parametrize("content", ["", "[1]", '{"a": '])
def test_what_is_remembered_of_files_may_be_lost(folder, tmp_path, monkeypatch, content):
    before = load(folder).fingerprint
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store = tmp_path / "cache" / "facnet" / "digests.json"
    store.parent.mkdir(parents=True)
    store.write_text(content)
    assert load(folder).fingerprint == before
    assert len(json.loads(store.read_text())) == len(list((folder / "features").rglob("*.npy")))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="takes Linux's /proc")
def test_without_a_place_to_remember_files_the_fingerprint_is_the_same(folder, monkeypatch):
    before = load(folder).fingerprint
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/self")
    assert load(folder).fingerprint == before


def test_the_fingerprint_sees_that_the_target_of_a_link_is_another(tmp_path, wide):
    """A link, or a folder that is one, is what it leads to, though no file has changed."""
    for place, factor in (("one", 1), ("two", 2)):
        (tmp_path / place).mkdir()
        for video, array in wide.items():
            np.save(tmp_path / place / f"{video}.npy", array * np.linspace(1, factor, 10)[:, None])
    (tmp_path / "annotations.json").write_text(
        json.dumps(annotations({"rgb": {"columns": [0, 5]}})))
    features, found = tmp_path / "features", []
    for target in ("one", "two", "one"):
        features.unlink(missing_ok=True)
        features.symlink_to(target)
        found.append(load(tmp_path).fingerprint)
    features.unlink()
    features.mkdir()
    for target in ("one", "two"):
        for video in wide:
            (features / f"{video}.npy").unlink(missing_ok=True)
            (features / f"{video}.npy").symlink_to(tmp_path / target / f"{video}.npy")
        found.append(load(tmp_path).fingerprint)
    assert found[0] == found[2] == found[3] != found[1] == found[4]


def test_a_touched_file_and_one_replaced_by_its_copy_have_the_same_fingerprint(folder):
    before = load(folder).fingerprint
    for path in (folder / "features").rglob("*.npy"):
        os.utime(path, (0, 0))
        copy = path.with_suffix(".copy")
        copy.write_bytes(path.read_bytes())
        copy.replace(path)
    assert load(folder).fingerprint == before


def test_the_fingerprint_sees_that_two_files_are_exchanged(folder):
    before = load(folder).fingerprint
    for path in (folder / "features").rglob("a.npy"):
        other, kept = path.with_name("b.npy"), path.with_name("kept")
        path.rename(kept)
        other.rename(path)
        kept.rename(other)
    assert load(folder).fingerprint != before


def test_the_fingerprint_sees_every_value_of_arrays_in_memory(folder):
    """Also of those that once came of a file, in which they are not written."""
    data = load(folder)
    arrays = {(s, v): np.array(data.features(s, v)) for s in data.streams for v in "abc"}
    found = [replace(data, read=lambda s, v: arrays[s, v]).fingerprint]
    for key, array in arrays.items():
        array[3, 2] += 1
        found.append(replace(data, read=lambda s, v: arrays[s, v]).fingerprint)
    assert len(set(found)) == len(found) == 7

    private = {(s, v): np.load(data.features(s, v).filename, mmap_mode="c") for s, v in arrays}
    found = [replace(data, read=lambda s, v: private[s, v]).fingerprint]
    private["rgb", "a"][3, 2] += 1
    found.append(replace(data, read=lambda s, v: private[s, v]).fingerprint)
    assert found[0] != found[1]


def test_the_fingerprint_says_which_columns_though_the_first_rows_are_equal(tmp_path, wide):
    for array in wide.values():
        array[0] = 0
    found = []
    for rgb, flow in ((0, 6), (6, 0)):
        columns = {"rgb": {"columns": [rgb, rgb + 6]}, "flow": {"columns": [flow, flow + 6]}}
        write(tmp_path, annotations(columns), wide)
        found.append(load(tmp_path).fingerprint)
    assert found[0] != found[1]


@pytest.mark.parametrize("streams", [
    {"rgb": {}, " flow": {}}, {"rgb ": {}}, {"rgb": {}, "RGB": {}}, {"": {}}])
def test_streams_have_different_names_without_blanks_around_them(tmp_path, wide, streams):
    write(tmp_path, annotations(streams), {})
    with pytest.raises(FacnetError, match="streams: .* different names without a blank around"):
        load(tmp_path)


def test_names_that_the_disk_writes_with_letters_taken_apart_are_found(tmp_path, wide):
    """Of a video and of a stream's folder: macOS writes e and an accent for é."""
    video, stream = "lancé", "mouvement_é"
    facts = annotations({stream: {}})
    facts["database"][video] = facts["database"].pop("b")
    wide[video] = wide.pop("b")
    write(tmp_path, facts, {
        normalize("NFD", f"{stream}/{name}"): array for name, array in wide.items()})
    np.testing.assert_array_equal(load(tmp_path).features(stream, video), wide[video])
    report = check_folder(tmp_path)
    assert report.errors == [] and "of no video used" not in " ".join(report.oddities)


@pytest.mark.parametrize("content", [b"PK\x03\x04" + bytes(40), b"version https://git-lfs", b""])
def test_what_is_no_npy_file_is_called_so(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(FacnetError, match="a.npy: no .npy file, whatever its name"):
        read_features(tmp_path / "a.npy")


def test_a_link_to_itself_is_one_line(tmp_path):
    (tmp_path / "a.npy").symlink_to("a.npy")
    with pytest.raises(FacnetError, match="a.npy: cannot be read"):
        read_features(tmp_path / "a.npy")
