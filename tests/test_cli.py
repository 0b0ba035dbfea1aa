"""The command line: every step from training to a number, and clear answers to mistakes."""

import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from conftest import FIXTURES

from facnet.checkpoints import load_checkpoint, save_checkpoint
from facnet.cli import _changes, cli, main
from facnet.data import load
from facnet.errors import FacnetError
from facnet.files import read_detections

TRAIN = ["train", "--profile", "smoke", "--set", "training.epochs=10"]


def facnet(*arguments) -> str:
    """Run a command that must succeed; its output."""
    result = CliRunner().invoke(cli, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def fails(capsys, *arguments) -> str:
    """Run a command that must fail; its one line of error."""
    with pytest.raises(SystemExit) as stop:
        main([str(a) for a in arguments])
    assert stop.value.code == 2
    error = capsys.readouterr().err.strip()
    return error


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    facnet(*TRAIN, "--out", folder)
    return folder


def test_train_localize_evaluate(trained, tmp_path):
    assert sorted(p.name for p in trained.iterdir()) == [
        "flow.safetensors", "flow_losses.csv", "rgb.safetensors", "rgb_losses.csv"]
    checkpoint = load_checkpoint(trained / "rgb.safetensors")
    assert checkpoint.experiment.training.epochs == 10
    assert checkpoint.dataset == "synthetic" and checkpoint.stream == "rgb"
    assert checkpoint.fingerprint and checkpoint.fingerprint.isalnum()
    out = tmp_path / "detections.json"
    facnet("localize", trained, "--profile", "smoke", "--out", out)
    from facnet.experiment import run

    data = load("synthetic", "smoke")
    database = {
        row.video: {
            "subset": row.subset, "duration": row.duration,
            "annotations": [{"label": i.label, "segment": [i.start, i.end]} for i in
                            data.instances[data.instances.video == row.video].itertuples()]}
        for row in data.videos.itertuples()}
    truth = tmp_path / "truth.json"
    truth.write_text(json.dumps({"database": database}))
    text = facnet("evaluate", out, "--annotations", truth)
    assert "mAP" in text and "Protocol seconds" in text  # the file names none
    result = json.loads(facnet(
        "evaluate", out, "--annotations", truth, "--protocol", data.protocol, "--json"))
    assert result["instances"] == len(data.instances_of("test"))
    assert result["detections"] == len(read_detections(out)) > 0
    # The file has no ambiguous intervals, but what touches one was dropped before it was written.
    again = run(data, checkpoint.experiment)
    assert result["average"] == pytest.approx(again.evaluation.average, rel=1e-6) != 0


def test_a_data_set_is_localized_for_and_evaluated_by_its_own_protocol(trained, tmp_path):
    data = load("synthetic", "smoke")
    first = data.subset("test")[0]
    facts = {
        "name": "mine", "classes": data.classes, "streams": {s: {} for s in data.streams},
        "snippet_seconds": data.snippet_seconds, "train": "train", "test": "test",
        "protocol": "activitynet", "ignored": {first: [[0.0, 1e4]]}, "database": {
            row.video: {"subset": row.subset, "labels": row.labels, "annotations": [
                {"label": own.label, "segment": [own.start, own.end]}
                for own in data.instances[data.instances.video == row.video].itertuples()]}
            for row in data.videos.itertuples()}}
    for stream in data.streams:
        (tmp_path / "features" / stream).mkdir(parents=True)
        for video in data.videos.video:
            np.save(tmp_path / "features" / stream / f"{video}.npy", data.features(stream, video))
    (tmp_path / "annotations.json").write_text(json.dumps(facts))
    found = tmp_path / "detections.json"
    for options, tious, kept in (((), 10, True), (("--protocol", "released"), 7, False)):
        facnet("localize", trained, "--dataset", tmp_path, *options, "--out", found)
        assert (first in set(read_detections(found).video)) is kept
        said = json.loads(
            facnet("evaluate", found, "--annotations", tmp_path, *options, "--json"))
        assert len(said["mean_ap"]) == tious


def test_detections_for_other_protocols_keep_what_touches_an_ambiguous_interval(trained, tmp_path):
    found = {}
    for protocol in ("released", "thumos"):
        out = tmp_path / f"{protocol}.json"
        facnet("localize", trained, "--profile", "smoke", "--protocol", protocol, "--out", out)
        found[protocol] = read_detections(out)
    assert len(found["released"]) < len(found["thumos"])


def test_checkpoints_that_do_not_belong_together_are_refused(trained, tmp_path, capsys):
    for path in trained.glob("*.safetensors"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    whole = ["localize", tmp_path, "--profile", "smoke", "--out", tmp_path / "d.json"]
    (tmp_path / "zz.safetensors").write_bytes((tmp_path / "flow.safetensors").read_bytes())
    assert ("holds models of flow, rgb, flow; it takes one of each of rgb, flow"
            in fails(capsys, *whole))
    (tmp_path / "zz.safetensors").unlink()
    flow = load_checkpoint(tmp_path / "flow.safetensors")
    localization = replace(flow.experiment.localization, minimum_length=1)
    save_checkpoint(tmp_path / "flow.safetensors", replace(
        flow, experiment=replace(flow.experiment, localization=localization)))
    assert (f"{tmp_path}/rgb.safetensors: its method or its settings of localization differ from"
            " those of stream flow") in fails(capsys, *whole)
    (tmp_path / "flow.safetensors").unlink()
    assert f"{tmp_path}: holds models of rgb; it takes one of each of" in fails(capsys, *whole)
    assert not (tmp_path / "d.json").exists()


@pytest.mark.parametrize("text, value", [
    ("[256, 128]", [256, 128]), ("0.5", 0.5), ("True", True), ("sigmoid", "sigmoid")])
def test_values_are_read_as_json_or_words(text, value):
    assert _changes((f"model.some={text}",)) == {"model.some": value}


def test_switches_may_be_written_as_in_python_or_json(tmp_path):
    facnet(*TRAIN, "--set", "training.epochs=0", "--set", "model.background_class=False",
           "--set", "localization.argmax_fallback=true", "--out", tmp_path)
    experiment = load_checkpoint(tmp_path / "rgb.safetensors").experiment
    assert experiment.model.background_class is False
    assert experiment.localization.argmax_fallback is True


def test_a_checkpoint_gives_the_same_scores_after_a_round_trip(trained):
    from facnet.profiles import profile
    from facnet.methods import preset
    from facnet.training import fit, predict

    data = load("synthetic", "smoke")
    experiment = profile("smoke").apply(preset())
    experiment = replace(experiment, training=replace(experiment.training, epochs=10))
    model, _ = fit(data, "rgb", experiment)
    videos = data.subset("test")
    stored = load_checkpoint(trained / "rgb.safetensors")
    assert stored.experiment == experiment
    np.testing.assert_array_equal(
        predict(model, data, "rgb", videos).activation,
        predict(stored.model, data, "rgb", videos).activation)


def state_of(path):
    """Weights and losses in a folder of checkpoints, by file."""
    checkpoints = {p.name: load_checkpoint(p) for p in sorted(path.glob("*.safetensors"))}
    weights = {(name, key): value for name, own in checkpoints.items()
               for key, value in own.model.state_dict().items()}
    return weights, {p.name: p.read_text() for p in sorted(path.glob("*.csv"))}


@pytest.mark.slow
def test_a_killed_training_goes_on_when_the_command_is_run_again(tmp_path):
    command = [sys.executable, "-m", "facnet.cli", "train", "--profile", "smoke",
               "--set", "training.epochs=60", "--out"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([*command, tmp_path / "killed"], env=environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    state = tmp_path / "killed" / "flow.training"
    while not state.exists():  # rgb is finished by then
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert state.exists() and not (tmp_path / "killed" / "flow.safetensors").exists()

    texts = {}
    for folder in ("killed", "undisturbed"):
        done = subprocess.run([*command, tmp_path / folder], env=environment, check=True,
                              capture_output=True, text=True)
        texts[folder] = done.stdout
    assert "rgb.safetensors: already trained on synthetic, rgb" in texts["killed"]
    assert "flow.training: going on from here" in texts["killed"]
    assert "already" not in texts["undisturbed"] and "going on" not in texts["undisturbed"]
    assert sorted(p.name for p in (tmp_path / "killed").iterdir()) == [
        "flow.safetensors", "flow_losses.csv", "rgb.safetensors", "rgb_losses.csv"]
    got, losses = state_of(tmp_path / "killed")
    expected, expected_losses = state_of(tmp_path / "undisturbed")
    assert losses == expected_losses
    assert got.keys() == expected.keys() and len(got) == 12
    for key, value in got.items():
        torch.testing.assert_close(value, expected[key], msg=str(key))


def test_half_trained_weights_are_not_localised_with(trained, tmp_path, capsys):
    (tmp_path / "flow.training").write_bytes((trained / "flow.safetensors").read_bytes())
    error = fails(capsys, "localize", tmp_path, "--profile", "smoke", "--out", tmp_path / "d.json")
    assert "no .safetensors checkpoint in this folder" in error


def test_finished_streams_are_left_as_they_are(trained):
    before = {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in trained.iterdir()}
    text = facnet(*TRAIN, "--out", trained)
    assert text.count("already trained") == 2
    assert {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in trained.iterdir()} == before


@pytest.mark.parametrize("change, message", [
    (["--seed", "3"], "seed is 0 there, 3 here"),
    (["--set", "model.scale=4"], "model.scale is 5.0 there, 4.0 here"),
    (["--preset", "paper"], "model.embedding_kernel is 1 there, 3 here"),
])
def test_checkpoints_of_another_recipe_are_not_written_over(trained, capsys, change, message):
    before = {p.name: p.read_bytes() for p in trained.iterdir()}
    error = fails(capsys, *TRAIN, *change, "--out", trained)
    assert message in error and "flow.safetensors" in error and "\n" not in error
    assert {p.name: p.read_bytes() for p in trained.iterdir()} == before


def test_checkpoints_of_other_data_are_not_written_over(trained, tmp_path, capsys, monkeypatch):
    import facnet.data

    data = facnet.data.load("synthetic", "smoke")
    other = replace(data, read=lambda stream, video: data.read(stream, video) + 1)
    monkeypatch.setattr(facnet.data, "load", lambda *_: other)
    error = fails(capsys, *TRAIN, "--out", trained)
    assert f"fingerprint is {data.fingerprint} there, {other.fingerprint} here" in error


def test_imported_checkpoints_are_not_written_over(tmp_path, capsys):
    torch.save(released_state(), tmp_path / "best.pkl")
    facnet("checkpoint", "import", tmp_path / "best.pkl", "--stream", "flow", "--out", tmp_path)
    before = (tmp_path / "flow.safetensors").read_bytes()
    error = fails(capsys, *TRAIN, "--out", tmp_path)
    assert "fingerprint is not recorded there" in error and "flow.safetensors" in error
    assert (tmp_path / "flow.safetensors").read_bytes() == before
    assert not (tmp_path / "rgb.safetensors").exists()  # refused before anything is trained


def released_state(rows=21, width=6, hidden=8, inputs=8) -> dict:
    generator = torch.Generator().manual_seed(0)
    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    return {
        "feature_embedding.process.0.weight": draw(hidden, inputs),
        "feature_embedding.process.0.bias": draw(hidden),
        "feature_embedding.process.3.weight": draw(width, hidden),
        "feature_embedding.process.3.bias": draw(width),
        "ac_center": draw(rows, width), "fg_center": draw(1, width),
    }


def test_the_authors_state_dict_is_imported_and_computes_what_they_recorded(tmp_path):
    case = dict(np.load(FIXTURES / "fwd_small_2.npz"))
    state = {
        "feature_embedding.process.0.weight": case["W1"],
        "feature_embedding.process.0.bias": case["b1"],
        "feature_embedding.process.3.weight": case["W2"],
        "feature_embedding.process.3.bias": case["b2"],
        "ac_center": case["ac_center"], "fg_center": case["fg_center"],
    }
    torch.save({k: torch.from_numpy(v) for k, v in state.items()}, tmp_path / "best.pkl")
    from facnet.checkpoints import import_released

    classes = tuple(f"c{i}" for i in range(len(case["ac_center"]) - 1))
    model = import_released(tmp_path / "best.pkl", "rgb", classes).model
    x = torch.from_numpy(case["x"][0])
    output = model(x, torch.tensor([len(x)]))
    error = np.abs(output.R_f.softmax(-1).detach().numpy() - case["ca_pred"]).max()
    assert error < 1e-5 * np.abs(case["ca_pred"]).max()


def test_import_writes_a_checkpoint_of_thumos14s_classes(tmp_path):
    torch.save(released_state(), tmp_path / "best.pkl")
    facnet("checkpoint", "import", tmp_path / "best.pkl", "--stream", "flow", "--out", tmp_path)
    checkpoint = load_checkpoint(tmp_path / "flow.safetensors")
    assert len(checkpoint.classes) == 20 and checkpoint.classes[0] == "BaseballPitch"
    assert checkpoint.model.input_width == 8


@pytest.mark.parametrize("change, message", [
    (lambda s: s.pop("ac_center"), "Missing key(s) in state_dict: \"W_a\""),
    (lambda s: s.update(extra=torch.zeros(1)), "released (KeyError: 'extra')"),
    (lambda s: s.update(ac_center=torch.zeros(4, 6)), "not the FAC-Net of 20 classes"),
    (lambda s: s.update(fg_center=torch.zeros(1, 5)), "size mismatch for W_f"),
    (lambda s: s.update(fg_center=[1.0]), "'list' object has no attribute 'float'"),
])
def test_a_foreign_state_dict_is_refused(tmp_path, capsys, change, message):
    state = released_state()
    change(state)
    torch.save(state, tmp_path / "best.pkl")
    error = fails(capsys, "checkpoint", "import", tmp_path / "best.pkl", "--stream", "rgb",
                  "--out", tmp_path)
    assert message in error and "best.pkl" in error and "\n" not in error
    assert not list(tmp_path.glob("*.safetensors*"))


class Exploit:
    """A pickle that would run a command."""

    def __reduce__(self):
        return os.system, ("touch exploited",)


def test_a_pickle_that_runs_code_is_refused(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(Exploit(), tmp_path / "best.pkl")
    error = fails(capsys, "checkpoint", "import", "best.pkl", "--stream", "rgb", "--out", "x")
    assert "cannot be read with weights only" in error and "\n" not in error
    assert not (tmp_path / "exploited").exists()


@pytest.mark.parametrize("arguments, message", [
    (["train", "--dataset", "syntetic", "--out", "x"], "Did you mean 'synthetic'"),
    (["train", "--profile", "smok", "--out", "x"], "Did you mean 'smoke'"),
    (["train", "--preset", "papr", "--out", "x"], "Did you mean 'paper'"),
    (["train", "--set", "training.epoch=3", "--out", "x"], "Did you mean 'epochs'"),
    (["train", "--set", "trainin.epochs=3", "--out", "x"], "Did you mean 'training'"),
    (["train", "--set", "training.epochs=soon", "--out", "x"], "epochs = 'soon': must be a whole"),
    (["train", "--set", "training.epochs=2.5", "--out", "x"], "epochs = 2.5: must be a whole"),
    (["train", "--set", "training.bfloat16=yes", "--out", "x"], "= 'yes': must be true or false"),
    (["train", "--device", "cuda:99", "--out", "x"], "device cuda:99: "),
    (["train", "--device", "gpu", "--out", "x"], "device gpu: "),
    (["train", "--set", "model.dropout=2", "--out", "x"], "ModelConfig.dropout = 2"),
    (["sweep", "table3", "--out", "absent/x.csv"], "absent/x.csv: cannot be written (No such file"),
    (["sweep", "table3", "--set", "training.lambda_ca=0", "--profile", "smoke"],
     "The losses of ca have weight 0 in the full model"),
    (["train", "--seed", "-1", "--out", "x"], "seed = -1: must be from 0"),
    (["train", "--seed", "1180591620717411303424", "--out", "x"], "seed = 118059162071741130342"),
    (["train", "--device", "meta", "--out", "x"], "device meta: "),
    (["train", "--set", "training.learning_rate=Infinity", "--out", "x"], "a finite number"),
    (["train", "--set", "training.learning_rate=1" + 400 * "0", "--out", "x"], "must be a finite"),
    (["train", "--set", "training.epochs=1" + 30 * "0", "--out", "x"], "must be from 0"),
    (["train", "--set", "model.embedding_widths=256", "--out", "x"], "must be a list, such as"),
    (["localize", "nowhere", "--out", "x.json"], "nowhere: cannot be read (No such file"),
    (["localize", ".", "--out", "x.csv"], ".: no .safetensors checkpoint"),
    (["localize", "nowhere", "--out", "absent/x"], "absent/x: cannot be written (No such file"),
    (["localize", "nowhere", "--out", "."], ".: cannot be written (it is there and no plain file)"),
    (["draw", "nowhere", "--video", "v", "--out", "/dev/null"], "/dev/null: cannot be written"),
    (["evaluate", "none.json", "--annotations", "none"], "none.json: cannot be read"),
])
def test_mistakes_are_answered_in_one_line(arguments, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "evaluate":
        arguments = [a if a != "none" else str(tmp_path / "none") for a in arguments]
        error = fails(capsys, *arguments)
        assert error.startswith("facnet: ") and "none" in error and "\n" not in error
        return
    error = fails(capsys, *arguments)
    assert message in error and error.startswith("facnet: ") and "\n" not in error


def test_a_sweep_shows_one_row_a_variant_and_what_weights_are_chosen_by(tmp_path, monkeypatch):
    from facnet.study import tables

    runs = pd.DataFrame([
        {"variant": f"UM, λ_CW {weight:g}", "host": "UM", "lambda_cw": weight, "paper": np.nan,
         "seed": seed, "average": 10 * weight + seed, "collapsed": "",
         "held_out_classification": 90.0, "held_out_loss": loss + seed / 10,
         "0.1": 20.0, "0.7": 2.0}
        for weight, loss in ((0.05, 0.25), (0.2, 0.125)) for seed in range(2)])
    monkeypatch.setattr(tables, "sweep", lambda *_, **__: runs)
    text = facnet("sweep", "lambda_cw", "--profile", "smoke", "--out", tmp_path / "runs.csv")
    row = next(line for line in text.splitlines() if line.startswith("UM, λ_CW 0.2")).split()
    assert row[3:] == ["90", "0.175"]  # AVG is of test videos: not to choose by
    assert text.endswith("\nChosen: UM 0.2\n") and "AVG" not in text
    assert len(pd.read_csv(tmp_path / "runs.csv")) == 4


@pytest.mark.parametrize("arguments, message", [
    (["trian"], "Did you mean 'train'"),
    (["train", "--profle", "smoke"], "'--profile'"),
    (["evaluate", "x.json", "--annotation", "y"], "--annotations"),
])
def test_typos_in_commands_and_options_are_answered_with_the_right_one(arguments, message):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2 and message in result.output


def test_a_checkpoint_of_other_sizes_or_classes_is_refused(trained, tmp_path, capsys):
    error = fails(capsys, "localize", trained, "--profile", "quick", "--out", tmp_path / "d.json")
    assert "trained on other classes than synthetic has" in error
    assert not (tmp_path / "d.json").exists()


def test_a_truncated_checkpoint_is_refused(trained, tmp_path, capsys):
    whole = (trained / "rgb.safetensors").read_bytes()
    (tmp_path / "rgb.safetensors").write_bytes(whole[: len(whole) // 2])
    error = fails(capsys, "localize", tmp_path, "--profile", "smoke", "--out", tmp_path / "d.json")
    assert "rgb.safetensors: not a checkpoint of this package" in error and "\n" not in error


@pytest.mark.parametrize("arguments", [
    [], ["train"], ["localize"], ["evaluate"], ["draw"], ["sweep"], ["checkpoint"],
    ["checkpoint", "import"], ["data"], ["data", "check"], ["data", "init"], ["data", "import"],
    ["data", "import", "thumos14"]])
def test_help_names_every_option_and_says_what_it_does(arguments):
    text = facnet(*arguments, "--help")
    assert "Usage: " in text
    lines = [line for line in text.splitlines() if line.strip().startswith("--")]
    for line in lines:
        assert len(line.split()) > 2 or line.strip() == "--version", line


def test_help_imports_nothing_heavy():
    code = "import sys; from facnet.cli import cli; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("protocol, annotations, expected", [
    ("activitynet", "thumos14_stpn_detections/gt.json",
     [52.1, 44.2, 34.7, 26.1, 17.7, 10.1, 4.9]),
    ("thumos", "thumos14/Thumos14reduced-Annotations",
     [46.6, 40.3, 32.5, 25.0, 17.2, 9.7, 4.8]),
])
def test_published_detections_score_what_others_measured(
        reference, protocol, annotations, expected):
    data = reference / "data"
    text = facnet("evaluate", data / "thumos14_stpn_detections" / "results.json",
                  "--annotations", data / annotations, "--protocol", protocol,
                  "--tiou", "0.1,0.2,0.3,0.4,0.5,0.6,0.7", "--json")
    result = json.loads(text)
    assert list(result["mean_ap"].values()) == pytest.approx(expected, abs=0.1)
    if protocol == "thumos":
        assert (result["videos"], result["instances"]) == (212, 3358)


# ---------------------------------------------------------------- evaluate, on files as people have

def segments(*videos, score=None, label="Jump"):
    """An instance [1, 5] of each video; a detection if a score is given."""
    one = {"label": label, "segment": [1.0, 5.0]} | ({} if score is None else {"score": score})
    return {video: [dict(one)] for video in videos}


def scored(folder, truth, found, *options):
    """What `evaluate --json` says, and the notes that it prints without --json; they must agree.

    `truth` gives the instances of each video by subset.
    """
    database = {video: {"subset": subset, "annotations": own}
                for subset, videos in truth.items() for video, own in videos.items()}
    (folder / "truth.json").write_text(json.dumps({"database": database}))
    (folder / "found.json").write_text(json.dumps({"results": found}))
    asked = ["evaluate", folder / "found.json", "--annotations", folder / "truth.json", *options]
    said, words = json.loads(facnet(*asked, "--json")), facnet(*asked)
    for note in said["notes"]:
        assert note in words
    return said


@pytest.mark.parametrize("name", ["test", "Test", "testing", "validation", "valid", "val"])
def test_the_subset_to_evaluate_is_told_by_its_name(tmp_path, name):
    truth = {"train": segments("t1", "t2"), name: segments("v1")}
    said = scored(tmp_path, truth, segments("v1", score=1))
    assert said["average"] == 100 and said["evaluated"] == f"subset {name!r}"


def test_a_subset_that_nothing_tells_is_asked_for(tmp_path, capsys):
    truth = {"train": segments("t1"), "held_out": segments("v1")}
    with pytest.raises(FacnetError, match="those with instances are 'train', 'held_out'. Say"):
        scored(tmp_path, truth, segments("v1", score=1))


def test_detections_of_other_subsets_are_left_out_and_named(tmp_path):
    truth = {"train": segments("t1"), "test": segments("v1")}
    said = scored(tmp_path, truth, segments("t1", "v1", score=1))
    assert said["average"] == 100
    assert said["left_out"] == {"in videos of subset 'train'": 1}


@pytest.mark.parametrize("found, reason", [
    (segments("t1", score=1), "Left out: 1 detections in videos of subset 'train'."),
    (segments("v_v1", score=1), "that are not annotated: 1 of 1, such as v_v1."),
    (segments("v1.mp4", score=1), "that are not annotated: 1 of 1, such as v1.mp4.")])
def test_detections_of_nothing_that_is_evaluated_have_no_score(tmp_path, found, reason):
    truth = {"train": segments("t1"), "test": segments("v1")}
    with pytest.raises(FacnetError, match=reason):
        scored(tmp_path, truth, found)


def test_test_videos_without_a_detection_are_counted(tmp_path):
    said = scored(tmp_path, {"test": segments("v1", "v2")}, segments("v1", score=1))
    assert said["average"] == 50 and said["videos_without_detection"] == 1
    assert "Videos without any detection: 1 of 2, such as v2." in said["notes"]


@pytest.mark.parametrize("names", ["v1\nv3.mp4", "v_v1", '{"videos": ["v1"]}', "video,label\nv1,a"])
def test_videos_to_evaluate_must_be_annotated(tmp_path, names):
    (tmp_path / "list.txt").write_text(names)
    with pytest.raises(FacnetError, match="list.txt: .* is not annotated"):
        scored(tmp_path, {"test": segments("v1")}, segments("v1", score=1),
               "--videos", tmp_path / "list.txt")


@pytest.mark.parametrize("label", ["Ambiguous", "ambiguous", "AMBIGUOUS", " ambiguous "])
def test_ambiguous_is_no_class_however_it_is_written(tmp_path, label):
    both = {"v1": segments("v1")["v1"] + segments("v1", label=label)["v1"]}
    said = scored(tmp_path, {"test": both}, segments("v1", score=1))
    assert list(said["ap"]) == ["Jump"]
    assert any(note.startswith("1 ambiguous intervals: ") for note in said["notes"])


@pytest.mark.parametrize("composed, parted", [("Größe", "Gro\u0308ße"), ("가", "\u1100\u1161")])
def test_the_two_ways_to_write_a_letter_are_one_name(tmp_path, composed, parted):
    said = scored(tmp_path, {"test": segments(composed, label=parted)},
                  segments(parted, score=1, label=composed))
    assert said["average"] == 100


@pytest.mark.parametrize("change, note", [
    (lambda one: one.update(segment=[25, 125]), "1 of 1 detections end after their video; are"),
    (lambda one: one.update(segment=[0.1, 0.5]), "100% of 1 detections end in a video's first"),
    (lambda one: one.update(segment=[-3, 5]), "1 detections begin before 0")])
def test_times_that_are_no_seconds_are_doubted(tmp_path, change, note):
    found = segments("v1", score=1)
    change(found["v1"][0])
    truth = {"v1": {"subset": "test", "duration": 20.0, "annotations": segments("v1")["v1"]}}
    (tmp_path / "t.json").write_text(json.dumps({"database": truth}))
    (tmp_path / "d.json").write_text(json.dumps({"results": found}))
    said = json.loads(facnet("evaluate", tmp_path / "d.json", "--annotations", tmp_path / "t.json",
                             "--json"))
    assert any(own.startswith(note) for own in said["notes"])


def test_the_grid_is_named_and_said_to_be_assumed(tmp_path):
    truth, found = {"test": segments("v1")}, segments("v1", score=1)
    said = scored(tmp_path, truth, found, "--protocol", "released")
    assert said["notes"][0].startswith("tIoU is of whole snippets of 0.64 s, which the annotations")
    assert not scored(tmp_path, truth, found, "--protocol", "seconds")["notes"]


def test_a_label_in_another_spelling_is_refused_with_the_right_one(tmp_path):
    with pytest.raises(FacnetError, match="nothing to score.*Did you mean 'Jump'"):
        scored(tmp_path, {"test": segments("v1")}, segments("v1", score=1, label="jump"))


def test_a_detection_that_is_there_twice_is_said(tmp_path):
    found = segments("v1", score=1)
    found["v1"] *= 2
    said = scored(tmp_path, {"test": segments("v1")}, found)
    assert "1 detections are there twice; the second counts as false." in said["notes"]


def test_subsets_that_differ_in_case_alone_are_refused(tmp_path):
    truth = {"Test": segments("v1"), "test": segments("v2")}
    with pytest.raises(FacnetError, match="v2: subset 'test', but 'Test' in others"):
        scored(tmp_path, truth, segments("v1", "v2", score=1))


@pytest.mark.parametrize("seconds", [0, -1, 1e-5, 1e9, "x", None])
def test_a_stride_that_cannot_be_is_refused(tmp_path, seconds):
    facts = {"database": {"v1": {"annotations": segments("v1")["v1"]}}, "snippet_seconds": seconds}
    (tmp_path / "t.json").write_text(json.dumps(facts))
    (tmp_path / "d.json").write_text(json.dumps({"results": segments("v1", score=1)}))
    with pytest.raises(FacnetError, match="t.json, snippet_seconds: "):
        facnet("evaluate", tmp_path / "d.json", "--annotations", tmp_path / "t.json")


def test_a_tilde_is_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    facnet("train", "--profile", "smoke", "--set", "training.epochs=0", "--out=~/run")
    assert (tmp_path / "run/rgb.safetensors").is_file() and not (tmp_path / "~").exists()


def test_a_class_called_map_keeps_its_row(tmp_path):
    both = {"v1": segments("v1", label="mAP")["v1"] + segments("v1")["v1"]}
    (tmp_path / "t.json").write_text(json.dumps({"database": {"v1": {"annotations": both["v1"]}}}))
    (tmp_path / "d.json").write_text(json.dumps({"results": segments("v1", score=1)}))
    words = facnet("evaluate", tmp_path / "d.json", "--annotations", tmp_path / "t.json")
    assert [line.split()[0] for line in words.splitlines()[1:4]] == ["Jump", "mAP", "mAP"]


@pytest.mark.parametrize("text, thresholds", [
    ("0.5,0.5,0.1", [0.1, 0.5]), ("0.5", [0.5]), ("0.1:0.5:0.1", None), ("0.1,inf", None),
    ("", None), (",", None), ("nan", None), ("0.1_1", None), ("1.5", None), ("1e-12", None)])
def test_thresholds_count_once_and_inside_their_range(tmp_path, text, thresholds):
    truth, found = {"test": segments("v1")}, segments("v1", score=1)
    if thresholds is None:
        with pytest.raises(FacnetError, match="tiou"):
            scored(tmp_path, truth, found, f"--tiou={text}")
    else:
        said = scored(tmp_path, truth, found, f"--tiou={text}")
        assert [float(tiou) for tiou in said["mean_ap"]] == pytest.approx(thresholds)


# ---------------------------------------------------------------- the system it runs on

def in_a_shell(folder, script, **environment):
    """Run a shell's script in a folder; what it printed, errors too, and its status."""
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True,
                          env={**os.environ, "FACNET": f"{sys.executable} -m facnet.cli",
                               "TQDM_DISABLE": "1", **environment})
    return (done.stdout + done.stderr).decode("utf-8", "backslashreplace"), done.returncode


@pytest.mark.parametrize("mask, mode", [("022", 0o644), ("027", 0o640), ("002", 0o664)])
def test_what_is_written_has_the_users_umask(tmp_path, mask, mode):
    said, status = in_a_shell(tmp_path, f"umask {mask}; $FACNET train --profile smoke"
                                        " --set training.epochs=1 --out run")
    assert status == 0, said
    made = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "run").iterdir()}
    assert len(made) == 4 and set(made.values()) == {mode}


@pytest.mark.parametrize("command, file", [
    ("train --profile smoke --set training.epochs=1 --out new", "new/rgb"),
    ("localize RUN --profile smoke --out new.json", "new.json"),
    ("draw RUN --profile smoke --video synthetic_test_0001 --out new.png", "new.png")])
def test_a_full_disk_is_one_line_that_names_the_file(trained, tmp_path, command, file):
    command = command.replace("RUN", str(trained))
    said, status = in_a_shell(tmp_path, f"ulimit -f 1; $FACNET {command}")  # a block for a file
    last = said.strip().splitlines()[-1]
    assert status == 2 and "Traceback" not in said
    assert last.startswith(f"facnet: {file}") and "cannot be written" in last
    assert "File too large" in last
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not left or {path.stat().st_size <= 1024 for path in left} == {True}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk"])
def test_words_that_a_screen_cannot_show_do_not_end_a_command(tmp_path, encoding):
    truth = {"database": {"v1": {"annotations": segments("v1", label="跳水 λ ñ")["v1"]}}}
    (tmp_path / "t.json").write_text(json.dumps(truth, ensure_ascii=False), encoding="utf-8")
    found = {"results": segments("v1", label="跳水 λ ñ", score=1)}
    (tmp_path / "d.json").write_text(json.dumps(found, ensure_ascii=False), encoding="utf-8")
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0",
                   "PYTHONIOENCODING": encoding}
    for command in ("evaluate d.json --annotations t.json", "data init --help", "train --help"):
        said, status = in_a_shell(tmp_path, f"$FACNET {command}", **environment)
        assert status == 0, said


def test_a_file_that_may_not_be_read_is_not_called_missing(trained, tmp_path):
    """As another user than root, whom nothing is forbidden."""
    if os.geteuid():
        pytest.skip("only root can take another user's place")
    folder = tmp_path / "theirs"
    folder.mkdir()
    for path in trained.glob("*.safetensors"):
        (folder / path.name).write_bytes(path.read_bytes())
    script = f"""
import os, sys
from facnet.cli import main
asked = ["localize", {str(folder)!r}, "--profile", "smoke", "--out", {str(tmp_path / "d.json")!r}]
main_ran = [main]
try:
    main(asked)  # imports all that it needs
except SystemExit as stop:
    assert not stop.code, stop.code
for mode in (0o700, 0o755):
    os.chmod({str(folder)!r}, mode)
    for name in os.listdir({str(folder)!r}):
        os.chmod(os.path.join({str(folder)!r}, name), 0o600)
    os.chmod({str(tmp_path)!r}, 0o777)
    os.seteuid(65534)
    try:
        main(asked)
    except SystemExit as stop:
        print(mode, stop.code)
    os.seteuid(os.getuid())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stderr.count("Permission denied") == 2, done.stderr
    assert "no such" not in done.stderr.lower() and "Traceback" not in done.stderr
