"""Which seeds are counted as collapsed, and what moves their number."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from facnet.data import load
from facnet.methods import preset
from facnet.profiles import profile
from facnet.study import collapse
from facnet.study.tables import variants

BASE = profile("smoke").apply(preset("released"))


@pytest.fixture
def table():
    """Eight seeds: flow decides AVG; rgb collapsed in one good seed."""
    flow = np.array([0.8, 0.7, 0.75, 0.3, 0.6, 0.65, 0.4, 0.72])
    rgb = np.array([0.6, 0.45, 0.6, 0.6, 0.7, 0.5, 0.6, 0.6])
    fell = ["+".join(n for n, a in (("rgb", r), ("flow", f)) if a < 0.5)
            for r, f in zip(rgb, flow)]
    return pd.DataFrame({
        "variant": "released", "seed": range(8), "average": 50 * flow - 5 * (flow < 0.5),
        "collapsed": fell, "area rgb": rgb, "area flow": flow})


def test_the_variants_change_what_they_are_named_for():
    released, at_random, attention = (one.experiment for one in variants("collapse", BASE))
    assert released == BASE and variants("collapse", BASE)[:1] == variants("seeds", BASE)
    assert at_random == replace(BASE, model=replace(BASE.model, foreground_init="xavier"))
    assert attention == replace(BASE, training=replace(BASE.training, lambda_ca=1.0))


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
    table = collapse.through_training(data, short, "flow")
    assert table.epoch.tolist() == [0, 1, 2, 3]
    assert table.cosine[0] == pytest.approx(-1, abs=1e-6) and (table.cosine[1:] > -1).all()
    assert table.foreground.between(0.2, 0.8).all() and table.foreground.nunique() == 4
