"""The paper's claims name the right rows, and what is said of them follows from the numbers."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from facnet.errors import FacnetError
from facnet.files import write_json
from facnet.methods import preset
from facnet.profiles import profile
from facnet.study import claims, evidence, published
from facnet.study.claims import Comparison, read_claims
from facnet.study.statistics import SEEDS, Verdict, interval, verdict
from facnet.study.tables import base_of, variants

ROOT = Path(__file__).parents[1]
BASE = profile("smoke").apply(preset("released"))
TIOUS = [f"0.{tenth}" for tenth in range(1, 8)]


def frame_of(averages: dict[str, list[float]], **columns) -> pd.DataFrame:
    """A sweep's runs from AVG by variant and seed."""
    return pd.DataFrame([
        {"variant": name, "paper": 40.0, "seed": seed, "average": value,
         "collapsed": "", "key": f"{name} {seed}", **columns, **dict.fromkeys(TIOUS, value)}
        for name, values in averages.items() for seed, value in enumerate(values)])


def sweep_frame(name: str, seeds: int = SEEDS) -> pd.DataFrame:
    """The runs of a whole sweep, their AVG drawn at random."""
    rng = np.random.default_rng(0)
    return pd.concat([
        frame_of({one.name: list(rng.uniform(10, 40, seeds))}, **one.place).assign(paper=one.paper)
        for one in variants(name, base_of(name, "smoke"))], ignore_index=True)


def over(a: str, b: str, claim: str = "", **options) -> Comparison:
    return Comparison(claim, f"{a} over {b}", {a: 1, b: -1}, **options)


def write_draws(folder, runs: pd.DataFrame, draws: dict[str, list[float]] | None = None) -> None:
    """Records that hold AVG on resampled videos, by key; else one draw that is AVG itself."""
    for one in runs.itertuples():
        write_json(folder / f"{one.key}.json", {
            "key": one.key, "resampled": [one.average] if draws is None else draws[one.key]})


def runs_for(group: str, folder) -> pd.DataFrame:
    """Runs with all variants that the claims of a group name, and the paper's numbers for them."""
    if group == "fig4":
        runs = sweep_frame("fig4")
        write_draws(folder, runs)
        return claims.with_best_points(runs, folder)[0]
    return sweep_frame({"classification": "table3", "fig5": "table3", "fig6": "table3"}.get(
        group, group))


@pytest.mark.parametrize("group, count", [
    ("table1", 6), ("table3", 37), ("table4", 12), ("table5", 4), ("fig4", 8),
    ("classification", 2), ("fig5", 2), ("fig6", 1)])
def test_every_comparison_is_of_runs_that_exist(group, count, tmp_path):
    wanted, runs = read_claims(group), runs_for(group, tmp_path)
    assert len(wanted) == count == len({(one.claim, one.name) for one in wanted})
    assert {name for one in wanted for name in one.weights} <= set(runs.variant)
    table = claims.compare(runs, wanted)
    assert (table.n == SEEDS).all() and table["mean"].notna().all()
    for one in wanted:  # what is set against each other counts alike, but for a share
        share = -40 / 42.2 if "95 %" in one.name else -1
        assert sum(w for w in one.weights.values() if w < 0) == pytest.approx(share * sum(
            w for w in one.weights.values() if w > 0))


@pytest.mark.parametrize("group", ["table1", "table3", "table4", "table5"])
def test_the_papers_differences_are_those_of_its_tables(group):
    """And it keeps its claims itself."""
    printed = sweep_frame(group).groupby("variant").paper.first()
    for one in read_claims(group):
        wanted = sum(weight * printed[name] for name, weight in one.weights.items())
        assert one.paper == pytest.approx(wanted, abs=1e-3, nan_ok=True)
        assert not one.paper <= 0


def test_bounds_of_fig4_are_those_of_the_text():
    small, large = (published.statement(f"{size} lambda_ca and lambda_mil")
                    for size in ("small", "large"))
    (one,) = [one for one in read_claims("fig4") if one.name.endswith(", at least")]
    assert one.paper == large - small == 34 and "Small" in one.claim
    shares = [-one.weights["full model"] for one in read_claims("fig4")
              if one.claim.startswith("Large")]
    assert shares == pytest.approx([large / 42.2] * 3)


def test_pairs_of_table3_differ_in_what_they_are_named_for():
    """Hybrid attention and background class are compared between rows alike in all else."""
    place = {one.name: one.place for one in variants("table3", BASE)}
    for one in read_claims("table3"):
        if len(one.weights) > 2:
            continue
        (better, up), (worse, down) = one.weights.items()
        assert (up, down) == (1, -1)
        changed = {k for k in place[better] if place[better][k] != place[worse][k]}
        if one.claim.startswith("Hybrid"):
            assert changed == {"hybrid"} and place[better]["hybrid"]
        elif one.claim.startswith("The background"):
            assert changed == {"background"} and place[better]["background"]
        elif one.claim.startswith("The full model"):
            assert len(changed) == 1 and all(place[better][part] for part in place[better])
        else:
            assert changed <= {"cw", "ca", "mil"}


