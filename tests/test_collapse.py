"""Which seeds are counted as collapsed, and what choosing by training loss is worth."""

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from facnet.config import profile
from facnet.data import load
from facnet.experiment import RESULT_VERSION
from facnet.methods import preset
from facnet.study import collapse
from facnet.study.records import write_record
from facnet.study.statistics import interval
from facnet.study.tables import variants

BASE = profile("smoke").apply(preset("released"))


@pytest.fixture
def table():
    """Eight seeds: flow decides AVG and its loss tells; rgb collapsed in one good seed."""
    flow = np.array([0.8, 0.7, 0.75, 0.3, 0.6, 0.65, 0.4, 0.72])
    rgb = np.array([0.6, 0.45, 0.6, 0.6, 0.7, 0.5, 0.6, 0.6])
    fell = ["+".join(n for n, a in (("rgb", r), ("flow", f)) if a < 0.5)
            for r, f in zip(rgb, flow)]
    return pd.DataFrame({
        "variant": "released", "seed": range(8), "average": 50 * flow - 5 * (flow < 0.5),
        "collapsed": fell, "area rgb": rgb, "area flow": flow, "loss rgb": 0.3,
        "loss flow": 1 - flow})


def test_the_variants_change_what_they_are_named_for():
    at_random, attention = (one.experiment for one in variants("collapse", BASE))
    (released,) = (one.experiment for one in variants("seeds", BASE))
    assert released == BASE
    assert at_random == replace(BASE, model=replace(BASE.model, foreground_init="xavier"))
    assert attention == replace(BASE, training=replace(BASE.training, lambda_ca=1.0))


def test_runs_hold_areas_and_last_losses(tmp_path):
    runs = pd.DataFrame([{"variant": "a", "seed": 0, "average": 3.0, "collapsed": "flow",
                          "key": "k"}])
    write_record(tmp_path, {
        "key": "k", "result_version": RESULT_VERSION, "separation": {"rgb": None, "flow": 0.4},
        "losses": {"rgb": {"total": [2.0, 1.0]}, "flow": {"total": [3.0, 0.5]}}})
    (run,) = collapse.with_streams(runs, tmp_path).to_dict("records")
    assert np.isnan(run.pop("area rgb"))
    assert run == {"variant": "a", "seed": 0, "average": 3.0, "collapsed": "flow",
                   "loss rgb": 1.0, "area flow": 0.4, "loss flow": 0.5}


def test_the_rule_is_held_against_low_seeds(table):
    told = collapse.missed_by_rule(table)
    assert told.columns.tolist() == ["collapsed", "low", "missed"]
    assert told.loc["flow"].tolist() == [2, 2, 0]
    assert told.loc["rgb"].tolist() == [1, 0, 2]
    assert told.loc["any stream"].tolist() == [3, 2, 0]


@pytest.mark.parametrize("tries", [1, 2, 3, 8])
def test_restarts_are_the_mean_over_all_choices(table, tries):
    kept = [table["loss flow"][list(seeds)].idxmin() for seeds in combinations(range(8), tries)]
    found = collapse.restarts(table, "flow", (tries,), draws=10).loc[tries]
    assert found["mean"] == pytest.approx(table.average[kept].mean())
    assert found.collapsed == pytest.approx((table["area flow"][kept] < 0.5).mean())


def test_restarts_gain_where_the_loss_tells_and_not_where_it_does_not(table):
    found = collapse.restarts(table, "flow", draws=200)
    assert found.loc[1, ["gain", "gain_low"]].tolist() == pytest.approx([0, 0], abs=1e-12)
    assert found.loc[1, "collapsed"] == 2 / 8 and found.loc[4, "collapsed"] == 0
    assert found.loc[4, "gain_low"] > 0 and (np.diff(found["mean"]) > 0).all()
    mean, low, high = interval(table.average)  # a single try is the plain mean
    assert collapse.restarts(table, "flow").loc[1, ["mean", "low", "high"]].tolist() == (
        pytest.approx([mean, low, high]))
    untold = table.assign(**{"loss flow": [5, 2, 7, 1, 6, 3, 4, 0]})
    blind = collapse.restarts(untold, "flow", draws=200).loc[4]
    assert blind.gain_low < 0 < blind.gain_high


def test_variants_beside_each_other_count_each_stream_and_the_seeds_of_one_alone(table):
    better = table.assign(variant="better", average=table.average + 1, collapsed="",
                          **{"area flow": 0.9})
    both = pd.concat([table, better[better.seed > 0]], ignore_index=True)
    rates = collapse.rates(both, "released")
    assert rates.index.tolist() == ["released", "better"] and rates.n.tolist() == [8, 7]
    assert rates["flow"].tolist() == [2, 0] and rates["rgb"].tolist() == [1, 1]
    assert rates["any"].tolist() == [3, 0]
    assert rates["median"].tolist() == [table.average.median(), better.average[1:].median()]
    assert rates.loc["better", ["paired", "only_reference", "only_here", "p"]].tolist() == [
        7, 3, 0, 0.25]  # all three on one side: 2 times one eighth
    np.testing.assert_allclose(rates["share"], [37.5, 0])
    assert (rates.share_low <= rates["share"]).all() and (rates["share"] < rates.share_high).all()


def test_wilsons_interval_is_that_of_the_formula():
    five = pd.DataFrame({"variant": "a", "seed": range(20), "average": 1.0,
                         "collapsed": ["x"] * 5 + [""] * 15})
    (row,) = collapse.rates(five, "a").round(1).itertuples()
    assert (row.share, row.share_low, row.share_high) == (25, 11.2, 46.9)


def test_w_f_starts_as_minus_the_background_and_at_chance():
    data = load("synthetic", "smoke")
    short = replace(BASE, training=replace(BASE.training, epochs=3))
    table = collapse.through_training(data, short, "flow", points=3)
    assert table.epoch.tolist() == [0, 1, 2, 3]
    assert table.cosine[0] == pytest.approx(-1, abs=1e-6) and (table.cosine[1:] > -1).all()
    assert table.foreground.between(0.2, 0.8).all() and table.foreground.nunique() == 4
