"""The paper's claims name the right rows, and what is said of them follows from the numbers."""

from dataclasses import replace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from facnet.config import profile
from facnet.data import load
from facnet.errors import FacnetError
from facnet.experiment import RESULT_VERSION, stream_scores
from facnet.methods import preset
from facnet.study import claims, plots, published, statistics
from facnet.study.claims import Comparison
from facnet.study.grid import perfect_scores
from facnet.study.records import write_record
from facnet.study.separation import foreground_separation
from facnet.study.tables import base_of, variants

matplotlib.use("Agg")
BASE = profile("smoke").apply(preset("released"))
TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)


def frame_of(averages: dict[str, list[float]], **columns) -> pd.DataFrame:
    """A sweep's frame from AVG by variant and seed."""
    return pd.DataFrame([
        {"variant": name, "paper": 40.0, "seed": seed, "tiou": tiou, "average": value,
         "other_average": value / 2, "collapsed": "", "key": f"{name} {seed}", **columns}
        for name, values in averages.items() for seed, value in enumerate(values)
        for tiou in TIOUS])


def sweep_frame(name: str, seeds: int = 3) -> pd.DataFrame:
    """The frame of a whole sweep, its AVG drawn at random."""
    rng = np.random.default_rng(0)
    return pd.concat([
        frame_of({one.name: list(rng.uniform(10, 40, seeds))}, **one.place).assign(paper=one.paper)
        for one in variants(name, BASE)], ignore_index=True)


@pytest.mark.parametrize("table, wanted, count", [
    ("table3", claims.table3_claims(), 32), ("table4", claims.table4_claims(), 12)])
def test_every_claim_is_of_rows_that_exist_and_the_paper_keeps_it(table, wanted, count):
    compared = claims.compare(sweep_frame(table), wanted)
    assert len(compared) == count and not compared.duplicated(["claim", "name"]).any()
    assert (compared.paper > 0).all()
    named = {name for one in wanted for name in one.better + one.worse}
    assert named <= {one.name for one in variants(table, BASE)}


def test_the_gains_of_cw_are_those_that_the_text_prints():
    compared = claims.compare(sweep_frame("table3"), claims.table3_claims())
    gains = compared[compared.claim == "CW boosts each of the others"].set_index("name").paper
    assert gains.round(1).to_dict() == {"CW+CA over CA": 5.4, "CW+MIL over MIL": 4.8}


def test_pairs_of_table3_differ_in_what_they_are_named_for():
    """Hybrid attention and background class are compared between rows alike in all else."""
    place = {one.name: one.place for one in variants("table3", BASE)}
    for one in claims.table3_claims():
        (better,), (worse,) = one.better, one.worse
        changed = {k for k in place[better] if place[better][k] != place[worse][k]}
        if one.claim.startswith("Hybrid"):
            assert changed == {"hybrid"} and place[better]["hybrid"]
        elif one.claim.startswith("The background"):
            assert changed == {"background"} and place[better]["background"]
        else:
            assert changed <= {"cw", "ca", "mil"}


def test_a_comparison_is_paired_by_seed_and_needs_both_intervals():
    frame = frame_of({"a": [11.0, 31.0, 21.0], "b": [10.0, 30.0, 20.0]})
    wanted = [Comparison("a is better", "a over b", ("a",), ("b",))]
    alone = claims.compare(frame, wanted).iloc[0]
    assert alone["mean"] == alone.low == alone.high == 1.0 and alone.n == 3
    assert alone.verdict == "holds" and alone.paper == 0.0 and np.isnan(alone.video_low)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 5, 200)
    sure = pd.DataFrame({"a": noise + 1 + rng.normal(0, 0.1, 200), "b": noise})
    assert claims.compare(frame, wanted, sure).verdict.item() == "holds"
    unsure = pd.DataFrame({"a": rng.normal(1, 5, 200), "b": noise})
    one = claims.compare(frame, wanted, unsure).iloc[0]
    assert one.video_low < 0 < one.video_high
    assert one.verdict == "not resolved with n = 3 seeds"
    single = claims.compare(frame[frame.seed == 0], wanted, sure).iloc[0]
    assert single.verdict == "not resolved with n = 1 seed"


