"""One video over time: its scores, their thresholds, what was found and what is there; and what
holds of every figure, such as labels on its axes and colours that everyone can tell apart.
"""

import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_cli import facnet, fails

from facnet.data import Dataset, load
from facnet.experiment import detect, evaluate_test
from facnet.files import read_detections
from facnet.localization import Scores, propose
from facnet.methods import METHODS, method_of, preset
from facnet.study import diagnosis, plots
from facnet.study.tables import base_of, variants

matplotlib.use("Agg")
OVERVIEW = Path(__file__).parents[1] / "book/_static/overview.svg"
CLASSES, SECONDS = ("dive", "jump", "swim"), 0.64
INSTANCE = ["video", "label", "start", "end"]
DETECTION = [*INSTANCE, "score"]
NONE = pd.DataFrame(columns=DETECTION)


@pytest.fixture(autouse=True)
def style():
    plots.use_style()


def dataset(videos: dict[str, tuple[int, tuple[str, ...]]], instances=(), ignored=()) -> Dataset:
    """Videos by name: snippets and labels."""
    rows = [(name, "test", n * SECONDS, labels) for name, (n, labels) in videos.items()]
    return Dataset("mine", CLASSES, ("flow",), SECONDS,
                   pd.DataFrame(rows, columns=["video", "subset", "duration", "labels"]),
                   pd.DataFrame(instances, columns=INSTANCE),
                   pd.DataFrame(ignored, columns=["video", "start", "end"]), lambda *_: None)


def scores_of(data: Dataset, columns: int = 4, foreground: bool = True) -> Scores:
    """Scores in which the first label of each video is sure and its instances stand out."""
    rng = np.random.default_rng(0)
    lengths = (data.videos.duration / SECONDS).round().astype(int)
    offsets = np.concatenate([[0], lengths.cumsum()])
    activation = rng.normal(0, 0.5, (offsets[-1], columns))
    for video, label, start, end in data.instances.itertuples(index=False):
        v = data.videos.video.tolist().index(video)
        first, last = (offsets[v] + int(time / SECONDS) for time in (start, end))
        activation[first:last + 1, CLASSES.index(label)] += 2
    probability = np.full((len(lengths), columns), 0.05)
    for v, labels in enumerate(data.videos.labels):
        probability[v, [CLASSES.index(label) for label in labels]] = 0.6
    return Scores(tuple(data.videos.video), offsets, probability, activation,
                  rng.normal(0, 1, offsets[-1]) if foreground else None)


@pytest.fixture
def data():
    return dataset({"a": (100, ("dive",)), "b": (50, ("jump", "dive"))},
                   [("a", "dive", 6.4, 12.8), ("a", "dive", 32.0, 40.0), ("b", "jump", 3.2, 9.6)])


def runs_of(sweep: str, seeds: int = 3) -> pd.DataFrame:
    """The frame of a whole sweep, one row a run, its AVG drawn at random."""
    rng = np.random.default_rng(0)
    return pd.DataFrame([
        {"variant": one.name, **one.place, "paper": one.paper, "seed": seed,
         "average": rng.uniform(10, 40), "collapsed": ""}
        for one in variants(sweep, base_of(sweep, "smoke")) for seed in range(seeds)])


def bars(axes, kind: str) -> list[tuple[float, float, float]]:
    """Start, end and height of each bar of a kind, as drawn."""
    return [(*segment[:, 0], segment[0, 1]) for collection in axes.collections
            if (collection.get_gid() or "").startswith(kind)
            for segment in collection.get_segments()]


def shaded(axes, colour: str = plots.TRUTH) -> list[tuple[float, float]]:
    """Start and end of each interval that is shaded in a colour."""
    wanted = matplotlib.colors.to_rgba(colour)
    boxes = [patch.get_extents().transformed(axes.transData.inverted()) for patch in axes.patches
             if patch.get_facecolor() == wanted]
    return [(round(box.x0, 6), round(box.x1, 6)) for box in boxes]


