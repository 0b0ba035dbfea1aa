"""Table 5: the weight of CW is chosen by rule and without test data; what agrees is measured."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_cli import facnet, fails

from facnet.config import Experiment
from facnet.data import Dataset, frame_labels, load
from facnet.errors import FacnetError
from facnet.experiment import Result, experiment_key, run
from facnet.localization import Scores
from facnet.methods import METHODS, preset, recipes
from facnet.profiles import profile
from facnet.study import published, records
from facnet.study.consistency import consistency, mistakes, scaled, selection_and_class
from facnet.study.tables import HOSTS, WEIGHTS, base_of, chosen_weights, sweep, variants
from facnet.batches import training_videos


@pytest.fixture(scope="module")
def data():
    return load("synthetic", "smoke")


def test_the_weight_is_that_of_least_held_out_loss():
    """AVG and classification prefer others, single seeds and the host without CW too."""
    rows = []
    for seed in range(2):
        for weight, losses, average, classification in (
                (0.0, (0.01, 0.01), 1, 1), (0.05, (0.40, 0.40), 90, 50),
                (0.2, (0.10, 0.50), 10, 60), (0.5, (0.25, 0.30), 20, 70),
                (1.0, (0.60, 0.20), 30, 99)):
            rows.append({"variant": f"UM, {weight}", "host": "UM", "lambda_cw": weight,
                         "seed": seed, "held_out_loss": losses[seed], "average": average,
                         "held_out_classification": classification})
    frame = pd.DataFrame(rows)
    assert chosen_weights(frame) == {"UM": 0.5}


def test_the_weights_are_tried_without_a_fifth_of_the_training_videos(data):
    cells = variants("lambda_cw", base_of("lambda_cw", "smoke"))
    assert len(cells) == len(HOSTS) * (1 + len(WEIGHTS))
    for cell in cells:
        assert cell.experiment.training.held_out == 0.2
        assert cell.experiment.training.lambda_cw == cell.place["lambda_cw"]
        assert cell.name.startswith(cell.place["host"])
        assert recipes()[f"{cell.place['host']} + CW"].method == cell.experiment.method
    trained, held_out = training_videos(data, cells[0].experiment)
    assert len(held_out) == round(0.2 * len(data.subset("train")))
    assert not set(held_out) & set(trained) and set(held_out) <= set(data.subset("train"))


BEST = dict(zip(HOSTS, (0.05, 1.0, 0.2, 0.05)))


@pytest.fixture
def asked(monkeypatch):
    """The experiments that are run. None trains; the held-out loss is least at `BEST`."""
    asked = []

    def made_up(dataset, experiments, protocol):
        (experiment,) = experiments
        training = experiment.training
        asked.append(experiment)
        held_out = None
        if training.held_out:
            (host,) = (one for one in HOSTS
                       if recipes()[one].method == experiment.method)
            held_out = {"videos": 3, "classification": 50.0,
                        "loss": abs(training.lambda_cw - BEST[host])}
        return [{"key": experiment_key(dataset.fingerprint, experiment, protocol), "tiou": [0.5],
                 "mean_ap": [1.0], "average": 1.0, "classification": 1.0,
                 "collapsed": [], "separation": {}, "losses": {}, "seconds": 0.0,
                 "held_out": held_out}]

    monkeypatch.setattr(records, "records_of", made_up)
    return asked


def test_table5_takes_the_chosen_weights_and_trains_on_all_videos(tmp_path, asked):
    frame = sweep("table5", "synthetic", "smoke", 2, tmp_path)
    assert frame.variant.nunique() == 9 and len(frame) == 18
    taken = frame[frame.seed == 0].set_index("variant").lambda_cw
    assert taken.to_dict() == {
        "STPN": 0, **{host: 0 for host in HOSTS}, **{f"{h} + CW": w for h, w in BEST.items()}}
    final = [one for one in asked if not one.training.held_out]
    assert len(final) == 18 and len(asked) == 18 + 2 * len(HOSTS) * (1 + len(WEIGHTS))
    sized = profile("smoke")
    for one in final:  # nothing but the weight and the seed differs from the recipe
        host = replace(one, seed=0, training=replace(one.training, lambda_cw=0.0))
        assert host in [replace(own, training=replace(own.training, lambda_cw=0.0))
                        for own in map(sized.apply, recipes().values())]


def test_the_choice_that_is_kept_is_taken_where_it_was_made(tmp_path, asked, monkeypatch):
    """On the synthetic data at profile `quick`, and by Table 5's own recipes."""
    rows = [{"variant": f"{host}, {weight}", "host": host, "lambda_cw": weight, "seed": 0,
             "held_out_loss": abs(weight - 1)} for host in HOSTS for weight in (0.0, *WEIGHTS)]
    monkeypatch.setattr(published, "result", lambda name: (pd.DataFrame(rows), name))
    frame = sweep("table5", "synthetic", "quick", 1, tmp_path)
    assert len(frame) == 9 and not any(one.training.held_out for one in asked)
    assert frame.lambda_cw[frame.variant.str.endswith(" + CW")].tolist() == [1.0] * len(HOSTS)
    sweep("table5", "synthetic", "quick", 1, tmp_path,
          base_of("table5", "quick", changes={"training.epochs": 5}))
    assert any(one.training.held_out for one in asked)