def test_of_several_variants_the_mean_is_compared_and_a_share_asks_for_less():
    frame = frame_of({"a": [10.0, 12.0], "b": [20.0, 22.0], "c": [16.0, 18.0]})
    both, share = claims.compare(frame, [
        Comparison("", "mean", ("a", "b"), ("c",)),
        Comparison("", "share", ("a",), ("c",), paper=np.nan, share=0.5)]).itertuples()
    assert both.mean == -1.0 and share.mean == 11.0 - 8.5 and np.isnan(share.paper)


def test_a_seed_without_its_pair_does_not_count():
    frame = frame_of({"a": [10.0, 20.0, 90.0], "b": [9.0, 19.0]})
    one = claims.compare(frame, [Comparison("", "", ("a",), ("b",))]).iloc[0]
    assert one.n == 2 and one["mean"] == 1.0


def test_every_claim_is_judged_by_its_mean_and_one_of_each_says_if_some_do_not_hold():
    frame = frame_of({"a": [5.0, 6.0, 7.0], "b": [1.0, 2.0, 3.0], "c": [9.0, 1.0, 8.0],
                      "d": [6.0, 7.0, 8.0]})

    def of_claim(claim, *pairs):
        return [Comparison(claim, f"{x} over {y}", (x,), (y,), each=claim != "mean")
                for x, y in pairs]

    table = claims.claims(frame, [
        *of_claim("all", ("a", "b")), *of_claim("most", ("a", "b"), ("a", "d")),
        *of_claim("none", ("b", "a"), ("a", "d")), *of_claim("open", ("a", "c")),
        *of_claim("one open", ("a", "b"), ("d", "b"), ("c", "b")),
        *of_claim("mean", ("a", "b"), ("a", "d"))]).set_index("claim")
    assert table.verdict.to_dict() == {
        "all": "holds", "most": claims.AVERAGE_ONLY, "none": "does not hold",
        "open": "not resolved with n = 3 seeds", "one open": claims.AVERAGE_ONLY, "mean": "holds"}
    assert table.loc["most", ["comparisons", "holds", "fails", "open"]].tolist() == [2, 1, 1, 0]
    assert table.loc["all", "mean"] == 4.0 and table.loc["most", "mean"] == 1.5
    assert claims.outcome(table.reset_index()) == (
        "**Held here:** all; mean. **Held on average, not in each:** most; one open."
        " **Did not hold:** none. **Not resolved:** open.")
    words = claims.readable_claims(table.reset_index(), table.reset_index())
    assert words.each.tolist() == [
        "1 hold of 1", "1 hold, 1 do not of 2", "2 do not of 2", "1 open of 1",
        "2 hold, 1 open of 3", "1 hold, 1 do not of 2"]
    assert words["full size, verdict"].tolist() == table.verdict.tolist()
    assert "in about 3 of these 11 comparisons" in claims.by_chance(table)
    assert claims.by_chance(claims.claims(frame[frame.seed == 0], of_claim("a", ("a", "b")))) == ""


def test_a_model_is_no_comparison_with_itself_and_does_not_count():
    frame = frame_of({"a": [5.0, 6.0, 7.0], "b": [1.0, 2.0, 3.0], "again": [5.0, 6.0, 7.0]})
    frame.key = frame.key.str.replace("again", "a")  # one model under two names
    wanted = [Comparison("best", f"a over {x}", ("a",), (x,), 2.0, each=True)
              for x in ("b", "again")]
    compared = claims.compare(frame, wanted)
    assert compared.verdict.tolist() == ["holds", claims.UNTOLD]
    assert compared.same.tolist() == [0, 3]
    table = claims.claims(frame, wanted)
    assert table["mean"].item() == 4.0 and table.verdict.item() == "holds where it can be told"
    assert claims.outcome(table) == "**Held where it can be told:** best."
    assert claims.readable_claims(table).each.item() == "1 hold, 1 cannot be told of 2"
    alone = claims.claims(frame, wanted[1:])
    assert claims.outcome(alone) == "**Cannot be told:** best."


def test_a_difference_that_the_paper_bounds_from_below_is_printed_so():
    frame = frame_of({"a": [5.0, 6.0], "b": [1.0, 2.0]})
    table = claims.claims(frame, [Comparison("big", "", ("a",), ("b",), 34.0, at_least=True)])
    assert claims.readable_claims(table).paper.item() == ">34"


