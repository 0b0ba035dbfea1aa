"""Each difference of text and code is switched alone, explained, and told in words."""

from dataclasses import replace

import pandas as pd
import pytest
from test_sweeps import BASE

from facnet.config import changed, flat, profile, to_dict
from facnet.experiment import training_of
from facnet.methods import preset
from facnet.study import runner, tables, text_vs_code
from facnet.study.tables import OPEN, TEXT, base_of, sweep, variants

RECIPES = base_of("differences", "smoke")
CELLS = {cell.name: cell for cell in variants("differences", RECIPES)}


def fields(a, b) -> set[str]:
    """By which two recipes differ."""
    a, b = flat(to_dict(a)), flat(to_dict(b))
    return {name for name in a if a[name] != b[name]}


def test_every_difference_of_the_presets_is_switched_alone_and_once():
    assert CELLS["released"].experiment == BASE
    assert CELLS[TEXT].experiment == profile("smoke").apply(preset("paper"))
    switched = []
    for cell in CELLS.values():
        if cell.place["fields"]:
            own = set(cell.place["fields"].split(", "))
            assert fields(cell.experiment, BASE) == own
            switched += own
    assert sorted(switched) == sorted(fields(BASE, CELLS[TEXT].experiment) | set(OPEN))
    assert fields(CELLS["all of model"].experiment, CELLS[TEXT].experiment) == fields(
        CELLS["all of localization"].experiment, BASE)


def test_a_new_difference_appears_by_itself():
    text = changed(RECIPES["paper"], {"training.batch_size": 5})
    new = variants("differences", RECIPES | {"paper": text})
    (one,) = [cell for cell in new if cell.name not in CELLS and cell.place["fields"]]
    assert one.place == {"part": "training", "fields": "training.batch_size"}
    assert one.experiment == changed(BASE, {"training.batch_size": 5})
    assert "all of training" in [cell.name for cell in new]


def test_every_difference_is_explained_and_nothing_else_is():
    said = {cell.place["fields"] for cell in CELLS.values()} - {""}
    assert said == set(text_vs_code.EXPLAINED)


def test_localisation_alone_shares_the_trained_models(tmp_path, monkeypatch):
    few = ["released", "upsampling", "rgb_weight", "video_scale"]
    short = {name: replace(one, training=replace(one.training, epochs=1))
             for name, one in RECIPES.items()}
    cells = [c for c in variants("differences", short) if c.name in few]
    monkeypatch.setitem(tables.SWEEPS, "differences", lambda base: cells)
    frame = sweep("differences", "synthetic", "smoke", 1, tmp_path)
    states = {path.name.partition(".")[0] for path in tmp_path.glob("*.training")}
    assert len({training_of(c.experiment) for c in cells}) == 2
    assert len(states) == 1  # what one experiment alone needs is not kept
    again = sweep("differences", "synthetic", "smoke", 1, tmp_path / "other")
    alone = tables.record(runner._load("synthetic", "smoke"), cells[1].experiment)
    for one in (frame, again):
        assert one[one.variant == cells[1].name].average.iloc[0] == alone["average"]


def frame_of(averages: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """A sweep of made-up AVG by variant, two seeds each; others as released."""
    return pd.DataFrame([
        {"variant": name, **cell.place, "paper": float("nan"), "seed": seed, "collapsed": "",
         "other_average": 0.0, "average": averages.get(name, (20.0, 30.0))[seed],
         "key": f"{name} {seed}"}
        for name, cell in CELLS.items() for seed in (0, 1)])


@pytest.fixture
def table():
    frame = frame_of({"upsampling": (21.0, 32.0), "rgb_weight": (17.0, 28.0),
                      "foreground_init": (19.6, 29.8), "betas": (19.0, 33.0), TEXT: (24.0, 34.0)})
    draws = frame.pivot_table(index="seed", columns="variant", values="average")
    return frame, text_vs_code.compared(frame, draws)


def test_it_says_which_matter(table):
    said = text_vs_code.which_matter(table[1])
    assert said.startswith(
        "**Raises AVG:** `upsampling` (+1.5). **Lowers AVG:** `rgb_weight` (−2.5)."
        f" **Resolved, but below {text_vs_code.SMALL:g} points:** `foreground_init` (−0.3)."
        " **Not resolved:** `betas`. **Changes nothing here:** `embedding_kernel`,")
    assert TEXT not in said


def test_the_table_has_both_values_of_each_field(table):
    frame, compared = table
    shown = text_vs_code.readable(compared, list(CELLS.values()), frame)
    assert len(shown) == len(text_vs_code.EXPLAINED) and (shown != "").all(axis=None)
    field = shown["field: released → tried"].tolist()
    assert "upsampling: 1 → 16" in field and "betas: 0.9, 0.99 → 0.9, 0.999" in field
    assert "thresholds: 0.63, …, 1.05 → 0, …, 0.225" in " ".join(field)
    effect = shown.set_index("field: released → tried")["AVG, over seeds"]
    assert effect["rgb_weight: 0.1 → 1"] == "−2.5 [−3.0, −2.0]"


def test_single_changes_are_added_up_without_what_the_text_leaves_open(table):
    sums = text_vs_code.summed(table[0]).set_index("what")
    assert sums.loc[TEXT].tolist() == [
        "−1.3 [−2.4, −0.2]", "+4.0 [+4.0, +4.0]", "+5.3 [+4.2, +6.4]"]
    assert sums.loc["all of model", "singles"] == "−0.3 [−0.4, −0.2]"