def test_half_the_surplus_of_single_branches_is_what_the_rows_of_table3_give():
    runs = sweep_frame("table3")
    mean = runs.groupby("variant").average.mean()
    pairs = [list(one.weights) for one in read_claims("table3") if one.claim.startswith(
        "Hybrid attention helps every")]
    gains = {plain: mean[hybrid] - mean[plain] for hybrid, plain in pairs}
    single = [gain for name, gain in gains.items() if "+" not in name]
    several = [gain for name, gain in gains.items() if "+" in name]
    assert (len(single), len(several)) == (3, 7)
    (row,) = claims.compare(runs, [one for one in read_claims("table3") if len(one.weights) > 2]
                            ).itertuples()
    assert row.mean == pytest.approx((np.mean(single) - np.mean(several)) / 2)


def test_claims_of_nothing_are_refused():
    with pytest.raises(FacnetError, match="No claims of 'table6'"):
        read_claims("table6")
    with pytest.raises(FacnetError, match="No claims of 'untested'"):
        read_claims("untested")


def test_each_claim_comes_with_the_sentence_and_its_reading():
    groups = ("table1", "table2", "table3", "classification", "table4", "table5", "fig1", "fig4",
              "fig5", "fig6", "fig8")
    for group in groups:
        table = claims.said(group)
        assert table.claim.tolist() == list(dict.fromkeys(one.claim for one in read_claims(group)))
        assert (table != "").all(axis=None)
    assert len(claims.said(*groups)) == sum(len(claims.said(group)) for group in groups)
    without = claims.untested().set_index("claim")
    assert (without.why_not != "").all()
    assert without.paper["FAC-Net's AVG on THUMOS14"] == "42.2" == str(
        published.table(1).set_index("method").average["FAC-Net (I3D)"])


def test_a_comparison_is_paired_by_seed_and_held_against_both_errors():
    runs = frame_of({"a": [11.0, 31.0, 21.0, 16.0, 26.0], "b": [10.0, 30.0, 20.0, 15.0, 25.0]})
    alone = claims.compare(runs, [over("a", "b")]).iloc[0]
    assert alone["mean"] == alone.low == alone.high == 1.0 and alone.n == SEEDS
    assert alone.verdict == Verdict.HOLDS and np.isnan(alone.paper) and np.isnan(alone.video_low)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 5, 200)
    sure = pd.DataFrame({"a": noise + 1 + rng.normal(0, 0.1, 200), "b": noise})
    assert claims.compare(runs, [over("a", "b")], sure).verdict.item() == Verdict.HOLDS
    unsure = pd.DataFrame({"a": rng.normal(1, 5, 200), "b": noise})
    one = claims.compare(runs, [over("a", "b")], unsure).iloc[0]
    assert one.video_low < 0 < one.video_high and one.verdict == Verdict.OPEN
    single = claims.compare(runs[runs.seed == 0], [over("a", "b")], sure).iloc[0]
    assert single.verdict == Verdict.FEW and single.n == 1


def test_weights_make_means_and_shares():
    runs = frame_of({"a": [10.0, 12.0], "b": [20.0, 22.0], "c": [16.0, 18.0]})
    both, share = claims.compare(runs, [
        Comparison("", "mean", {"a": 0.5, "b": 0.5, "c": -1}),
        Comparison("", "share", {"a": 1, "c": -0.5})]).itertuples()
    assert both.mean == -1.0 and share.mean == 11.0 - 8.5


def test_a_seed_without_its_pair_does_not_count():
    runs = frame_of({"a": [10.0, 20.0, 90.0], "b": [9.0, 19.0]})
    one = claims.compare(runs, [over("a", "b")]).iloc[0]
    assert one.n == 2 and one["mean"] == 1.0


def test_every_claim_is_judged_by_its_mean_and_one_of_each_says_if_some_do_not_hold():
    runs = frame_of({"a": [5.0, 6.0, 7.0, 8.0, 9.0], "b": [1.0, 2.0, 3.0, 4.0, 5.0],
                     "c": [9.0, 1.0, 8.0, 2.0, 5.0], "d": [6.0, 7.0, 8.0, 9.0, 10.0]})
    pairs = {"all": ["ab"], "most": ["ab", "ad"], "none": ["ba", "ad"], "open": ["ac"],
             "one open": ["ab", "db", "cb"], "mean": ["ab", "ad"]}
    table = claims.judge(runs, [
        over(*pair, claim, each=claim != "mean") for claim, own in pairs.items() for pair in own])
    assert dict(zip(table.claim, table.verdict)) == {
        "all": Verdict.HOLDS, "most": Verdict.ON_AVERAGE, "none": Verdict.FAILS,
        "open": Verdict.OPEN, "one open": Verdict.ON_AVERAGE, "mean": Verdict.HOLDS}
    one = table.set_index("claim")
    assert one.loc["all", "mean"] == 4.0 and one.loc["most", "mean"] == 1.5
    assert one.holds.to_dict() == {"all": "1 of 1", "most": "1 of 2", "none": "0 of 2",
                                   "open": "0 of 1", "one open": "2 of 3", "mean": "1 of 2"}
    # One of forty differences that are none holds.


