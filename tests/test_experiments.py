"""A whole run, and the figures and tables that are drawn from it."""

import html
import os
import re
import subprocess
import sys
from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import record
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from facnet import localization
from facnet.config import changed
from facnet.data import load
from facnet.errors import FacnetError
from facnet.evaluation import drop_ignored
from facnet.experiment import detect, evaluate_test, run
from facnet.localization import fuse, in_parts, localize
from facnet.methods import preset
from facnet.profiles import profile
from facnet.study import plots, statistics
from facnet.study.records import provenance, whole_videos
from facnet.study.separation import separation

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def style():
    plots.use_style()


@pytest.fixture(scope="module")
def data():
    return load("synthetic", "smoke")


@pytest.fixture(scope="module")
def result(data):
    # Long enough to learn something, which `smoke` is not.
    return run(data, changed(profile("smoke").apply(preset()), {"training.epochs": 40}))


def test_a_run_has_a_model_a_history_and_scores_for_each_stream(data, result):
    for part in (result.models, result.histories, result.scores):
        assert tuple(part) == data.streams
    assert result.evaluation.videos == len(data.subset("test"))
    assert result.evaluation.instances.sum() == len(data.instances_of("test"))


def test_training_beats_the_untrained_network(data, result):
    experiment = result.experiment
    untrained = run(data, replace(experiment, training=replace(experiment.training, epochs=0)))
    assert result.histories["rgb"].shape[0] and not len(untrained.histories["rgb"])
    assert result.evaluation.average > 2 * untrained.evaluation.average


def test_ambiguous_detections_are_dropped_before_the_streams_are_fused(data, result):
    video = data.subset("test")[0]
    ignored = pd.DataFrame([(video, 0.0, 1e4)], columns=["video", "start", "end"])
    data = replace(data, ignored=ignored)
    got = detect(result.scores, data, result.experiment)
    assert video not in set(got.video)
    seconds = data.snippet_seconds
    streams = {s: localize(own, data.classes, seconds) for s, own in result.scores.items()}
    streams = {s: drop_ignored(d, ignored, seconds) for s, d in streams.items()}
    pd.testing.assert_frame_equal(got, fuse(streams, seconds))


@pytest.mark.parametrize("recipe", ["released", "paper", "STPN", "BM", "W-TALC", "UM"])
def test_a_part_of_the_videos_at_a_time_gives_the_same_detections(data, monkeypatch, recipe):
    """So that the memory that localisation takes does not grow with the number of videos."""
    experiment = changed(profile("smoke").apply(preset(recipe)), {"training.epochs": 2})
    scores = run(data, experiment, progress=False).scores
    whole = detect(scores, data, experiment)
    areas = [separation(own, data, experiment) for own in scores.values()]
    monkeypatch.setattr(localization, "LARGEST_PART", 1000)
    assert len(list(in_parts(scores))) > 4
    got = detect(scores, data, experiment)
    order = ["video", "label", "start", "end"]
    pd.testing.assert_frame_equal(
        got.sort_values(order, ignore_index=True), whole.sort_values(order, ignore_index=True),
        rtol=1e-9)
    assert areas == [separation(own, data, experiment) for own in scores.values()]


def test_only_the_released_protocol_drops_detections(data, result):
    """thumos keeps those that match an instance, activitynet knows no ambiguous intervals."""
    video = data.subset("test")[0]
    data = replace(data, ignored=pd.DataFrame([(video, 0.0, 1e4)],
                                              columns=["video", "start", "end"]))
    for protocol in ("thumos", "activitynet"):
        detections = detect(result.scores, data, result.experiment, protocol)
        assert video in set(detections.video)
        outcomes = evaluate_test(detections, data, protocol).outcomes
        own = (evaluate_test(detections, data, protocol).detections.video == video).to_numpy()
        uncounted = (outcomes[:, own] == -1).any()
        assert uncounted == (protocol == "thumos")
        assert (outcomes[:, own] != -1).any(), "matches count in spite of the interval"