def test_each_claim_comes_with_the_sentence_and_its_reading():
    full = sweep_frame("table3")
    full = full[full.variant == "CW+CA+MIL, hybrid, BG"]
    _, weights = claims.fig4_claims(sweep_frame("fig4"), full)
    for wanted in (claims.table3_claims(), claims.table4_claims(), claims.table5_claims(), weights):
        table = claims.said_by_the_paper(wanted)
        assert table.claim.tolist() == list(dict.fromkeys(one.claim for one in wanted))
    assert "95 % of the full model's AVG" in " ".join(
        claims.said_by_the_paper(weights)["compared here"])


def test_rows_stand_behind_the_reference():
    frame = frame_of({"a": [10.0, 12.0, 11.0], "full": [20.0, 24.0, 19.0]})
    table = claims.rows(frame, "full")
    assert table.loc["a", "behind"] == 10.0 and table.loc["a", "verdict"] == "holds"
    assert np.isnan(table.loc["full", "behind"])
    words = claims.readable_rows(table, "full", large=frame[frame.variant == "a"])
    assert words.loc["a", "here"] == "11.0 [10.0, 12.0]" == words.loc["a", "full size"]
    assert words.loc["a", "behind full"] == "+10.0 [+8.0, +12.0]"
    assert words.loc["full", ["behind full", "full size", "verdict"]].tolist() == ["", "", ""]
    frame.loc[(frame.variant == "a") & (frame.seed < 2), "collapsed"] = "rgb"
    frame.loc[(frame.variant == "a") & (frame.seed == 1), "collapsed"] = "rgb+flow"
    words = claims.readable_rows(claims.rows(frame, "full"), "full")
    assert words.collapsed.to_dict() == {"a": "2 of 3: flow 1, rgb 2", "full": "0 of 3"}


def test_more_seeds_of_the_reference_move_what_is_behind_it():
    table = claims.rows(frame_of({"a": [30.0] * 3, "b": [18.0] * 3, "full": [40.0] * 3}), "full")
    many = frame_of({"released": [20.0, 30.0] * 4})
    many.loc[many.seed < 3, "collapsed"] = "rgb"
    said = claims.of_many_seeds(table, "full", many)
    assert "Over 8 seeds the full model has an AVG of 25.0 [" in said and "in 3 of them" in said
    assert "move by −15.0, and 1 of these 2 rows would be above it instead of 0." in said


def test_the_best_variant_is_chosen_on_other_seeds():
    frame = frame_of({"a": [50.0, 10.0, 10.0], "b": [20.0, 20.0, 20.0]})
    best = claims.best_by_other_seeds(frame, ["a", "b"], "best").drop_duplicates("seed")
    # For seed 0 the others say b; for seeds 1 and 2 the outlier says a.
    assert best.set_index("seed").average.to_dict() == {0: 20.0, 1: 10.0, 2: 10.0}
    assert set(best.variant) == {"best"} and best.paper.isna().all()
    assert best.key.tolist() == ["b 0", "a 1", "a 2"]
    alone = claims.best_by_other_seeds(frame[frame.seed == 0], ["a", "b"], "best")
    assert alone.average.unique().tolist() == [50.0]


def test_fig4_is_asked_what_the_text_says_of_it():
    full = sweep_frame("table3")
    full = full[full.variant == "CW+CA+MIL, hybrid, BG"]
    frame, wanted = claims.fig4_claims(sweep_frame("fig4"), full)
    compared = claims.compare(frame, wanted)
    assert compared.mean(numeric_only=True)["n"] == 3
    small = compared[compared.claim.str.startswith("Small")]
    assert small.paper.tolist() == [34.0] and small.at_least.all()
    assert wanted[0].worse == ("CW 1, CA 0.001, MIL 0.001",)
    large = [one for one in wanted if one.claim.startswith("Large")]
    assert len(large) == 3
    assert {one.share for one in large} == {40.0 / 42.2}
    auxiliary = [one for one in wanted if one.claim.startswith("CW helps as")]
    assert all(len(one.better) == len(one.worse) == len(large) for one in auxiliary)


def test_resampled_is_the_mean_over_seeds_of_what_the_records_hold(tmp_path):
    frame = frame_of({"a": [1.0, 2.0], "b": [3.0, 4.0]})
    for i, key in enumerate(frame.key.unique()):
        write_record(tmp_path, {"key": key, "result_version": RESULT_VERSION,
                                "resampled": [i, 10.0 * i]})
    draws = claims.resampled(frame, tmp_path)
    assert draws.to_dict("list") == {"a": [0.5, 5.0], "b": [2.5, 25.0]}


