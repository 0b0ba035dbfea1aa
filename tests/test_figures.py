"""One video over time: its scores, their thresholds, what was found and what is there; and what
holds of every figure, such as labels on its axes and colours that everyone can tell apart.
"""

import re
from itertools import combinations

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from test_claims import sweep_frame
from test_cli import facnet, fails

from facnet.data import Dataset, load
from facnet.experiment import detect, evaluate_test
from facnet.files import read_detections
from facnet.localization import Scores, propose
from facnet.methods import METHODS, method_of, preset
from facnet.study import claims, diagnosis, diagrams, plots, timelines

matplotlib.use("Agg")
CLASSES, SECONDS = ("dive", "jump", "swim"), 0.64
INSTANCE = ["video", "label", "start", "end"]
DETECTION = [*INSTANCE, "score"]
NONE = pd.DataFrame(columns=DETECTION)


@pytest.fixture(autouse=True)
def style():
    plots.use_style()
    yield
    plt.close("all")


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


def labels_of(axes) -> list[str]:
    return [text.get_text() for text in axes.get_yticklabels()]


def bars(axes, kind: str) -> list[tuple[float, float, float]]:
    """Start, end and lower edge of each bar of a kind, as drawn."""
    found = []
    for collection in axes.collections:
        if (collection.get_gid() or "").startswith(kind):
            for path in collection.get_paths():
                box = path.get_extents()
                found.append((box.x0, box.x1, box.y0))
    return found


def test_scores_detections_and_truth_stand_below_each_other_on_one_time_axis(data):
    scores = scores_of(data)
    found = pd.DataFrame([("a", "dive", 6.4, 12.0, 0.9), ("a", "dive", 50.0, 52.0, 0.1),
                          ("a", "jump", 1.0, 2.0, 0.3), ("b", "dive", 1.0, 2.0, 0.3)],
                         columns=DETECTION)
    figure = timelines.timeline(data, scores, {"a": ["dive"]}, found)
    foreground, sequence, lanes = figure.axes
    for axes in figure.axes:
        assert axes.get_xlim() == (0, 100 * SECONDS)
    assert lanes.get_xlabel() == "time (s)" and foreground.get_title("left") == "a"
    assert sequence.get_title("left") == "dive, probability 0.60"
    rows = scores.rows("a")
    np.testing.assert_array_equal(foreground.patches[0].get_data().values, scores.foreground[rows])
    expected = METHODS["FAC-Net"].sequence(scores, preset().localization)[rows, 0]
    np.testing.assert_array_equal(sequence.patches[0].get_data().values, expected)
    assert sequence.patches[0].get_data().edges[1] == SECONDS
    assert labels_of(lanes) == ["ground truth", "detections"]
    assert [bar[:2] for bar in bars(lanes, "detections of dive")] == [(6.4, 12.0), (50.0, 52.0)]
    assert [bar[:2] for bar in bars(lanes, "ground truth")] == [(6.4, 12.8), (32.0, 40.0)]
    assert not bars(lanes, "detections of jump")


@pytest.mark.parametrize("name", ["released", "paper", "STPN", "BM", "W-TALC", "UM"])
def test_every_detection_rises_above_a_threshold_that_is_drawn(data, name):
    experiment = preset(name)
    scores = scores_of(data, 4 if name in ("released", "paper", "BM") else 3, name != "W-TALC")
    found = detect({"flow": scores}, data, experiment)
    figure = timelines.timeline(data, scores, {"a": ["dive"]}, found, experiment)
    assert len(figure.axes) == (2 if name == "W-TALC" else 3)
    sequence, lanes = figure.axes[-2:]
    lowest = min(line.get_ydata()[0] for line in sequence.lines)
    values = sequence.patches[0].get_data().values
    shown = bars(lanes, "detections of dive")
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


