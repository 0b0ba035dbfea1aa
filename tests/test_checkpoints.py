"""A checkpoint is for the data that it was trained on, and says so; what it holds are numbers."""

import json
import warnings

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from test_cli import facnet, fails, released_state

from facnet.checkpoints import load_checkpoint

LENGTHS = {"a": 12, "b": 9, "c": 11, "d": 10}
BOTH = {"rgb": {"columns": [0, 4]}, "flow": {"columns": [4, 8]}}


def container(folder, streams, **changes):
    """Four videos of two classes, their streams side by side or in files of their own."""
    rng = np.random.default_rng(0)
    facts = {
        "name": folder.name, "classes": ["jump", "run"], "streams": streams, "train": "train",
        "snippet_seconds": 0.64, "test": "test", "database": {
            video: {"subset": "train" if video in "ab" else "test", "annotations": [
                {"label": "run" if video in "ac" else "jump", "segment": [0.64, 3.2]}]}
            for video in LENGTHS}} | changes
    for video, length in LENGTHS.items():
        array = rng.random((length, 8), np.float32)
        parts = {"rgb": array[:, :4], "flow": array[:, 4:]}
        for place, part in ({"": array} if all(streams.values()) else parts).items():
            path = folder / "features" / place / f"{video}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, part)
    (folder / "annotations.json").write_text(json.dumps(facts))
    return folder


@pytest.fixture(scope="module", params=["released", "W-TALC"])
def trained(request, tmp_path_factory):
    """A data set and models of it: one a stream, or one of both side by side."""
    folder = tmp_path_factory.mktemp("trained")
    data, run = container(folder / "mine", BOTH), folder / "run"
    facnet("train", "--dataset", data, "--profile", "smoke", "--preset", request.param,
           "--set", "training.epochs=1", "--out", run)
    return data, run


def localize(run, data, out):
    return "localize", run, "--dataset", data, "--out", out


def test_a_model_finds_actions_in_the_data_that_it_was_trained_on_without_a_warning(
        trained, tmp_path):
    data, run = trained
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "detections" in facnet(*localize(run, data, tmp_path / "d.json"))


@pytest.mark.parametrize("changes, message", [
    ({"snippet_seconds": 0.13333},
     "trained on a snippet every 0.64 s, but other has one every 0.13333 s"),
    ({"snippet_seconds": 0.66}, "trained on a snippet every 0.64 s, but other has one every 0.66"),
    ({"classes": ["run", "jump"]}, "number 1 is 'jump' there, 'run' here"),
    ({"classes": ["jump", "run", "swim"]}, "number 3 is None there, 'swim' here"),
])
def test_another_grid_and_other_classes_are_refused_with_both_values(
        trained, tmp_path, capsys, changes, message):
    other, out = container(tmp_path / "other", BOTH, **changes), tmp_path / "d.json"
    error = fails(capsys, *localize(trained[1], other, out))
    assert message in error and ".safetensors: " in error and "\n" not in error
    assert not out.exists()


@pytest.mark.parametrize("columns, said", [
    ({"rgb": [4, 8], "flow": [0, 4]}, " was columns ["),
    ({"rgb": [1, 5], "flow": [4, 8]}, "rgb was columns [0, 4] in training, but is [1, 5] in other"),
    ({"rgb": [0, 4], "flow": [4, 7]}, "flow was columns [4, 8] in training, but is [4, 7] in"),
])
def test_other_columns_are_refused_with_both_values(trained, tmp_path, capsys, columns, said):
    other = container(
        tmp_path / "other", {name: {"columns": where} for name, where in columns.items()})
    error = fails(capsys, *localize(trained[1], other, tmp_path / "d.json"))
    assert said in error and "in training, but is [" in error and "\n" not in error


@pytest.mark.parametrize("streams, seconds", [
    ({"rgb": {}, "flow": {}}, 0.64), (BOTH, 0.6406), (BOTH, 16 / 25)])
def test_the_same_streams_in_files_of_their_own_or_on_nearly_the_same_grid_are_taken(
        trained, tmp_path, streams, seconds):
    other = container(tmp_path / "other", streams, snippet_seconds=seconds)
    facnet(*localize(trained[1], other, tmp_path / "d.json"))


def test_streams_in_another_order_are_refused_where_they_are_side_by_side(
        trained, tmp_path, capsys):
    other = container(tmp_path / "other", dict(reversed(BOTH.items())))
    command = localize(trained[1], other, tmp_path / "d.json")
    if (trained[1] / "rgb+flow.safetensors").exists():
        assert "one of each of flow+rgb" in fails(capsys, *command)
    else:
        facnet(*command)


