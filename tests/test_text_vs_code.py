"""Each difference of text and code is switched alone, and explained."""

from dataclasses import replace

import pandas as pd
import pytest
from conftest import record

from facnet.config import changed, flat, to_dict
from facnet.data import load
from facnet.experiment import training_of
from facnet.methods import preset
from facnet.profiles import profile
from facnet.study import published, records, tables, text_vs_code
from facnet.study.statistics import interval
from facnet.study.tables import OPEN, TEXT, base_of, sweep, variants

BASE = profile("smoke").apply(preset("released"))
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
    said = published.read("differences")
    assert set(said.fields) == {cell.place["fields"] for cell in CELLS.values()} - {""}
    assert said.fields.is_unique and said.notna().all(axis=None)


def test_localisation_alone_shares_the_trained_models(tmp_path, monkeypatch):
    few = ["released", "upsampling", "rgb_weight", "video_scale"]
    short = {name: replace(one, training=replace(one.training, epochs=1))
             for name, one in RECIPES.items()}
    cells = [c for c in variants("differences", short) if c.name in few]
    monkeypatch.setitem(tables.SWEEPS, "differences", lambda base: cells)
    ran, fit = [], records.fit
    monkeypatch.setattr(records, "fit", lambda data, stream, trainings, **options: ran.extend(
        trainings) or fit(data, stream, trainings, **options))
    frame = sweep("differences", "synthetic", "smoke", 1, tmp_path)
    assert len({training_of(c.experiment) for c in cells}) == 2 and len(ran) == 2 * 2
    alone = record(load("synthetic", "smoke"), cells[1].experiment)
    assert frame[frame.variant == cells[1].name].average.iloc[0] == alone["average"]


def frame_of(averages: dict[str, tuple[float, float]]) -> pd.DataFrame:
    """A sweep of made-up AVG by variant, three seeds of each number; others as released."""
    return pd.DataFrame([
        {"variant": name, **cell.place, "paper": float("nan"), "seed": seed, "collapsed": "",
         "average": averages.get(name, (20.0, 30.0))[seed % 2],
         "key": f"{name} {seed}"}
        for name, cell in CELLS.items() for seed in range(6)])


@pytest.fixture
def runs():
    return frame_of({"upsampling": (21.0, 32.0), "rgb_weight": (17.0, 28.0),
                     "foreground_init": (19.6, 29.8), "betas": (19.0, 33.0), TEXT: (24.0, 34.0)})


def test_each_change_is_compared_under_the_title_of_its_part(runs):
    draws = runs.pivot(index="seed", columns="variant", values="average")
    table = text_vs_code.parts_compared(runs, draws)
    assert table.claim.drop_duplicates().tolist() == [
        title for part, title in text_vs_code.PARTS.items() if part != "training"]
    assert len(table) == len(CELLS) - 1
    one = table.set_index("name")
    assert one.verdict[["upsampling", "rgb_weight", "betas", "embedding_kernel"]].tolist() == [
        "holds", "fails", "open", "open"]
    assert one.loc["foreground_init", ["mean", "low", "high"]].tolist() == pytest.approx(
        interval([-0.4, -0.2] * 3))


def test_the_table_has_both_values_of_each_field_and_its_effect(runs):
    compared = text_vs_code.parts_compared(runs, None)
    shown = text_vs_code.explained(compared, list(CELLS.values())).set_index("name")
    assert set(shown.fields) == set(published.read("differences").fields)
    assert shown.loc["upsampling", ["released", "tried"]].tolist() == ["1", "16"]
    assert shown.loc["betas", ["released", "tried"]].tolist() == ["0.9, 0.99", "0.9, 0.999"]
    assert shown.released.str.contains("0.63, …, 1.05").any()
    assert shown.loc["rgb_weight", ["mean", "low", "high"]].tolist() == pytest.approx(
        interval([-3, -2] * 3))
    assert (shown.text != "").all()


def test_a_difference_of_ones_own_has_no_words_yet(runs):
    text = changed(RECIPES["paper"], {"training.batch_size": 5})
    cells = variants("differences", RECIPES | {"paper": text})
    more = runs[runs.variant == "betas"].assign(variant="batch_size", part="training")
    compared = text_vs_code.parts_compared(pd.concat([runs, more]), None)
    one = text_vs_code.explained(compared, cells).set_index("name").loc["batch_size"]
    assert one[["section", "text", "code"]].tolist() == [""] * 3
    assert (one.released, one.tried) == (str(BASE.training.batch_size), "5")