def test_streams_of_different_length_are_refused(data, result):
    flow = result.scores["flow"]
    offsets = flow.offsets.copy()
    offsets[1] += 1
    said = rf"{flow.videos[0]}: streams rgb, flow have \[\d+, \d+\] snippets"
    with pytest.raises(FacnetError, match=said):
        detect({"rgb": result.scores["rgb"], "flow": replace(flow, offsets=offsets)}, data,
               result.experiment)


@pytest.mark.parametrize("fields", [
    {"background_class": False}, {"temperatures": (1.0,)}])
def test_variants_of_the_model_run_from_end_to_end(data, fields):
    experiment = profile("smoke").apply(preset())
    experiment = replace(experiment, model=replace(experiment.model, **fields),
                         training=replace(experiment.training, epochs=2))
    assert np.isfinite(run(data, experiment).evaluation.average)


def test_the_papers_preset_runs_from_end_to_end(data):
    experiment = profile("smoke").apply(preset("paper"))
    result = run(data, replace(experiment, training=replace(experiment.training, epochs=5)))
    assert len(result.detections) and np.isfinite(result.evaluation.average)


def test_seeds_differ_and_carry_their_number(data):
    experiment = profile("smoke").apply(preset())
    experiment = replace(experiment, training=replace(experiment.training, epochs=1))
    first, second = (run(data, replace(experiment, seed=seed)) for seed in range(2))
    assert (first.experiment.seed, second.experiment.seed) == (0, 1)
    assert not np.array_equal(first.scores["rgb"].activation, second.scores["rgb"].activation)


def test_provenance_never_passes_synthetic_data_off_as_thumos14(data):
    assert "Synthetic data, not THUMOS14" in provenance(data, "smoke", 3)
    assert "Synthetic" not in provenance(replace(data, simulated=False), "smoke", 3)


def test_a_whole_video_is_one_detection_of_its_class(data):
    videos = data.subset("test")
    told = whole_videos(data)
    assert len(told) == data.labels(videos).sum()
    assert set(told.label[told.video == videos[0]]) == set(
        data.videos.set_index("video").labels[videos[0]])
    probability = np.zeros((len(videos), len(data.classes)))
    probability[:, 2] = 0.5
    probability[1, 1] = 0.75
    found = whole_videos(data, probability)
    assert tuple(found.video) == videos and (found.start == 0).all()
    assert found.end.tolist() == data.videos.duration[data.videos.subset == "test"].tolist()
    assert found.label.tolist() == [data.classes[1 if v == 1 else 2] for v in range(len(videos))]
    assert found.score[1] == 0.75 and (found.score.drop(1) == 0.5).all()


def test_a_record_holds_what_the_classes_alone_are_worth(data, result):
    from facnet.study.records import video_probability

    one = record(data, result.experiment)["whole_video"]
    alone = evaluate_test(whole_videos(data, video_probability(result.scores, data)), data)
    assert one["average"] == pytest.approx(alone.average)
    assert one["mean_ap"] == pytest.approx(alone.mean_ap.tolist())
    assert len(one["resampled"]) == 2000


def test_provenance_says_how_often_or_that_nothing_was_trained(data):
    said = {"3 seeds": 3, "1 seed": 1, "nothing trained": 0}
    for words, seeds in said.items():
        assert f"profile smoke, {words}, protocol" in provenance(data, "smoke", seeds)


def test_the_example_video_is_chosen_by_its_number_of_instances(data):
    video, label = plots.example_video(data, "HammerThrow")
    instances = data.instances_of("test")
    counts = instances[instances.label == "HammerThrow"].groupby("video").size()
    assert label == "HammerThrow"
    assert abs(counts[video] - 6) == (counts - 6).abs().min()
    most = instances.label.value_counts()
    assert most[plots.example_video(data, "Chess")[1]] == most.max()