def test_a_model_is_no_comparison_with_itself_and_does_not_count():
    a, b = [5.0, 6.0, 7.0, 8.0, 9.0], [1.0, 2.0, 3.0, 4.0, 5.0]
    runs = frame_of({"a": a, "b": b, "again": a})
    runs.key = runs.key.str.replace("again", "a")  # one model under two names
    wanted = [over("a", x, "best", paper=2.0, each=True) for x in ("b", "again")]
    compared = claims.compare(runs, wanted)
    assert compared.verdict.tolist() == [Verdict.HOLDS, Verdict.SAME]
    assert compared.same.tolist() == [0, 5]
    table = claims.judge(runs, wanted)
    assert table["mean"].item() == 4.0 and table.verdict.item() == Verdict.PARTLY
    assert table.holds.item() == "1 of 2"
    alone = claims.judge(runs, wanted[1:])
    assert alone.verdict.item() == Verdict.SAME


@pytest.mark.parametrize("ratio", [0, 0.5, 1, 3])
def test_of_differences_that_are_none_a_fortieth_holds(ratio):
    """Whatever the test videos' share in the noise, `ratio` times that of the seeds' mean."""
    rng, count = np.random.default_rng(0), 4000
    of_videos = ratio / np.sqrt(SEEDS)
    seeds = rng.normal(size=(count, SEEDS)) + of_videos * rng.normal(size=(count, 1))
    draws = seeds.mean(1, keepdims=True) + of_videos * rng.normal(size=(count, 1000))
    verdicts = []
    for own, videos in zip(seeds, np.percentile(draws, [2.5, 97.5], axis=1).T):
        mean, low, high = interval(own)
        verdicts.append(verdict(SEEDS, mean, (low, high), videos))
    # 2.5 %, and what chance adds to it in so many comparisons.
    for word in (Verdict.HOLDS, Verdict.FAILS):
        assert verdicts.count(word) / count <= 0.035


def test_fewer_than_five_seeds_get_no_verdict():
    a, b = [11.0, 31.0, 21.0, 16.0, 26.0], [1.0, 21.0, 11.0, 6.0, 16.0]
    told = [claims.judge(frame_of({"a": a[:n], "b": b[:n]}), [over("a", "b")]).verdict.item()
            for n in range(1, 6)]
    assert told == [Verdict.FEW] * 4 + [Verdict.HOLDS]


def test_the_best_point_is_chosen_on_other_seeds(tmp_path):
    runs = frame_of({"a": [50.0, 10.0, 10.0], "b": [20.0, 20.0, 20.0]}, main="cw")
    write_draws(tmp_path, runs)
    both, draws = claims.with_best_points(runs, tmp_path)
    best = both[both.variant == "best point, CW main"]
    # For seed 0 the others say b; for seeds 1 and 2 the outlier says a.
    assert best.set_index("seed").average.to_dict() == {0: 20.0, 1: 10.0, 2: 10.0}
    assert best.key.tolist() == ["b 0", "a 1", "a 2"]
    assert draws["best point, CW main"].tolist() == pytest.approx([40 / 3])
    alone, draws = claims.with_best_points(runs[runs.seed == 0], tmp_path)
    assert alone.average[alone.variant == "best point, CW main"].tolist() == [50.0]
    assert draws["best point, CW main"].tolist() == [50.0]


def test_each_draw_of_videos_chooses_its_own_best_point(tmp_path):
    """A difference of two best points has then the noise of choosing, too."""
    runs = pd.concat([frame_of({"a": [10.0, 10.0], "b": [9.0, 9.0]}, main="cw"),
                      frame_of({"c": [5.0, 7.0]}, main="ca"),
                      frame_of({"full model": [8.0, 8.0]}, main="")], ignore_index=True)
    write_draws(tmp_path, runs, {
        "a 0": [10.0, 4.0, 2.0], "a 1": [12.0, 6.0, 8.0],
        "b 0": [9.0, 7.0, 3.0], "b 1": [9.0, 9.0, 1.0],
        "c 0": [1.0, 2.0, 3.0], "c 1": [3.0, 4.0, 5.0],
        "full model 0": [8.0, 6.0, 4.0], "full model 1": [8.0, 8.0, 8.0]})
    both, draws = claims.with_best_points(runs, tmp_path)
    # The first draw says a for both seeds, the second b, the third a to seed 0 and b to seed 1.
    assert draws["best point, CW main"].tolist() == [11.0, 8.0, (2 + 1) / 2]
    assert draws["best point, CA main"].tolist() == draws.c.tolist() == [2.0, 3.0, 4.0]
    assert draws["full model"].tolist() == [8.0, 7.0, 6.0]
    best = both[both.variant == "best point, CW main"]
    assert best.key.tolist() == ["a 0", "a 1"], "as measured"
    assert len(both) == len(runs) + 4 and not both.duplicated(["variant", "seed"]).any()