def test_held_out_loss_is_the_mean_binary_cross_entropy(data, monkeypatch):
    experiment = profile("smoke").apply(preset("W-TALC"))
    experiment = replace(experiment, training=replace(experiment.training, held_out=0.2))
    _, videos = training_videos(data, experiment)
    labels = data.labels(videos)
    probability = np.where(labels > 0, 0.8, 0.1)
    scores = Scores(videos, np.arange(len(videos) + 1), probability, None, None)
    monkeypatch.setattr(records, "predict", lambda *arguments: scores)
    result = Result(experiment, {"rgb+flow": None}, {}, {}, None, None)
    found = records._held_out(result, data)
    wanted = -(labels.sum() * np.log(0.8) + (1 - labels).sum() * np.log(0.9)) / labels.size
    assert found["loss"] == pytest.approx(wanted, rel=1e-9)
    assert found["classification"] == 100 and found["videos"] == len(videos)


@pytest.mark.parametrize("selection, rank, tiou", [
    ([0, 1, 2, 3], 1.0, 1.0), ([3, 2, 1, 0], -1.0, 0.0), ([5, 5, 5, 5], 0.0, 0.5),
    ([0, 9, 9, 9], 0.7745967, 2 / 3)])
def test_consistency_of_sequences_written_out(data, selection, rank, tiou):
    """The class's probability rises over four snippets; above its middle are the last two."""
    video = next(v for v in data.subset("test") if data.labels((v,)).sum() == 1)
    column = int(data.labels((video,)).argmax())
    activation = np.zeros((4, len(data.classes) + 1))
    activation[:, column] = np.log(np.array([0.1, 0.2, 0.3, 0.4]) * len(data.classes)
                                   / (1 - np.array([0.1, 0.2, 0.3, 0.4])))
    scores = Scores((video,), np.array([0, 4]), activation[:1], activation,
                    np.array(selection, float))
    probability = selection_and_class(scores, column)[1]
    np.testing.assert_allclose(probability, [0.1, 0.2, 0.3, 0.4])
    found = consistency(scores, data)
    assert found.video.tolist() == [video] and found.label.tolist() == [data.classes[column]]
    assert found.rank_correlation[0] == pytest.approx(rank)
    assert found.support_tiou[0] == pytest.approx(tiou)


@pytest.mark.parametrize("selection, not_action, not_foreground", [
    ([0, 0, 9, 9, 0], 0.0, 0.0),  # the instance is the third and fourth snippet
    ([0, 0, 9, 0, 0], 0.0, 0.5), ([9, 0, 9, 9, 9], 0.5, 0.0), ([9, 0, 0, 0, 0], 1.0, 1.0),
    ([0, 9, 5, 4, 0], 0.5, 0.5), ([1, 1, 1, 1, 1 - 1e-6], 0.6, 0.0)])
def test_mistakes_written_out(selection, not_action, not_foreground):
    videos = pd.DataFrame([("v", "test", 5.0, ("dive",))],
                          columns=["video", "subset", "duration", "labels"])
    instances = pd.DataFrame([("v", "dive", 2.0, 4.0)], columns=["video", "label", "start", "end"])
    one = Dataset("mine", ("dive", "jump"), ("flow",), 1.0, videos, instances,
                  pd.DataFrame(columns=["video", "start", "end"]), lambda *_: None)
    scores = Scores(("v",), np.array([0, 5]), None, np.zeros((5, 3)), np.array(selection, float))
    (found,) = mistakes(scores, one).itertuples(index=False)
    assert (found.video, found.label) == ("v", "dive")
    assert found.not_action == pytest.approx(not_action)
    assert found.not_foreground == pytest.approx(not_foreground)