def test_whole_videos_stand_beside_a_variant_seed_by_seed(tmp_path):
    frame = frame_of({"FAC-Net": [5.0, 7.0], "other": [1.0, 1.0]})
    for i, key in enumerate(frame.key.unique()):
        write_record(tmp_path, {
            "key": key, "result_version": RESULT_VERSION, "resampled": [5.0, 7.0 + i],
            "whole_video": {"average": 4.0 - i, "mean_ap": [4.0 - i] * len(TIOUS),
                            "resampled": [1.0, 3.0]}})
    both, draws = claims.beside_whole_videos(frame, "FAC-Net", tmp_path)
    own = both[both.variant == claims.WHOLE]
    assert set(both.variant) == {"FAC-Net", claims.WHOLE}
    assert own.average.tolist() == own.mean_ap.tolist() == [4.0] * len(TIOUS) + [3.0] * len(TIOUS)
    assert own.paper.isna().all()
    assert draws.to_dict("list") == {"FAC-Net": [5.0, 7.5], claims.WHOLE: [1.0, 3.0]}
    (compared,) = claims.compare(both, claims.table2_claims(), draws).itertuples()
    assert (compared.mean, compared.low, compared.high) == (2.5, 1.0, 4.0)
    assert (compared.same, compared.verdict) == (0, "holds")


def test_caution_grows_as_seeds_get_few():
    assert "nothing is resolved" in claims.caution(1)
    assert "agree on its sign in 25 % of all cases" in claims.caution(3)
    assert "20 seeds" in claims.caution(20)
    assert "test videos" in claims.caution(2) and "test videos" not in claims.caution(2, False)


def test_perfect_labels_separate_the_foreground():
    data = load("synthetic", "smoke")
    scores = perfect_scores(data)
    inside = scores.activation[:, : len(data.classes)].max(1)  # of any class
    assert foreground_separation(replace(scores, foreground=inside), data) == 1
    assert foreground_separation(replace(scores, foreground=-inside), data) == 0
    areas = claims.separations(
        data, {"good": [replace(scores, foreground=inside)] * 2,
               "bad": [replace(scores, foreground=-inside, activation=-scores.activation)] * 2},
        BASE)
    assert areas.groupby("model").foreground.mean().to_dict() == {"bad": 0, "good": 100}
    table = claims.gains(areas, {"goodness": ("bad", "good")})
    assert table["of"].tolist() == ["foreground", "sequence"]
    assert table.verdict.tolist() == ["holds", ""]
    unjudged = claims.gains(areas, {"goodness": ("bad", "good")}, untrained=["bad"])
    assert unjudged.verdict.tolist() == ["not applicable", ""]
    assert table.difference.tolist() == ["+100.0 [+100.0, +100.0]"] * 2


def test_the_seed_to_show_is_the_one_of_median_area():
    areas = pd.DataFrame({"model": list("aaabb"), "seed": [0, 1, 2, 0, 1],
                          "foreground": [60.0, 70.0, 80.0, 50.0, 51.0],
                          "sequence": [90.0, 40.0, 70.0, 45.0, 48.0]})
    shown = claims.typical_seeds(areas)
    assert shown.seed.to_dict() == {"a": 2, "b": 0}
    assert shown.label.tolist() == ["a\nseed 2: 80 | 70", "b\nseed 0: 50 | 45\n(collapsed)"]


def test_half_the_surplus_of_single_branches_is_what_the_rows_of_table3_give():
    frame = sweep_frame("table3")
    mean = frame.groupby("variant").average.mean()
    gains = {name: mean[f"{name}, hybrid"] - mean[name] for name in ("CW", "CA", "MIL")}
    others = [mean[one.better[0]] - mean[one.worse[0]] for one in claims.table3_claims()
              if one.claim.startswith("Hybrid") and "+" in one.worse[0]]
    assert len(others) == 7
    (row,) = claims.claims(frame, claims.single_claims()).itertuples()
    assert row.mean == pytest.approx((np.mean(list(gains.values())) - np.mean(others)) / 2)