def test_resampled_is_the_mean_over_seeds_of_what_the_records_hold(tmp_path):
    runs = frame_of({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    write_draws(tmp_path, runs, {key: [i, 10.0 * i] for i, key in enumerate(runs.key)})
    draws = claims.resampled(runs, tmp_path)
    assert draws.to_dict("list") == {"a": [0.5, 5.0], "b": [2.5, 25.0]}


def test_whole_videos_stand_beside_a_variant_seed_by_seed(tmp_path):
    runs = frame_of({"FAC-Net": [5.0, 4.0, 3.0, 2.0, 1.0], "other": [1.0] * 5})
    for i, key in enumerate(runs.key):
        write_json(tmp_path / f"{key}.json", {
            "key": key, "resampled": [5.0, 7.0 + i],
            "whole_video": {"average": 4.0 - i, "mean_ap": [4.0 - i] * len(TIOUS),
                            "resampled": [4.2, 7.8]}})
    both, draws = claims.beside_whole_videos(runs, "FAC-Net", tmp_path)
    own = both[both.variant == claims.WHOLE]
    assert set(both.variant) == {"FAC-Net", claims.WHOLE}
    assert own.average.tolist() == own["0.3"].tolist() == [4.0, 3.0, 2.0, 1.0, 0.0]
    assert own.paper.isna().all()
    assert draws["FAC-Net"].tolist() == [5.0, 9.0]
    assert draws[claims.WHOLE].tolist() == pytest.approx([4.2, 7.8])
    (compared,) = claims.compare(both, read_claims("table2"), draws).itertuples()
    assert (compared.mean, compared.low, compared.high) == (1.0, 1.0, 1.0)
    assert (compared.same, compared.verdict) == (0, Verdict.HOLDS)


def test_all_that_has_run_is_judged_and_classification_by_the_runs_of_table_3():
    runs = {name: sweep_frame(name) for name in ("table3", "table4")}
    runs["table3"]["classification"] = -runs["table3"].average
    told = evidence.judged(runs, {})
    wanted = {name: {one.claim for one in read_claims(name)}
              for name in ("table3", "table4", "classification")}
    assert set(told.claim) == set.union(*wanted.values()) and told.claim.is_unique
    by_average = claims.judge(runs["table3"], read_claims("classification")).set_index("claim")
    assert (told.set_index("claim")["mean"][by_average.index] == -by_average["mean"]).all()
    few = runs["table4"][runs["table4"].variant.str.startswith("no such")]
    assert len(evidence.judged({"table4": few, "table3": runs["table3"]}, {})) == len(
        wanted["table3"] | wanted["classification"]), "of variants that have not run there is none"


SHOWN = sorted({name for path in ROOT.glob("notebooks/*.py")
                for name in re.findall(r'\bkept\("(\w+)"', path.read_text(encoding="utf-8"))})


@pytest.mark.parametrize("name", [*SHOWN, *evidence.MEASURES])
def test_what_a_chapter_shows_as_kept_is_there_and_nothing_runs(monkeypatch, name):
    monkeypatch.setattr(evidence, "load", None)
    assert "table3" in SHOWN and "lambda_cw" in SHOWN
    runs, draws, source = evidence.kept(name, *published.KEPT, 3, "results")
    assert len(runs) and (draws is None) == (name in evidence.NO_DRAWS)
    assert "python tests/keep_results.py" in source


def test_every_claim_is_a_row_of_each_data_set_with_a_verdict():
    three, four = (claims.judge(sweep_frame(name), read_claims(name))
                   for name in ("table3", "table4"))
    every = claims.every_claim({"here": pd.concat([three, four]), "there": three})
    without = claims.untested()
    assert len(every) == 2 * (len(three) + len(four) + len(without))
    assert not every.duplicated(["claim", "data"]).any()
    there = every[every.data == "there"].set_index("claim").verdict
    assert set(there[[*four.claim, *without.claim]]) == {Verdict.UNTESTED}
    assert there[three.claim].tolist() == three.verdict.tolist()
    tables = every["where"].str.startswith("Table")
    assert not tables[tables.argmin():].any()  # figures follow