def test_scores_detections_and_truth_stand_below_each_other_on_one_time_axis(data):
    scores = scores_of(data)
    found = pd.DataFrame([("a", "dive", 6.4, 12.0, 0.9), ("a", "dive", 50.0, 52.0, 0.1),
                          ("a", "jump", 1.0, 2.0, 0.3), ("b", "dive", 1.0, 2.0, 0.3)],
                         columns=DETECTION)
    figure = plots.timeline(data, scores, {"a": ["dive"]}, found)
    foreground, sequence, detected = figure.axes
    for axes in figure.axes:
        assert axes.get_xlim() == (0, 100 * SECONDS)
        assert shaded(axes) == [(6.4, 12.8), (32.0, 40.0)]
    assert detected.get_xlabel() == "time (s)" and foreground.get_title("left") == "a"
    assert sequence.get_title("left") == "dive, probability 0.60"
    rows = scores.rows("a")
    np.testing.assert_array_equal(foreground.patches[0].get_data().values, scores.foreground[rows])
    expected = METHODS["FAC-Net"].sequence(scores, preset().localization)[rows, 0]
    np.testing.assert_array_equal(sequence.patches[0].get_data().values, expected)
    assert sequence.patches[0].get_data().edges[1] == SECONDS
    assert bars(detected, "detections of dive") == [(50.0, 52.0, 0.1), (6.4, 12.0, 0.9)]
    assert not bars(detected, "detections of jump")


@pytest.mark.parametrize("name", ["released", "paper", "STPN", "BM", "W-TALC", "UM"])
def test_every_detection_rises_above_a_threshold_that_is_drawn(data, name):
    experiment = preset(name)
    scores = scores_of(data, 4 if name in ("released", "paper", "BM") else 3, name != "W-TALC")
    found = detect({"flow": scores}, data, experiment)
    figure = plots.timeline(data, scores, {"a": ["dive"]}, found, experiment)
    assert len(figure.axes) == (2 if name == "W-TALC" else 3)
    sequence, detected = figure.axes[-2:]
    lowest = min(line.get_ydata()[0] for line in sequence.lines)
    values = sequence.patches[0].get_data().values
    shown = bars(detected, "detections of dive")
    own = found[(found.video == "a") & (found.label == "dive")]
    assert len(shown) == len(own) > 0
    for start, end, _ in shown:
        inside = values[int(start / SECONDS):int(np.ceil(end / SECONDS))]
        # Interpolation between snippets may start a run in the snippet before.
        assert inside.max() >= lowest - 0.02, (start, end)


def test_thresholds_are_those_of_the_method(data):
    scores = scores_of(data)
    values = scores.activation[:, 0]
    uniform, own_range, w_talc = (preset(name) for name in ("released", "paper", "W-TALC"))
    for experiment, columns, expected in (
        (uniform, 4, [t / 4 for t in uniform.localization.thresholds]),
        (own_range, 4, list(own_range.localization.thresholds)),
        (w_talc, 3, [values.min() + w_talc.localization.threshold_factor * np.ptp(values)]),
        (preset("STPN"), 3, [0.05]),
    ):
        got = method_of(experiment).thresholds(values, columns, experiment.localization)
        assert list(got) == pytest.approx(expected)


def test_the_better_a_detection_the_higher_it_stands_and_the_darker_it_is(data):
    found = pd.DataFrame([("a", "dive", 1.0, 9.0, 0.2), ("a", "dive", 8.0, 20.0, 0.9),
                          ("a", "dive", 30.0, 31.0, 0.1), ("a", "dive", 2.0, 10.0, 0.5)],
                         columns=DETECTION)
    axes = plots.timeline(data, scores_of(data), {"a": ["dive"]}, found).axes[-1]
    assert [bar[2] for bar in bars(axes, "detections")] == [0.1, 0.2, 0.5, 0.9]  # the best on top
    low, high = axes.get_ylim()
    assert low < 0.1 and high > 0.9
    (drawn,) = (c for c in axes.collections if c.get_gid() == "detections of dive")
    shades = drawn.get_color()[:, :3].sum(1)
    assert len(shades) == 4 and (np.diff(shades) < 0).all()


def test_scores_of_all_classes_share_one_scale(data):
    found = pd.DataFrame([("a", "dive", 1.0, 9.0, 0.2), ("a", "jump", 8.0, 20.0, 0.9),
                          ("b", "jump", 8.0, 20.0, 5.0)], columns=DETECTION)
    axes = plots.timeline(data, scores_of(data), {"a": ["dive", "jump"]}, found).axes
    assert axes[2].get_ylim() == axes[4].get_ylim() and 0.9 < axes[2].get_ylim()[1] < 2