def test_claims_of_other_sweeps_name_their_rows():
    def named(comparisons):
        return {name for one in comparisons for name in one.better + one.worse}

    table1 = {one.name for one in variants("table1", base_of("table1", "smoke"))}
    assert named(claims.table1_claims()) == table1
    table3 = {one.name for one in variants("table3", BASE)}
    assert named(claims.mil_claims()) | named(claims.foreground_claims()) <= table3
    pairs = {(one.worse[0], one.better[0]) for one in claims.foreground_claims()}
    assert pairs & set(claims.FIG5.values()) == {
        pair for name, pair in claims.FIG5.items() if name.startswith("CA")}


def test_foreground_areas_are_those_of_the_named_models(tmp_path):
    data = load("synthetic", "smoke")
    (one,) = [c for c in claims.foreground_claims() if "Fig. 6" in claims.SAID[c.claim][2]]
    base = replace(BASE, training=replace(BASE.training, epochs=0))
    areas = claims.foreground_areas(data, [one], base, 2, tmp_path)
    assert areas.variant.unique().tolist() == ["CW+CA+MIL, hybrid, BG", "CW+CA+MIL, BG"]
    scores = stream_scores(data, replace(base, seed=1), data.streams[-1])
    assert areas.average.iloc[1] == 100 * foreground_separation(scores, data)


def test_agreement_is_compared_over_streams_and_by_both_measures(tmp_path):
    frame = frame_of({"FAC-Net": [1.0, 1.0], "STPN": [1.0, 1.0], "UM": [1.0, 1.0]})
    for key in frame.key.unique():
        rank = 0.5 if key.startswith("FAC-Net") else 0.1
        write_record(tmp_path, {"key": key, "result_version": RESULT_VERSION, "consistency": {
            stream: {"rank_correlation": rank + more, "support_tiou": 0.2}
            for stream, more in (("rgb", 0.0), ("flow", 0.2))}})
    compared = claims.compare(*claims.fig1_claims(frame, tmp_path))
    assert compared.name.tolist() == ["rank correlation", "tIoU of supports"]
    assert compared["mean"].round(9).tolist() == [40.0, 0.0]
    words = claims.consistencies(frame, tmp_path).iloc[1]
    assert words.tolist() == ["FAC-Net", "flow", "0.70 [0.70, 0.70]", "0.20 [0.20, 0.20]"]


def test_every_claim_is_a_row_of_each_data_set_with_a_verdict():
    three, five = (claims.claims(sweep_frame(name), wanted) for name, wanted in (
        ("table3", claims.table3_claims()), ("table4", claims.table4_claims())))
    every = claims.every_claim({"here": pd.concat([three, five]), "there": three})
    asked, without = every.dropna(subset="n"), claims.untested()
    assert len(every) == 2 * (len(three) + len(five) + len(without))
    assert not every.duplicated(["claim", "data"]).any()
    assert set(every.verdict) <= set(plots.MARKS)
    there = every[every.data == "there"].set_index("claim").verdict
    assert set(there[[*five.claim, *without.claim]]) == {claims.UNTESTED}
    assert there[three.claim].tolist() == claims.short(three.verdict).tolist()
    tables = every.printed.str.startswith("Table")
    assert every.printed[tables].is_monotonic_increasing
    assert not tables[tables.argmin():].any()  # figures follow
    words = claims.readable_every(every)
    assert words.claim.is_unique and len(words) == every.claim.nunique()
    row = three.iloc[0]
    assert words.set_index("claim").there[row.claim] == (
        f"{statistics.cell(row['mean'], row.low, row.high, sign=True)};"
        f" {row.verdict.partition(' with n')[0]}, n = 3; each:"
        f" {claims.readable_claims(three).each[0]}")
    figure = plots.verdicts(every)
    assert len([line for line in figure.axes[0].lines if len(line.get_xdata()) == 1]) == len(every)
    assert len(asked) == 2 * len(three) + len(five)
    plt.close(figure)


def test_what_cannot_be_tested_says_why_and_prints_what_the_paper_does():
    table = claims.untested().set_index("claim")
    assert (table.why != "").all() and not set(table.index) & set(claims.SAID)
    assert table.paper["FAC-Net's AVG on THUMOS14"] == "42.2"
    assert "+11.3, +3.8" in set(table.paper)