def test_of_detections_that_overlap_the_best_is_nearest_to_the_truth_and_darkest(data):
    found = pd.DataFrame([("a", "dive", 1.0, 9.0, 0.2), ("a", "dive", 8.0, 20.0, 0.9),
                          ("a", "dive", 30.0, 31.0, 0.1), ("a", "dive", 2.0, 10.0, 0.5)],
                         columns=DETECTION)
    lanes = timelines.timeline(data, scores_of(data), {"a": ["dive"]}, found).axes[-1]
    shown = bars(lanes, "detection")
    assert [bar[0] for bar in shown] == [8.0, 2.0, 1.0, 30.0]  # by score
    heights = [bar[2] for bar in shown]
    assert heights[0] < heights[1] < heights[2] and heights[3] == heights[0]
    for (a, b, low), (c, d, other) in combinations(shown, 2):
        assert low != other or b <= c or d <= a
    (drawn,) = (c for c in lanes.collections if c.get_gid() == "detections of dive")
    shades = drawn.get_facecolor()[:, :3].sum(1)
    assert len(shades) == 4 and (np.diff(shades) > 0).all()


def test_where_only_labels_are_known_no_ground_truth_is_claimed():
    data = dataset({"a": (40, ("dive",))}, [("elsewhere", "dive", 1, 2)])
    assert timelines.shown_classes(data, "a", NONE) == ["dive"]
    figure = timelines.timeline(data, scores_of(dataset({"a": (40, ("dive",))})),
                              {"a": ["dive", "jump"]}, NONE)
    known = labels_of(figure.axes[4])
    assert labels_of(figure.axes[2]) == ["detections"]
    assert known == ["ground truth", "detections"]  # that it shows no jump is known


def test_classes_are_those_that_are_there_and_then_those_found_the_best_first(data):
    found = pd.DataFrame([("b", "swim", 1.0, 2.0, 0.2), ("b", "dive", 1.0, 2.0, 0.9),
                          ("a", "swim", 1.0, 2.0, 0.2), ("a", "jump", 1.0, 2.0, 0.4)],
                         columns=DETECTION)
    assert timelines.shown_classes(data, "a", found) == ["dive", "jump", "swim"]
    assert timelines.shown_classes(data, "b", found) == ["jump", "dive", "swim"]
    assert timelines.shown_classes(dataset({"c": (9, ())}), "c", NONE) == []