def test_where_only_labels_are_known_no_ground_truth_is_claimed():
    data = dataset({"a": (40, ("dive",))}, [("elsewhere", "dive", 1, 2)])
    assert plots.shown_classes(data, "a", NONE) == ["dive"]
    figure = plots.timeline(data, scores_of(dataset({"a": (40, ("dive",))})),
                                {"a": ["dive", "jump"]}, NONE)
    titles = [figure.axes[row].get_title("left") for row in (1, 3)]
    assert titles[0].endswith("probability 0.60, when is not known")
    assert titles[1].endswith("probability 0.05")  # that it shows no jump is known
    assert not any(shaded(axes) for axes in figure.axes)


def test_classes_are_those_that_are_there_and_then_those_found_the_best_first(data):
    found = pd.DataFrame([("b", "swim", 1.0, 2.0, 0.2), ("b", "dive", 1.0, 2.0, 0.9),
                          ("a", "swim", 1.0, 2.0, 0.2), ("a", "jump", 1.0, 2.0, 0.4)],
                         columns=DETECTION)
    assert plots.shown_classes(data, "a", found) == ["dive", "jump", "swim"]
    assert plots.shown_classes(data, "b", found) == ["jump", "dive", "swim"]
    assert plots.shown_classes(dataset({"c": (9, ())}), "c", NONE) == []


def test_two_videos_stand_side_by_side_each_on_its_own_axis(data):
    figure = plots.timeline(
        data, scores_of(data), {"a": ["dive"], "b": ["jump", "dive"]}, NONE)
    left, right = ([axes for axes in figure.axes if axes.get_subplotspec().colspan.start == c]
                   for c in (0, 1))
    assert (len(left), len(right)) == (3, 5)
    assert {axes.get_xlim()[1] for axes in left} == {100 * SECONDS}
    assert {axes.get_xlim()[1] for axes in right} == {50 * SECONDS}
    assert left[-1].get_xlabel() == right[-1].get_xlabel() == "time (s)"


def test_proposals_and_ambiguous_intervals_are_shown_where_there_are_any(data):
    scores, config = scores_of(data), preset().localization
    found = propose(scores, CLASSES, SECONDS, config)
    figure = plots.timeline(data, scores, {"a": ["dive"]}, NONE, proposals=found)
    own = found[(found.video == "a") & (found.label == "dive")]
    assert len(bars(figure.axes[-1], "proposals")) == len(own) > 0
    assert "proposal" in words_of(figure)
    ambiguous = dataset({"a": (100, ("dive",))}, data.instances[:2], [("a", 50.0, 60.0)])
    for one, expected in ((data, []), (ambiguous, [(50.0, 60.0)])):
        figure = plots.timeline(one, scores, {"a": ["dive"]}, NONE)
        assert shaded(figure.axes[-1], plots.COLOURS["ignored"]) == expected
        words = words_of(figure)
        assert ("ambiguous, not evaluated" in words) == bool(expected) and "proposal" not in words


def words_of(figure) -> list[str]:
    """In the key below a figure."""
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("snippets, name", [
    (3, "short"), (5625, "an hour"), (100, "long " * 40), (100, "$x_{"), (1, "one snippet")])
def test_no_text_lies_on_another(snippets, name):
    length = snippets * SECONDS
    data = dataset({name: (snippets, ("dive", "jump")), "other": (70, ("swim",))},
                   [(name, "dive", length * 0.2, length * 0.4)])
    scores = scores_of(data)
    found = detect({"flow": scores}, data)
    for examples in ({name: ["dive", "jump"]}, {name: ["dive"], "other": ["swim"]}):
        figure = plots.timeline(data, scores, examples, found)
        figure.canvas.draw()
        boxes = {text: text.get_window_extent() for text in texts_of(figure)}
        assert len(boxes) > 10
        for (a, first), (b, second) in combinations(boxes.items(), 2):
            assert not first.overlaps(second), (a.get_text(), b.get_text())


def texts_of(figure) -> list:
    """What is written in a figure; ticks outside or between axes are not."""
    texts = figure.findobj(matplotlib.text.Text)
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            hidden = [tick.label1 for tick in axis.get_major_ticks()
                      if not low <= tick.get_loc() <= high or not tick.label1.get_visible()]
            texts = [text for text in texts if text not in hidden]
    return [text for text in texts if text.get_text().strip() and text.get_window_extent().x1 > 1]