def test_what_the_field_reported_agrees_with_what_is_printed_elsewhere():
    field = published.field().set_index("method")
    assert (field[["source", "key", "venue"]] != "").all(axis=None)
    assert field.year.is_monotonic_increasing
    assert all(venue.endswith(str(year)) for venue, year in zip(field.venue, field.year))
    printed = published.table(1).set_index("method")
    for name in ("UM", "FAC-Net"):
        row = printed.loc[f"{name} (I3D)"]
        assert field.average[name] == row.average
        for column in ("0.1:0.5", "0.3:0.7"):
            first, last = (int(10 * float(end)) for end in column.split(":"))
            mean = row[[f"0.{tenth}" for tenth in range(first, last + 1)]].mean()
            assert abs(field.loc[name, column] - mean) <= 0.05 + 1e-9
    best = published.statement("PVLR at the best line of its log")
    assert round(best, 1) == field.average["PVLR"]
    assert published.reports().notna().all(axis=None)


def test_other_numbers_stand_in_the_row_of_their_method():
    field = published.field()
    other = pd.DataFrame({"method": ["RSKP"], "average": [40.5], "what": ["a user's run"]})
    axes = plots.reported(field, other).axes[0]
    row = field.method.tolist().index("RSKP")
    marked = [(line.get_xdata()[0], line.get_ydata()[0]) for line in axes.lines]
    assert (40.5, row) in marked and (field.average[row], row) in marked
    starred = [label.get_text() for label in axes.get_yticklabels() if "*" in label.get_text()]
    assert starred == ["P-MIL, CVPR 2023*", "PVLR, MM 2024*"]
    plt.close("all")


def test_statements_have_sources():
    assert published.statement("default seed of the released code") == 15.7
    with pytest.raises(FacnetError, match="Did you mean 'released checkpoint'"):
        published.statement("released checkpont")
    frame = published._read("statements")
    assert frame.source.notna().all() and frame.average.between(0, 100).all()


def test_a_result_comes_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "RESULTS", tmp_path)
    frame = sweep_frame("table4")
    frame.to_csv(tmp_path / "table4_full.csv", index=False)
    (tmp_path / "provenance.csv").write_text("file,what,command,revision\n")
    with pytest.raises(FacnetError, match="table4_full.csv: the file or its row in provenance.csv"):
        published.result("table4_full")
    published.write_result("table4_full", frame, "synthetic data", "facnet sweep", "0012")
    published.write_result("a", frame[["seed"]], "other data", "facnet", "0013")
    read, said = published.result("table4_full")
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)
    assert said == "synthetic data; `facnet sweep` at revision `0012`"
    assert published.result("a")[1] == "other data; `facnet` at revision `0013`"


def test_figures_of_sweeps_show_every_run():
    three, four = sweep_frame("table3"), sweep_frame("table4")
    fell = three.variant == "CW"
    three.loc[fell, "collapsed"] = "flow"
    strip = plots.strip(three)
    points = [line for line in strip.axes[0].lines if line.get_marker() == "o"]
    assert sum(len(line.get_xdata()) for line in points) == 20 * 3
    hollow = [line for line in points if line.get_markerfacecolor() == "white"]
    assert sum(len(line.get_xdata()) for line in hollow) == 3
    panels = plots.strip(four, panel="column", label="temperatures")
    assert [axes.get_title() for axes in panels.axes] == ["CW", "CA", "MIL", "Full"]
    assert len(panels.axes[0].get_yticklabels()) == 9
    compared = claims.compare(three, claims.table3_claims())
    groups = plots.differences(compared)
    assert sum(len(axes.get_yticks()) for axes in groups.axes) == 32
    maps = plots.lambda_maps(sweep_frame("fig4"))
    assert [len(axes.texts) for axes in maps.axes] == [9] * 3 + [0]
    plt.close("all")


def test_a_map_of_lambda_has_each_value_in_its_place():
    frame = sweep_frame("fig4", seeds=1)
    axes = plots.lambda_maps(frame).axes[2]  # MIL main: CW across, CA up
    one = frame[(frame.main == "mil") & (frame.lambda_cw == 1) & (frame.lambda_ca == 0.001)]
    assert axes.get_xlabel() == "$λ_{CW}$" and axes.get_ylabel() == "$λ_{CA}$"
    (text,) = [t for t in axes.texts if t.get_position() == (2, 0)]
    assert text.get_text() == f"{one.average.iloc[0]:.0f}\n0/1"
    plt.close("all")