def test_two_videos_stand_side_by_side_each_on_its_own_axis(data):
    figure = timelines.timeline(
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
    figure = timelines.timeline(data, scores, {"a": ["dive"]}, NONE, proposals=found)
    assert labels_of(figure.axes[-1]) == ["ground truth", "detections", "proposals"]
    own = found[(found.video == "a") & (found.label == "dive")]
    assert len(bars(figure.axes[-1], "proposals")) == len(own) > 0
    ambiguous = dataset({"a": (100, ("dive",))}, data.instances[:2], [("a", 50.0, 60.0)])
    for one, expected in ((data, False), (ambiguous, True)):
        legend = timelines.timeline(one, scores, {"a": ["dive"]}, NONE).legends[0]
        words = [text.get_text() for text in legend.get_texts()]
        assert ("ambiguous, not evaluated" in words) == expected


@pytest.mark.parametrize("snippets, name", [
    (3, "short"), (5625, "an hour"), (100, "long " * 40), (100, "$x_{"), (1, "one snippet")])
def test_no_text_lies_on_another(snippets, name):
    length = snippets * SECONDS
    data = dataset({name: (snippets, ("dive", "jump")), "other": (70, ("swim",))},
                   [(name, "dive", length * 0.2, length * 0.4)])
    scores = scores_of(data)
    found = detect({"flow": scores}, data)
    for examples in ({name: ["dive", "jump"]}, {name: ["dive"], "other": ["swim"]}):
        figure = timelines.timeline(data, scores, examples, found)
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
    assert timelines.example_video(data, "dive") == ("b", "dive")
    assert timelines.example_video(data, "run") == ("b", "dive")
    assert timelines.example_video(data, "run", but=["dive"]) == ("e", "swim")
    assert timelines.example_video(data, "run", but=CLASSES) == ("b", "dive")


def test_the_same_figure_gives_the_same_file(data, tmp_path):
    for kind in plots.FORMATS:
        written = []
        for i in range(2):
            figure = timelines.timeline(data, scores_of(data), {"a": ["dive"]}, NONE)
            plots.write_figure(figure, tmp_path / f"{i}{kind}")
            written.append((tmp_path / f"{i}{kind}").read_bytes())
        assert written[0] == written[1] and len(written[0]) > 1000


def test_what_it_was_drawn_from_stands_below_all_else(data, tmp_path):
    figure = timelines.timeline(data, scores_of(data), {"a": ["dive"]}, NONE)
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
    video, label = timelines.example_video(load("synthetic", "smoke"), "HammerThrow")
    text = facnet("draw", trained, "--profile", "smoke", "--video", video, "--label", label,
                  "--out", tmp_path / "a.svg")
    own = found[(found.video == video) & (found.label == label)]
    assert f"{video}, scores of flow, {len(own)} detections of {label}" in text
    picture = (tmp_path / "a.svg").read_text()
    drawn = picture.partition(f'<g id="detections of {label}"')[2].partition("</g>")[0]
    assert drawn.count("<path") == len(own) > 0
    for words in (video, "detections", "ground truth", "time (s)", "threshold"):
        assert f"<!-- {words} -->" in picture, words
    facnet("draw", trained, "--profile", "smoke", "--video", video, "--stream", "rgb",
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
    (["--stream", "depth"], "--stream depth: there is none. Choose from: flow, rgb."),
    (["--out", "a.jpg"], "--out a.jpg: must end in .svg, .pdf, .png."),
    (["--out", "a"], "--out a: must end in .svg, .pdf, .png."),
    (["--out", "absent/a.svg"], "absent/a.svg: No such file or directory"),
])
def test_mistakes_in_drawing_are_one_line(trained, tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    error = fails(capsys, "draw", trained, "--profile", "smoke", "--video", "synthetic_test_0001",
                  "--out", "a.svg", *options)
    assert message in error and error.startswith("facnet: ") and "\n" not in error
    assert not list(tmp_path.iterdir())


def every_figure(data) -> dict:
    """By the name of its function."""
    scores, model = scores_of(data), preset()
    found = detect({"flow": scores}, data)
    evaluation = evaluate_test(found, data)
    bins = diagnosis.binned(evaluation.truth.end - evaluation.truth.start, (3, 6))
    by_length = diagnosis.over_seeds([diagnosis.missed(evaluation, bins)])
    whole = load("synthetic", "smoke")
    three = sweep_frame("table3").assign(mean_ap=9.0)
    weights = pd.DataFrame({"variant": ["a", "b", "c"], "seed": 0, "host": "UM", "average": 9.0,
                            "lambda_cw": [0.0, 0.1, 1.0], "held_out_loss": 1.0})
    losses = pd.DataFrame({"epoch": [1, 2], "cw": [3.0, 2.0], "total": [4.0, 3.0]})
    history = pd.DataFrame({"epoch": [0, 1], "cosine": [-1.0, -0.9], "foreground": [0.5, 0.7]})
    runs = pd.DataFrame({"seed": [0, 1], "average": [9.0, 5.0], "collapsed": ["", "flow"],
                         "area flow": [0.8, 0.3]})
    curve = pd.DataFrame({"seed": 0, "epoch": [1, 2, 3], "average": [5.0, 9.0, 8.0]})
    bounds = pd.DataFrame({"model": ["a"], "seed": 0, "epoch": 1, "bound": 0.5, "candidates": 3,
                           "ceiling": 1.1, "reachable": 1.0, "train": 0.6, "test": 0.4})
    ceiling = pd.DataFrame({"0.5": [90.0], "average": [90.0]}, index=["all runs"])
    told = pd.DataFrame([("CW helps", "Table 3", "mine", "holds")],
                        columns=["claim", "printed", "data", "verdict"])
    field = pd.DataFrame([("FAC-Net", "ICCV 2021", 42.2, "")],
                         columns=["method", "venue", "average", "uses"])
    other = pd.DataFrame([("FAC-Net", 40.0, "a rerun")], columns=["method", "average", "what"])
    lengths = pd.DataFrame({"train": [2.0, 4.0], "test": [2.0, 5.0]}, index=[0.25, 0.75])
    return {
        "activations": timelines.activations(data, {"a": scores}, "a", "dive", model.localization),
        "embeddings": plots.embeddings({"a": np.eye(2)}, np.array([True, False])),
        "hybrid_attention": diagrams.hybrid_attention(),
        "lambda_maps": plots.lambda_maps(sweep_frame("fig4")),
        "overview": diagrams.overview(),
        "selection": timelines.selection(data, {"a": (model, scores)}, "a", "dive"),
        "timeline": timelines.timeline(data, scores, {"a": ["dive"]}, found),
        "by_kind": plots.by_kind({"length (s)": by_length}),
        "by_tiou": plots.by_tiou(three, pd.Series([9.0], index=["0.5"]), "theirs"),
        "ceilings": plots.ceilings({"mine": ceiling}, {}),
        "cw_weights": plots.cw_weights(weights, {"UM": 0.1}),
        "differences": plots.differences(claims.compare(three, claims.table3_claims())),
        "errors": plots.errors(diagnosis.over_seeds([diagnosis.profile(evaluation)]),
                                diagnosis.over_seeds([diagnosis.gains(evaluation)])),
        "foreground_through_training": plots.foreground_through_training({"a": history}),
        "information": plots.information(bounds, bounds),
        "instance_lengths": plots.instance_lengths(whole, {"a snippet": SECONDS}, lengths),
        "epochs": plots.epochs(curve),
        "precision_recall": plots.precision_recall(evaluation),
        "rules": plots.rules({"mine": pd.DataFrame({"rule": ["a", "b"], "average": [9.0, 8.0]})}),
        "reported": plots.reported(field, other),
        "seeds": plots.seeds(runs),
        "snippet_grid": plots.snippet_grid(),
        "strip": plots.strip(three),
        "training_curves": plots.training_curves({"rgb": losses, "flow": losses}),
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
    functions = {**vars(plots), **vars(timelines), **vars(diagrams)}
    assert set(drawn) == {name for name in (
        *plots.__all__, *timelines.__all__, *diagrams.__all__) if getattr(
        functions[name], "__annotations__", {}).get("return") is matplotlib.figure.Figure}
    for name, figure in drawn.items():
        figure.canvas.draw()
        panels = [one for axes in figure.axes for one in (axes, *axes.child_axes) if one.axison]
        silent = [axis for axes in panels for axis in (axes.xaxis, axes.yaxis)
                  if not says_what_it_shows(axis)]
        assert not silent, (name, silent)


@pytest.mark.parametrize("draw", [diagrams.overview, diagrams.hybrid_attention])
def test_a_drawing_is_legible_and_no_text_of_it_lies_on_another(draw):
    figure = draw()
    figure.canvas.draw()
    boxes = {text: text.get_window_extent() for text in texts_of(figure)}
    assert len(boxes) > 40 and min(text.get_fontsize() for text in boxes) >= 7.5
    for (a, first), (b, second) in combinations(boxes.items(), 2):
        assert not first.overlaps(second), (a.get_text(), b.get_text())


# What a panel shows together: it differs by colour, or else by line or marker. LANES stand in rows
# of their own, which are named: they need no difference in grey.
TOGETHER = [("cw", "ca", "mil", "total"), ("foreground", "class"), ("train", "test"),
            ("holds", "does not hold", "not resolved")]
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
    forms = {verdict: (mark["marker"], mark.get("mfc")) for verdict, mark in plots.MARKS.items()}
    return any(a in kind and b in kind and kind[a] != kind[b]
               for kind in (plots.LINES, plots.MARKERS, forms))


def test_series_differ_in_colour_line_and_marker():
    for a, b in combinations(plots.SERIES, 2):
        assert a["ls"] != b["ls"] and a["marker"] != b["marker"]
        apart = distance(a["color"], b["color"])
        apart.pop("grey")
        assert min(apart.values()) >= 15, (a, b, apart)


def test_what_detections_come_to_can_be_told_apart_by_everyone():
    for (a, hatch), (b, other) in combinations(plots.KINDS.values(), 2):
        apart = distance(a, b)
        assert min(apart.values()) >= 25 or hatch != other, (a, b, apart)