def test_an_example_is_chosen_by_the_number_of_instances_and_has_a_stand_in():
    at = [("a", "dive", 9), ("b", "dive", 5), ("c", "dive", 7), ("d", "jump", 1), ("e", "swim", 3)]
    rows = [(video, label, i, i + 1) for video, label, n in at for i in range(n)]
    data = dataset({video: (50, (label,)) for video, label, _ in at}, rows)
    assert plots.example_video(data, "dive") == ("b", "dive")
    assert plots.example_video(data, "run") == ("b", "dive")
    assert plots.example_video(data, "run", but=["dive"]) == ("e", "swim")
    assert plots.example_video(data, "run", but=CLASSES) == ("b", "dive")


def test_the_same_figure_gives_the_same_file(data, tmp_path):
    for kind in plots.FORMATS:
        written = []
        for i in range(2):
            figure = plots.timeline(data, scores_of(data), {"a": ["dive"]}, NONE)
            plots.write_figure(figure, tmp_path / f"{i}{kind}")
            written.append((tmp_path / f"{i}{kind}").read_bytes())
        assert written[0] == written[1] and len(written[0]) > 1000


def test_what_it_was_drawn_from_stands_below_all_else(data, tmp_path):
    figure = plots.timeline(data, scores_of(data), {"a": ["dive"]}, NONE)
    plots.save_figure(figure, "a", tmp_path, "The **source**.")
    places = dict(re.findall(r'<!-- (.*?) -->\s*<g [^>]*translate\([\d.]+ ([\d.]+)\)',
                             (tmp_path / "a.svg").read_text()))
    below = float(places.pop("The source.")) - max(map(float, places.values()))
    assert {"threshold", "ground truth"} <= set(places) and below > 6.5  # points, its own height


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    facnet("train", "--profile", "smoke", "--out", folder)
    facnet("localize", folder, "--profile", "smoke", "--out", folder / "d.json")
    return folder


def test_the_command_draws_what_localize_finds(trained, tmp_path):
    found = read_detections(trained / "d.json")
    video, label = plots.example_video(load("synthetic", "smoke"), "HammerThrow")
    text = facnet("draw", trained, "--profile", "smoke", "--video", video, "--label", label,
                  "--out", tmp_path / "a.svg")
    own = found[(found.video == video) & (found.label == label)]
    assert f"{video}, scores of flow, {len(own)} detections of {label}" in text
    picture = (tmp_path / "a.svg").read_text()
    drawn = picture.partition(f'<g id="detections of {label}"')[2].partition("</g>")[0]
    assert drawn.count("<path") == len(own) > 0
    for words in (video, "detection", "ground truth", "time (s)", "threshold"):
        assert f"<!-- {words} -->" in picture, words
    facnet("draw", trained, "--profile", "smoke", "--video", video,
           "--out", tmp_path / "b.PNG")
    assert (tmp_path / "b.PNG").read_bytes().startswith(b"\x89PNG")


def test_a_method_without_foreground_scores_is_drawn_too(tmp_path):
    facnet("train", "--profile", "smoke", "--preset", "W-TALC", "--set", "training.epochs=2",
           "--out", tmp_path / "run")
    text = facnet("draw", tmp_path / "run", "--profile", "smoke", "--video", "synthetic_test_0001",
                  "--out", tmp_path / "a.pdf")
    assert "scores of rgb+flow" in text and (tmp_path / "a.pdf").stat().st_size > 1000