def test_another_width_is_refused_with_both_values(trained, tmp_path, capsys):
    other = container(tmp_path / "other", {"rgb": {}, "flow": {}})
    for path in (other / "features/flow").iterdir():
        np.save(path, np.load(path)[:, :3])
    error = fails(capsys, *localize(trained[1], other, tmp_path / "d.json"))
    assert (", flow, c: 3 features a snippet, but the model takes 4" in error
            or ", rgb+flow, c: 7 features a snippet, but the model takes 8" in error)


def changed_file(path, tensors=lambda tensors: None, **facts):
    """The checkpoint with other tensors or facts; None takes a fact out."""
    with safe_open(path, "pt") as file:
        held, metadata = {k: file.get_tensor(k) for k in file.keys()}, file.metadata() | facts
    tensors(held)
    save_file(held, path, {k: v for k, v in metadata.items() if v is not None})


def test_an_older_checkpoint_says_that_it_does_not_know_its_grid(trained, tmp_path):
    data, run = trained
    for path in run.glob("*.safetensors"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
        changed_file(tmp_path / path.name, input=None)
    with pytest.warns(UserWarning, match="does not say on which grid and columns it was trained;"
                                         " here a snippet is every 0.64 s"):
        facnet(*localize(tmp_path, data, tmp_path / "d.json"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_refused_when_they_are_read(
        trained, tmp_path, capsys, value):
    data, run = trained
    path = next(run.glob("*.safetensors"))
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())

    def harm(tensors):
        next(iter(tensors.values())).view(-1)[3] = value

    changed_file(copy, harm)
    error = fails(capsys, *localize(tmp_path, data, tmp_path / "d.json"))
    assert error.startswith(f"facnet: {copy}: 1 of ") and "are NaN or infinite" in error
    assert "\n" not in error and not (tmp_path / "d.json").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_released_weights_that_are_no_numbers_are_not_imported(tmp_path, capsys, value):
    state = released_state()
    state["ac_center"] = state["ac_center"].double()
    state["ac_center"][2, 3] = value  # the last one is too large for float32
    torch.save(state, tmp_path / "best.pkl")
    error = fails(capsys, "checkpoint", "import", tmp_path / "best.pkl", "--stream", "rgb",
                  "--out", tmp_path)
    assert error.startswith(f"facnet: {tmp_path}/best.pkl: 1 of 126 numbers of W_a are NaN")
    assert not list(tmp_path.glob("*.safetensors"))


def test_an_import_says_which_class_each_column_stands_for(tmp_path):
    torch.save(released_state(rows=3, inputs=4), tmp_path / "best.pkl")
    command = "checkpoint", "import", tmp_path / "best.pkl", "--stream", " rgb", "--out", tmp_path
    for classes, order in ((["jump", "run"], "as"), (["run", "jump"], "NOT sorted, unlike")):
        data = container(tmp_path / f"{classes[0]} first", BOTH, classes=classes)
        text = facnet(*command, "--dataset", data)
        said = f"({order} the authors' data, where they are sorted): {', '.join(classes)}"
        assert text.endswith(f"{said}\n")
        assert load_checkpoint(tmp_path / "rgb.safetensors").classes == tuple(classes)


def test_an_import_of_thumos14s_classes_names_them(tmp_path):
    torch.save(released_state(), tmp_path / "best.pkl")
    text = facnet("checkpoint", "import", tmp_path / "best.pkl", "--stream", "flow",
                  "--out", tmp_path)
    assert "(as the authors' data, where they are sorted): BaseballPitch, Basketball" in text


@pytest.mark.parametrize("change, said", [
    (lambda a: a, "already trained"),
    (lambda a: np.concatenate([a[:1], a[1:2] + 1, a[2:]]), None)])
def test_already_trained_is_said_of_equal_contents_alone(tmp_path, capsys, change, said):
    data, run = container(tmp_path / "mine", BOTH), tmp_path / "run"
    command = ("train", "--dataset", data, "--profile", "smoke", "--set", "training.epochs=1",
               "--out", run)
    facnet(*command)
    path = data / "features/b.npy"
    np.save(path, change(np.load(path)))
    if said:
        assert facnet(*command).count(said) == 2
    else:
        assert "fingerprint is" in fails(capsys, *command)
