"""A slider draws what it is moved to; without a kernel the page brings all its pictures along."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import matplotlib
import matplotlib.pyplot as plt
import pytest
from ipywidgets.widgets import interaction
from traitlets import TraitError

from facnet.study import plots

matplotlib.use("Agg")
ROOT = Path(__file__).parents[1]


@pytest.fixture
def drawn() -> list[float]:
    return []


@pytest.fixture
def draw(drawn):
    def at(height: float):
        drawn.append(height)
        figure, axes = plt.subplots()
        axes.axhline(height)
        return figure
    return at


def height_of(figure) -> float:
    return figure.axes[0].lines[0].get_ydata()[0]


def test_moving_the_slider_draws_its_new_value(monkeypatch, draw, drawn):
    shown = []
    monkeypatch.setattr(interaction, "display", shown.append)
    plots.slider(draw, [1.0, 2.0, 5.0], 2.0, "height", "made up", True)
    box = next(one for one in shown if isinstance(one, interaction.interactive))
    choice = box.children[0]
    assert (choice.value, choice.description, tuple(choice.options)) == (
        2.0, "height", (1.0, 2.0, 5.0))
    assert set(drawn) == {2.0}
    choice.value = 5.0
    assert drawn[-1] == 5.0 and height_of(shown[-1]) == 5.0
    assert [text.get_text() for text in shown[-1].texts] == ["made up"]
    assert not plt.get_fignums()  # an open figure is shown once more at the end of its cell
    with pytest.raises(TraitError):
        choice.value = 3.0


def test_a_page_without_a_kernel_brings_all_other_pictures_along(monkeypatch, draw, drawn):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    plots.slider(draw, [1.0, 2.0], 1.0, "height </script>", "made up", False)
    assert drawn == [2.0] and not plt.get_fignums()
    (page,) = shown
    held = re.fullmatch(r'<script type="application/json" class="slider">(.*)</script>', page.data)
    held = json.loads(held[1])
    assert held["name"] == "height </script>"
    assert held["pictures"][0] == ["1", None]  # it is in the cell above
    value, data = held["pictures"][1]
    assert value == "2" and base64.b64decode(data).startswith(b"\x89PNG")
    assert "</script>" not in page.data.removesuffix("</script>")


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
        if "plots.slider(" in text:
            assert '\nlive: bool = "FACNET_LIVE" in os.environ' in text, path.name