@pytest.mark.parametrize("options, message", [
    (["--video", "synthetic_tst_0001"], "synthetic_tst_0001: there is none. Did you mean 'synth"),
    (["--video", "x"], "--video x: there is none. There are "),
    (["--label", "HamerThrow"], "--label HamerThrow: there is none. Did you mean 'HammerThrow'?"),
    (["--out", "a.jpg"], "--out a.jpg: must end in .svg, .pdf, .png."),
    (["--out", "a"], "--out a: must end in .svg, .pdf, .png."),
    (["--out", "absent/a.svg"], "absent/a.svg: cannot be written (No such file"),
])
def test_mistakes_in_drawing_are_one_line(trained, tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    error = fails(capsys, "draw", trained, "--profile", "smoke", "--video", "synthetic_test_0001",
                  "--out", "a.svg", *options)
    assert message in error and error.startswith("facnet: ") and "\n" not in error
    assert not list(tmp_path.iterdir())


def compared(**columns) -> pd.DataFrame:
    """Comparisons, as of `facnet.study.claims.compare`."""
    return pd.DataFrame({"claim": "CW helps", "paper": 1.0, "mean": 2.0,
                         "low": 1.0, "high": 3.0, "video_low": 0.0, "video_high": 4.0,
                         "verdict": "holds", **columns})


def every_figure(data) -> dict:
    """By the name of its function."""
    scores, model = scores_of(data), preset()
    found = detect({"flow": scores}, data)
    evaluation = evaluate_test(found, data)
    told = pd.DataFrame([("CW helps", "Table 3", "mine", "holds")],
                        columns=["claim", "where", "data", "verdict"])
    return {
        "activations": plots.activations(data, {"a": scores}, "a", "dive", model.localization),
        "lambda_maps": plots.lambda_maps(runs_of("fig4")),
        "selection": plots.selection(data, {"a": (model, scores)}, "a", "dive"),
        "timeline": plots.timeline(data, scores, {"a": ["dive"]}, found),
        "differences": plots.differences(compared(name=["a over b"])),
        "errors": plots.errors(diagnosis.over_seeds([diagnosis.false_positive_profile(evaluation)]),
                               diagnosis.over_seeds([diagnosis.removal_gains(evaluation)])),
        "snippet_grid": plots.snippet_grid(),
        "strip": plots.strip(runs_of("table3")),
        "verdicts": plots.verdicts(told),
    }


def says_what_it_shows(axis) -> bool:
    """By its label, by words in place of numbers, or as its neighbour on the same scale does."""
    axes = axis.axes
    shared = getattr(axes, f"get_shared_{axis.axis_name}_axes")().get_siblings(axes)
    ticks = [text.get_text() for text in axis.get_ticklabels() if text.get_visible()]
    return (any(getattr(one, f"get_{axis.axis_name}label")() for one in shared)
            or any(letter.isalpha() for text in ticks for letter in text)
            or not any(ticks))


def test_every_axis_of_every_figure_says_what_it_shows(data):
    drawn = every_figure(data)
    assert set(drawn) == {
        name for name, one in vars(plots).items() if not name.startswith("_")
        and getattr(one, "__module__", "").startswith("facnet.study")
        and getattr(one, "__annotations__", {}).get("return") is matplotlib.figure.Figure
    }
    for name, figure in drawn.items():
        figure.canvas.draw()
        panels = [one for axes in figure.axes for one in (axes, *axes.child_axes) if one.axison]
        silent = [axis for axes in panels for axis in (axes.xaxis, axes.yaxis)
                  if not says_what_it_shows(axis)]
        assert not silent, (name, silent)


def test_a_strip_shows_every_run_and_which_have_collapsed():
    three, four = runs_of("table3"), runs_of("table4")
    three.loc[three.variant == "CW", "collapsed"] = "flow"
    (axes,) = plots.strip(three).axes
    points = [c for c in axes.collections if hasattr(c, "get_sizes") and len(c.get_sizes())]
    assert sum(len(c.get_offsets()) for c in points) == 20 * 3
    assert sum((c.get_facecolor() == 1).all(1).sum() for c in points) == 3  # white
    papers = [line.get_xdata()[0] for line in axes.lines if line.get_marker() == "D"]
    assert papers == three.drop_duplicates("variant").paper.tolist()
    four = four[four.column == "full"]
    figure = plots.strip(four)
    assert figure.axes[0].get_yticklabels()[0].get_text() == "Full (1)"
    assert "paper, THUMOS14" in words_of(figure)
    assert "paper, THUMOS14" not in words_of(plots.strip(four.assign(paper=np.nan)))


def test_differences_have_a_row_each_under_their_claim():
    table = pd.concat([compared(name=["a over b", "c over d"]),
                       compared(claim="CA helps", name=["e over f"], verdict="fails")])
    figure = plots.differences(table, ("raises AVG", "lowers AVG"))
    assert [axes.get_title("left") for axes in figure.axes] == ["CW helps", "CA helps"]
    labels = [[text.get_text() for text in axes.get_yticklabels()] for axes in figure.axes]
    assert labels == [["a over b", "c over d"], ["e over f"]]
    marks = [line.get_marker() for line in figure.axes[0].lines]
    assert marks.count("D") == marks.count("o") == 2
    assert "X" in [line.get_marker() for line in figure.axes[1].lines]
    assert words_of(figure)[:3] == ["raises AVG", "lowers AVG", "open"]


def test_a_map_of_lambda_has_each_value_in_its_place():
    frame = runs_of("fig4", seeds=1)
    axes = plots.lambda_maps(frame).axes[2]  # MIL main: CW across, CA up
    one = frame[(frame.main == "mil") & (frame.lambda_cw == 1) & (frame.lambda_ca == 0.001)]
    assert axes.get_xlabel() == "$λ_{CW}$" and axes.get_ylabel() == "$λ_{CA}$"
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0.001", "0.03", "1"]
    (text,) = [t for t in axes.texts if t.get_position() == (2.5, 0.5)]
    assert text.get_text() == f"{one.average.iloc[0]:.0f}\n0/1"
    assert axes.get_ylim()[0] < axes.get_ylim()[1]  # small below


def test_every_verdict_has_its_mark_in_the_column_of_its_data():
    table = pd.DataFrame([(f"claim {row}", f"Table {row // 3}, text", data, verdict)
                          for row, verdict in enumerate(plots.MARKS) for data in ("here", "there")],
                         columns=["claim", "where", "data", "verdict"])
    figure = plots.verdicts(table)
    (axes,) = figure.axes
    places = sorted(point for line in axes.lines if line.get_marker() != "None"
                    for point in zip(*line.get_data()))
    assert places == [(x, y) for x in range(2) for y in range(len(plots.MARKS))]
    assert [text.get_text() for text in axes.texts] == ["Table 0", "Table 1", "Table 2"]
    assert words_of(figure) == list(plots.MARKS)


def test_the_overview_has_every_equation_of_the_model_and_says_what_it_is():
    drawing = ElementTree.parse(OVERVIEW).getroot()
    told = {element.get("id"): element.text for element in drawing.iter() if element.get("id")}
    assert drawing.get("role") == "img" and told["title"] and len(told["desc"]) > 100
    words = ["".join(text.itertext()) for text in drawing.iter("{http://www.w3.org/2000/svg}text")]
    for equation in (1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14):
        assert any(f"({equation})" in text for text in words), equation
    for shape, boxes in {"T × D": 1, "T × (C + 1)": 2, "(C + 1) × D": 1, "T": 2, "D": 1,
                         "C + 1": 6, "(C+1) × D": 1, "1 × D": 1}.items():
        assert words.count(shape) == boxes, shape
    sizes = re.findall(r"font-size: (\d+)px", OVERVIEW.read_text(encoding="utf-8"))
    assert min(map(int, sizes)) >= 12


# What a panel shows together: it differs by colour, or else by line or marker. LANES stand in rows
# of their own, which are named: they need no difference in grey.
TOGETHER = [("cw", "ca", "mil", "total"), ("foreground", "class"), ("train", "test")]
LANES = [("ground truth", "detections", "proposals", "ignored")]

# For linear RGB and full severity. Machado, Oliveira and Fernandes: A physiologically-based model
# for simulation of color vision deficiency. IEEE Transactions on Visualization and Computer
# Graphics 15 (6), 2009; the authors' table of pre-computed matrices.
VISION = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
    "grey": [[0.2126, 0.7152, 0.0722]] * 3,  # luminance
}