def test_every_figure_draws_what_it_says_and_is_saved_three_times(data, result, tmp_path):
    video, label = plots.example_video(data, "HammerThrow")
    scores = result.scores["flow"]
    drawn = {
        "activations": plots.activations(
            data, {"a": scores, "b, hybrid": result.scores["rgb"]}, video, label,
            result.experiment.localization),
    }
    rows = drawn["activations"].axes
    assert [axes.get_title("left") for axes in rows] == ["a", label, "b, hybrid", ""]
    foreground, sequence = (axes.patches[0].get_data().values for axes in rows[:2])
    np.testing.assert_array_equal(foreground, scores.foreground[scores.rows(video)])
    assert len(sequence) == len(foreground) and 0 < sequence.min() < sequence.max() < 1
    for name, figure in drawn.items():
        assert all(axes.get_xlabel() for axes in figure.axes[-1:])
        plots.save_figure(figure, name, tmp_path, "**Drawn** from `nothing`.")
        assert (tmp_path / f"{name}.txt").read_text() == "Drawn from nothing.\n"
        for kind in ("svg", "pdf", "png"):
            assert (tmp_path / f"{name}.{kind}").stat().st_size > 1000
        plt.close(figure)


def test_tables_are_saved_as_csv_and_markdown(tmp_path):
    table = pd.DataFrame({"method": ["a & b", "c"], "τ": ["✓", ""], "AVG": [1.5, 2.54]})
    statistics.save_table(table, "t", tmp_path)
    saved = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(saved, table, check_dtype=False)
    assert "| a & b " in (tmp_path / "t.md").read_text()


NAMES = ["a$b^$c", "<b>bold</b>", "a|b", "a_b_ *c*", "back\\slash", "[x](y)", "`code`", "&amp;",
         "视频"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_a_table_is_no_markup(tmp_path, name):
    statistics.save_table(pd.DataFrame({"label": [name], name: [1.5]}), "t", tmp_path)
    assert pd.read_csv(tmp_path / "t.csv", keep_default_na=False).label[0] == name
    page = MarkdownIt("gfm-like", {"linkify": False}).use(dollarmath_plugin)
    rendered = page.render((tmp_path / "t.md").read_text(encoding="utf-8"))
    shown = statistics.show(pd.DataFrame({"label": [name], name: [1.5]})).to_html()
    for html_text in (rendered, shown):
        cells = re.findall(r"<(?:th|td)(?: [^>]*)?>\s*(.*?)\s*</(?:th|td)>", html_text, re.S)
        assert [html.unescape(one) for one in cells[:3]] == ["label", name, name]
    assert "mathjax_ignore" in shown


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1", "zh_CN.GBK"])
def test_what_is_saved_is_utf8_in_any_locale(tmp_path, locale):
    name = ascii("−1.2 视频 é")  # or the command itself would depend on the locale
    code = ("import sys, pandas as pd, matplotlib.pyplot as plt\n"
            "from facnet.study import plots, statistics\n"
            f"statistics.save_table(pd.DataFrame({{'a': [{name}]}}), 't', sys.argv[1])\n"
            f"plots.save_figure(plt.figure(), 'f', sys.argv[1], {name})\n")
    subprocess.run([sys.executable, "-c", code, tmp_path], check=True, env=os.environ | {
        "LC_ALL": locale, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "MPLBACKEND": "agg",
        "PYTHONIOENCODING": "ascii"})
    for name in ("t.csv", "t.md", "f.txt"):
        assert "视频 é" in (tmp_path / name).read_text(encoding="utf-8"), name


def test_a_table_of_words_keeps_its_numbers_in_the_csv(tmp_path):
    table, numbers = pd.DataFrame({"here": ["1.5 ± 0.2"], "paper": ["32.0"]}), pd.DataFrame(
        {"mean": [1.53]})
    statistics.save_table(table, "t", tmp_path, numbers)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "t.csv"), numbers)
    assert "| 1.5 ± 0.2 | 32.0 " in (tmp_path / "t.md").read_text()
