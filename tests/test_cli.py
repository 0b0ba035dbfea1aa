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
from facnet.cli import cli, main
from facnet.data import load
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
    (["train", "--device", "cuda:99", "--out", "x"], "--device cuda:99: "),
    (["train", "--device", "gpu", "--out", "x"], "--device gpu: "),
    (["train", "--set", "model.dropout=2", "--out", "x"], "ModelConfig.dropout = 2"),
    (["sweep", "table3", "--out", "absent/x.csv"], "--out absent/x.csv: its folder does not"),
    (["sweep", "table3", "--set", "training.lambda_ca=0", "--profile", "smoke"],
     "The losses of ca have weight 0 in the full model"),
    (["localize", "nowhere", "--out", "x"], "nowhere: no .safetensors checkpoint"),
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
         "seed": seed, "average": 10 * weight + seed, "other_average": 5.0, "collapsed": "",
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
                  "--tiou", "0.1:0.7:0.1", "--json")
    result = json.loads(text)
    assert list(result["mean_ap"].values()) == pytest.approx(expected, abs=0.1)
    if protocol == "thumos":
        assert (result["videos"], result["instances"]) == (212, 3358)