def lab(colour: str, vision) -> np.ndarray:
    """CIE L*a*b* (D65) of a colour as someone sees it."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(vision @ linear, 0, 1) / to_xyz.sum(1)
    x, y, z = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz * (29 / 6) ** 2 / 3 + 4 / 29)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(a: str, b: str) -> dict[str, float]:
    """ΔE*ab by vision. 2 to 3 are just visible side by side."""
    return {name: float(np.linalg.norm(lab(a, np.array(vision)) - lab(b, np.array(vision))))
            for name, vision in VISION.items()}


def test_the_simulation_knows_what_is_confused():
    assert distance("#FF0000", "#FF0000") == dict.fromkeys(VISION, 0)
    assert distance("#000000", "#FFFFFF") == pytest.approx(dict.fromkeys(VISION, 100), abs=0.2)
    red_or_green = distance("#B45000", "#6E6E00")  # a red and a green of one lightness to deutans
    assert red_or_green["deuteranopia"] < 10 < 40 < red_or_green["tritanopia"]


@pytest.mark.parametrize("names", [*TOGETHER, *LANES])
def test_colour_blind_readers_can_tell_apart_what_stands_together(names):
    for a, b in combinations(names, 2):
        apart = distance(plots.COLOURS[a], plots.COLOURS[b])
        apart.pop("grey")
        assert min(apart.values()) >= 15 or differ_in_mark(a, b), (a, b, apart)


@pytest.mark.parametrize("names", TOGETHER)
def test_what_stands_together_can_be_told_apart_in_grey(names):
    for a, b in combinations(names, 2):
        apart = distance(plots.COLOURS[a], plots.COLOURS[b])["grey"]
        assert apart >= 25 or differ_in_mark(a, b), (a, b, apart)


def differ_in_mark(a: str, b: str) -> bool:
    return a in plots.LINES and b in plots.LINES and plots.LINES[a] != plots.LINES[b]


def test_verdicts_differ_in_form():
    forms = [(mark["marker"], mark.get("mfc"), mark.get("fillstyle"))
             for mark in plots.MARKS.values()]
    assert len(set(forms)) == len(forms)


def test_lines_without_a_colour_of_their_own_differ_in_colour_and_dashes():
    for a, b in combinations(plt.rcParams["axes.prop_cycle"], 2):
        assert a["linestyle"] != b["linestyle"]
        apart = distance(a["color"], b["color"])
        apart.pop("grey")
        assert min(apart.values()) >= 15, (a, b, apart)


def test_what_detections_come_to_can_be_told_apart_by_everyone():
    for (a, hatch), (b, other) in combinations(plots.KINDS.values(), 2):
        apart = distance(a, b)
        assert min(apart.values()) >= 25 or hatch != other, (a, b, apart)


HOSTILE = {"text.usetex": True, "font.family": "no such font", "axes.facecolor": "red",
           "figure.autolayout": True, "lines.linewidth": 9.0}


@pytest.mark.parametrize("setting, value", HOSTILE.items())
def test_a_figure_looks_the_same_whatever_the_users_matplotlibrc_says(setting, value):
    expected = dict(matplotlib.rcParams)
    matplotlib.rcParams[setting] = value
    plots.use_style()
    assert dict(matplotlib.rcParams) == expected


@pytest.mark.parametrize("name", [
    "a$b^$c", "_under", "$", "$x$ and $y$", "back\\", "a\\$b$", "%s {0}"])
def test_a_name_in_a_picture_is_what_it_is(tmp_path, name):
    data = dataset({name: (100, (CLASSES[0],))}, [(name, CLASSES[0], 6.4, 12.8)])
    data = replace(data, classes=(name, *CLASSES[1:]), name=name, instances=data.instances.assign(
        label=name), videos=data.videos.assign(labels=[(name,)]))
    scores = scores_of(dataset({name: (100, (CLASSES[0],))}))
    own = {"one": (preset(), scores)}
    drawn = [plots.selection(data, own, name, name),
             plots.activations(data, {"one": scores}, name, name, preset().localization),
             plots.timeline(data, scores, {name: [name]}, NONE)]
    for number, figure in enumerate(drawn):
        plots.save_figure(figure, f"{number}", tmp_path, name)
        seen = [text for text in texts_of(figure) if "$" not in name or "$" in text.get_text()]
        assert [text for text in seen if shown(text).strip("\N{ZERO WIDTH SPACE}").startswith(name)
                or shown(text).endswith(name)], number
    figure, axes = plt.subplots()
    axes.plot([1, 2], label=plots.plain(name))
    assert len(axes.legend().get_texts()) == 1


def shown(text) -> str:
    """A text as it is drawn, where it is no formula."""
    words, is_formula = text._preprocess_math(text.get_text())
    return "" if is_formula else words


@pytest.mark.filterwarnings("error")
def test_a_letter_that_the_book_s_font_lacks_is_taken_from_another_one(monkeypatch):
    figure = plt.figure()
    figure.text(0, 0, "\N{MATHEMATICAL BOLD SCRIPT CAPITAL A}")
    with pytest.warns(UserWarning, match="missing from font"):
        figure.canvas.draw()
    monkeypatch.setattr(plots, "FONTS", ("DejaVu Sans", "none such", "STIXGeneral"))
    plots.use_style()
    figure = plt.figure()
    figure.text(0, 0, "\N{MATHEMATICAL BOLD SCRIPT CAPITAL A}")
    figure.canvas.draw()
