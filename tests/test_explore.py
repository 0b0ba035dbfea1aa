"""A slider draws what it is moved to; where no kernel stands behind the page there is none."""

import os
import subprocess
import sys
from pathlib import Path

import IPython.display
import ipywidgets
import jupytext
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from traitlets import TraitError

from facnet.config import changed, profile
from facnet.data import load
from facnet.experiment import detect, evaluate_test, run
from facnet.localization import localize, propose
from facnet.methods import preset
from facnet.study import explore
from facnet.study.timelines import example_video

matplotlib.use("Agg")
ROOT = Path(__file__).parents[1]


def line_at(height: float):
    figure, axes = plt.subplots()
    axes.axhline(height)
    axes.set(ylim=(0, 10))
    return figure


@pytest.fixture(autouse=True)
def no_figure_is_left_open():
    yield
    plt.close("all")


def test_moving_the_slider_draws_its_new_value():
    drawn = []

    def draw(value):
        drawn.append(value)
        return line_at(value)

    box = explore.slider(draw, [1.0, 2.0, 5.0], 2.0, "height")
    choice, picture = box.children
    assert (choice.value, choice.description) == (2.0, "height")
    assert [value for _, value in choice.options] == [1.0, 2.0, 5.0]
    before = picture.value
    choice.value = 5.0
    assert drawn == [2.0, 5.0] and picture.value != before
    assert picture.value == explore._png(line_at(5.0))
    choice.value = 2.0
    assert picture.value == before and not plt.get_fignums()
    with pytest.raises(TraitError):
        choice.value = 3.0


@pytest.mark.parametrize("live", [True, False])
def test_a_page_without_a_kernel_has_the_picture_alone(monkeypatch, live):
    shown = []
    monkeypatch.setattr(IPython.display, "display", shown.append)
    figure = explore.with_slider(line_at, [1.0, 2.0], 1.0, "height", live)
    assert figure.axes[0].lines[0].get_ydata()[0] == 1.0
    assert [type(one) for one in shown] == [ipywidgets.VBox] * live
    assert bool(plt.get_fignums()) != live  # an open figure is shown at the end of its cell


@pytest.fixture(scope="module")
def result():
    data = load("synthetic", "smoke")
    recipe = changed(profile("smoke").apply(preset("released")), {"training.epochs": 10})
    return data, run(data, recipe, progress=False)


def test_a_higher_threshold_is_drawn_with_what_it_finds(result):
    data, found = result
    video, label = example_video(data, "HammerThrow")
    titles = []
    for threshold in (0.84, 1.5):
        experiment = changed(found.experiment, {"localization.thresholds": (threshold,)})
        figure = explore.at_threshold(data, found, video, label, threshold)
        titles.append(figure.get_suptitle())
        _, sequence, lanes = figure.axes
        lines = [line.get_ydata()[0] for line in sequence.lines]
        assert lines == pytest.approx([threshold / (len(data.classes) + 1)])
        average = evaluate_test(detect(found.scores, data, experiment), data).average
        assert titles[-1].endswith(f"AVG of all streams {average:.1f} %")
        for name, step in (("proposals", propose), ("detections", localize)):
            wanted = step(found.scores["flow"], data.classes, data.snippet_seconds,
                          experiment.localization)
            wanted = wanted[(wanted.video == video) & (wanted.label == label)]
            (drawn,) = (c for c in lanes.collections if c.get_gid() == f"{name} of {label}")
            boxes = [path.get_extents() for path in drawn.get_paths()]
            assert f"{len(wanted)} {name}" in titles[-1]
            np.testing.assert_allclose(sorted((b.x0, b.x1) for b in boxes),
                                       sorted(zip(wanted.start, wanted.end)))
    assert titles[0] != titles[1]


def test_running_a_notebook_leaves_no_widget_even_where_sliders_are_asked_for(tmp_path):
    source, target = tmp_path / "one.py", tmp_path / "one.ipynb"
    source.write_text("# %%\nimport os\nprint('FACNET_LIVE' in os.environ)\n")
    subprocess.run([sys.executable, ROOT / "book/run_notebook.py", source, target], check=True,
                   env=os.environ | {"FACNET_LIVE": "1"})
    (cell,) = jupytext.read(target).cells
    assert cell.outputs[0].text == "False\n"


def test_make_lab_asks_for_sliders_and_notebooks_listen():
    lab = (ROOT / "Makefile").read_text().partition("\nlab:")[2].partition("\n\n")[0]
    assert "FACNET_LIVE=1" in lab
    for path in (ROOT / "notebooks").glob("*.py"):
        text = path.read_text()
        if "with_slider(" in text:
            assert '\nlive: bool = "FACNET_LIVE" in os.environ' in text, path.name