def test_a_sequence_keeps_its_shape_unless_it_is_flat():
    np.testing.assert_allclose(scaled([-3, -1, 1]), [0, 0.5, 1])
    np.testing.assert_array_equal(scaled([0.0, 0.0]), [1, 1])


@pytest.mark.parametrize("size", [1.0, -3.0, 1e-6, 0.0])
@pytest.mark.parametrize("rounding", [0.0, 1e-4])
def test_a_flat_attention_selects_every_snippet_whatever_its_rounding(data, size, rounding):
    video = next(v for v in data.subset("test") if data.labels((v,)).sum() == 1)
    length, column = len(data.features("rgb", video)), int(data.labels((video,)).argmax())
    flat = size * (1 + rounding * np.random.default_rng(0).uniform(-0.5, 0.5, length))
    np.testing.assert_array_equal(scaled(flat), np.ones(length))
    activation = np.zeros((length, len(data.classes) + 1))
    shown = frame_labels(data, video, length)[:, column]
    activation[:, column] = np.where(shown, 9.0, 0.0)  # the class's probability is high inside it
    scores = Scores((video,), np.array([0, length]), activation[:1], activation, flat)
    (found,) = consistency(scores, data).itertuples()
    assert (found.rank_correlation, found.support_tiou) == (0, shown.mean())
    (found,) = mistakes(scores, data).itertuples()
    assert (found.not_action, found.not_foreground) == (1 - shown.mean(), 0)


def test_what_w_talc_selects_by_is_its_score(data):
    activation = np.random.default_rng(0).normal(size=(4, len(data.classes)))
    scores = Scores(("v",), np.array([0, 4]), None, activation, None)
    selection, _ = selection_and_class(scores, 2, preset("W-TALC"))
    np.testing.assert_array_equal(selection, activation[:, 2])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["STPN", *HOSTS])
def test_every_host_learns_at_quick_size(name):
    data, recipe = load("synthetic", "quick"), profile("quick").apply(preset(name))
    before = run(data, replace(recipe, training=replace(recipe.training, epochs=0)),
                 progress=False).evaluation.average
    result = run(data, recipe, progress=False)
    # Of few classes one is often right by luck.
    assert result.evaluation.average > max(5, 5 * before)
    assert records.classification(result.scores, data) > 80


def test_mistakes_with_methods_are_answered_in_one_line(capsys, tmp_path):
    for name in ("table3", "table4", "fig4", "collapse"):
        said = fails(capsys, "sweep", name, "--preset", "UM", "--profile", "smoke",
                     "--results", tmp_path)
        assert f"{name} varies FAC-Net; preset 'UM' is of UM" in said
    for option in (("--preset", "paper"), ("--set", "training.lambda_cw=.3")):
        assert "table5 has recipes of its own" in fails(
            capsys, "sweep", "table5", *option, "--profile", "smoke", "--results", tmp_path)
    assert "Did you mean 'W-TALC'" in fails(
        capsys, "train", "--preset", "WTALC", "--out", tmp_path / "x")


def test_one_class_is_refused_where_its_softmax_would_say_nothing():
    for name in ("W-TALC", "UM"):
        with pytest.raises(FacnetError, match=f"{name}: one class, whose softmax is 1"):
            METHODS[name].network(4, 1, preset(name).model)


def test_a_joint_method_from_the_command_line(capsys, tmp_path):
    """Trained, resumed, localised; and its folder is refused to another method."""
    out, found = tmp_path / "out", tmp_path / "found.json"
    train = ["train", "--preset", "W-TALC + CW", "--profile", "smoke", "--out", out]
    facnet(*train, "--set", "training.epochs=3")
    assert [path.name for path in sorted(out.glob("*.safetensors"))] == ["rgb+flow.safetensors"]
    assert "already trained" in facnet(*train, "--set", "training.epochs=3")
    assert "comes of another training" in fails(
        capsys, "train", "--profile", "smoke", "--out", out)
    facnet("localize", out, "--profile", "smoke", "--out", found)
    assert found.stat().st_size > 100


def test_seeds_of_a_method_are_named_by_it():
    (one,) = variants("seeds", base_of("seeds", "smoke", "UM"))
    assert one.name == "UM" and isinstance(one.experiment, Experiment)
