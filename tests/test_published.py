"""The numbers typed from the paper are complete, agree with each other and with its text."""

import re
from pathlib import Path

import keep_results
import numpy as np
import pandas as pd
import pytest
from test_claims import sweep_frame

from facnet.config import changed
from facnet.errors import FacnetError
from facnet.study import evidence, published, tables
from facnet.study.published import table

BIBLIOGRAPHY = Path(__file__).parent.parent / "book" / "references.bib"
TIOUS = {
    1: ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"],
    2: ["0.5", "0.75", "0.95"],
    5: ["0.3", "0.7"],
}
BRANCHES = ["cw", "ca", "mil"]
COLUMNS = {
    1: ["supervision", "year", "method", "features", *TIOUS[1], "average", "key", "source"],
    2: ["method", "features", *TIOUS[2], "average", "key", "source"],
    3: [*BRANCHES, "hybrid", "background", "average", "source"],
    4: ["temperatures", *BRANCHES, "full", "source"],
    5: ["group", "method", *TIOUS[5], "average", "key", "source"],
}

NAMED_BY = {
    1: ["method"],
    2: ["method"],
    3: [*BRANCHES, "hybrid", "background"],
    4: ["temperatures"],
    5: ["method"],
}


def value(number: int, row: str, column: str) -> float:
    """One printed mAP in per cent."""
    return table(number).set_index(NAMED_BY[number][0])[column][row]


def ablation(branches: str, hybrid: bool, background: bool = False) -> float:
    """AVG of the one row of Table 3 with exactly these ticks; branches such as "cw ca"."""
    wanted = {branch: branch in branches.split() for branch in BRANCHES}
    wanted |= {"hybrid": hybrid, "background": background}
    rows = table(3).set_index(NAMED_BY[3])["average"]
    return rows[tuple(int(wanted[name]) for name in NAMED_BY[3])]


@pytest.mark.parametrize("number, rows", [(1, 22), (2, 10), (3, 20), (4, 9), (5, 9)])
def test_each_table_has_every_printed_row_once(number, rows):
    frame = table(number)
    assert list(frame.columns) == COLUMNS[number]
    assert len(frame) == rows
    assert not frame.duplicated(NAMED_BY[number]).any()
    assert set(frame["source"]) == {f"FAC-Net paper, Table {number}"}


def test_every_printed_number_is_a_percentage_with_one_decimal():
    for number in COLUMNS:
        printed = table(number).select_dtypes("float").stack().dropna()
        assert printed.between(0, 100, inclusive="neither").all()
        assert np.allclose(printed * 10, np.round(printed * 10), rtol=0, atol=1e-9)


def test_printed_averages_of_table_1_are_the_means_of_their_row():
    rows = table(1).dropna(subset=[*TIOUS[1], "average"])
    assert len(rows) == 14
    gap = (rows[TIOUS[1]].mean(axis=1) - rows["average"]).abs()
    assert (gap <= 0.05 + 1e-9).all(), rows.loc[gap > 0.05 + 1e-9, "method"].tolist()


@pytest.mark.parametrize("number", TIOUS)
def test_map_falls_as_the_tiou_rises(number):
    for _, row in table(number).iterrows():
        printed = row[TIOUS[number]].astype(float).dropna()
        assert (np.diff(printed) < 0).all(), row["method"]


def test_supervision_is_the_corrected_one():
    methods = table(1).groupby("supervision")["method"].agg(list)
    assert methods["full"] == ["R-C3D", "TAL-Net", "BSN", "GTAN"]
    assert methods["weak+"] == ["STAR (I3D)", "3C-Net (I3D)"]
    assert len(methods["weak"]) == 16


def test_features_are_those_in_the_name():
    for number in (1, 2):
        frame = table(number)
        in_name = frame["method"].str.extract(r"\((I3D|UNT)\)$")[0]
        assert frame["features"].fillna("").tolist() == in_name.fillna("").tolist()


def test_one_method_has_one_key():
    methods = pd.concat([table(1), table(2)])[["method", "key"]].drop_duplicates()
    assert methods["method"].is_unique
    hosts = table(5)["method"].str.extract(r"^(\S+)")[0] + " (I3D)"
    assert table(5)["key"].tolist() == hosts.map(methods.set_index("method")["key"]).tolist()


def test_years_are_those_of_the_keys():
    frame = table(1)
    dated = frame.dropna(subset=["year"])
    assert set(frame["key"]) - set(dated["key"]) == {"huang2021facnet"}
    in_key = dated["key"].str.extract(r"^[a-z]+(\d{4})")[0]
    assert in_key.astype(int).tolist() == dated["year"].tolist()


def test_every_key_is_in_the_bibliography():
    if not BIBLIOGRAPHY.is_file():
        pytest.skip("book/references.bib does not exist yet")
    entries = set(re.findall(r"^\s*@\w+\{([^,\s]+)", BIBLIOGRAPHY.read_text("utf-8"), re.MULTILINE))
    cited = set().union(*(table(number)["key"] for number in (1, 2, 5)))
    assert cited - entries == set()


def test_table_3_ends_at_the_rows_of_table_1():
    assert ablation("cw ca mil", hybrid=True, background=True) == 42.2
    assert value(1, "FAC-Net (I3D)", "average") == 42.2
    assert ablation("cw ca mil", hybrid=True) == 38.8
    assert value(1, "FAC-Net w/o BG (I3D)", "average") == 38.8


@pytest.mark.parametrize("temperatures, hybrid", [("1", False), ("1 2 5", True)])
def test_table_4_agrees_with_table_3(temperatures, hybrid):
    for branch in BRANCHES:
        assert value(4, temperatures, branch) == ablation(branch, hybrid)
    full = ablation("cw ca mil", hybrid, background=True)
    assert value(4, temperatures, "full") == full


def test_section_4_3_on_thumos14():
    """FAC-Net leads at most tIoUs and on average; without background it beats BM and BaS-Net."""
    weak = table(1).query("supervision == 'weak'").set_index("method")
    best = weak[[*TIOUS[1], "average"]].idxmax()
    assert best[best == "FAC-Net (I3D)"].index.tolist() == ["0.1", "0.2", "0.3", "0.4", "average"]
    for method in ("BM (I3D)", "BaS-Net (I3D)"):
        assert value(1, "FAC-Net w/o BG (I3D)", "average") > value(1, method, "average")


def test_section_4_3_on_activitynet():
    """FAC-Net surpasses R-C3D and TAL-Net by 11.3 and 3.8."""
    ours = value(2, "FAC-Net (I3D)", "average")
    assert ours - value(2, "R-C3D", "average") == pytest.approx(11.3)
    assert ours - value(2, "TAL-Net", "average") == pytest.approx(3.8)


def test_section_4_4_on_the_branches():
    """CW alone is the best branch, any two beat one, and CW lifts CA by 5.4 and MIL by 4.8."""
    single = {branch: ablation(branch, hybrid=False) for branch in BRANCHES}
    assert single == {"cw": 31.2, "ca": 30.5, "mil": 29.6}
    for pair in ("cw ca", "cw mil", "ca mil"):
        assert ablation(pair, hybrid=False) > max(single[branch] for branch in pair.split())
    assert ablation("cw ca", hybrid=False) - single["ca"] == pytest.approx(5.4)
    assert ablation("cw mil", hybrid=False) - single["mil"] == pytest.approx(4.8)


def test_section_4_4_on_hybrid_attention():
    """Hybrid attention helps every combination of branches, with and without a background."""
    by_ticks = table(3).pivot(index=[*BRANCHES, "background"], columns="hybrid", values="average")
    assert by_ticks.shape == (10, 2)
    assert (by_ticks[1] > by_ticks[0]).all()


def test_section_4_4_on_the_plug_in():
    """Table 5's gains in AVG; CW lifts mAP at both tIoUs too."""
    gains = {"STPN + Embedding": 1.7, "BM": 1.6, "W-TALC": 1.9, "UM": 0.4}
    for host, gain in gains.items():
        without = host if host == "STPN + Embedding" else f"{host} (reproduced)"
        for column in (*TIOUS[5], "average"):
            assert value(5, f"{host} + CW", column) > value(5, without, column)
        lift = value(5, f"{host} + CW", "average") - value(5, without, "average")
        assert lift == pytest.approx(gain)


def test_a_number_that_is_not_printed_is_nan():
    assert np.isnan(value(1, "W-TALC (I3D)", "average"))


def test_a_table_that_there_is_not_is_one_clear_line():
    with pytest.raises(FacnetError, match=r"table6.csv: no such file. Did you mean 'table\d'"):
        table(6)


def test_whole_videos_of_activitynet_are_what_its_annotations_count(reference):
    from count_activitynet13 import count

    counted = count(next((reference / "data" / "activitynet13").glob("*.json")))
    pd.testing.assert_frame_equal(
        counted, published.read("activitynet13_whole_videos"), check_exact=True)


def test_without_the_checkout_the_error_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr(published, "FOLDER", tmp_path)
    with pytest.raises(FacnetError, match=r"table1\.csv: no such file\..*pip install -e \."):
        table(1)


def test_what_the_field_reported_agrees_with_what_is_printed_elsewhere():
    field = published.read("field").set_index("method")
    assert field[["source", "venue", "kind"]].notna().all(axis=None)
    assert field.year.is_monotonic_increasing
    assert all(venue.endswith(str(year)) for venue, year in zip(field.venue, field.year))
    printed = table(1).set_index("method")
    for name in ("UM", "FAC-Net"):
        row = printed.loc[f"{name} (I3D)"]
        assert field.average[name] == row.average
        for column in ("0.1:0.5", "0.3:0.7"):
            first, last = (int(10 * float(end)) for end in column.split(":"))
            mean = row[[f"0.{tenth}" for tenth in range(first, last + 1)]].mean()
            assert abs(field.loc[name, column] - mean) <= 0.05 + 1e-9
    best = published.statement("PVLR at the best line of its log")
    assert round(best, 1) == field.average["PVLR"]
    assert published.read("reports").notna().all(axis=None)


def test_statements_have_sources():
    assert published.statement("default seed of the released code") == 15.7
    with pytest.raises(FacnetError, match="Did you mean 'released checkpoint'"):
        published.statement("released checkpont")
    frame = published.read("statements")
    assert frame.source.notna().all() and frame.average.between(0, 100).all()


def test_a_result_comes_with_its_command(tmp_path, monkeypatch):
    monkeypatch.setattr(published, "RESULTS", tmp_path)
    runs = sweep_frame("fig4")
    runs.to_csv(tmp_path / "fig4.csv", index=False)
    (tmp_path / "provenance.csv").write_text("file,what,command,revision,code\n")
    with pytest.raises(FacnetError, match="fig4.csv: the file or its row in provenance.csv"):
        published.result("fig4")
    monkeypatch.setattr(keep_results, "REVISION", "0012")
    keep_results.keep_result("fig4", runs, "synthetic data", "facnet sweep")
    keep_results.keep_result("a", runs[["seed"]], "other data", "facnet")
    read, said = published.result("fig4")
    pd.testing.assert_frame_equal(read, runs, check_dtype=False, rtol=1e-5)
    assert said == "synthetic data; `facnet sweep` at revision `0012`"
    assert published.result("a")[1] == "other data; `facnet` at revision `0012`"
    monkeypatch.setattr(published, "CODE", "of today")
    assert published.result("a")[1].endswith("; the code that computes it has changed since")


def test_draws_are_kept_packed_and_to_a_digit(tmp_path, monkeypatch):
    (tmp_path / "provenance.csv").write_text("file,what,command,revision,code\n")
    monkeypatch.setattr(published, "RESULTS", tmp_path)
    draws = pd.DataFrame({"CA, hybrid": [12.34, 5.0], "full": [1.25, 30.06]})
    keep_results.keep_result("a_draws", draws, "data", "facnet")
    assert (tmp_path / "a_draws.csv.xz").is_file() and not (tmp_path / "a_draws.csv").exists()
    pd.testing.assert_frame_equal(published.result("a_draws")[0], draws, rtol=0, atol=0.0501)


def test_an_edition_takes_the_place_of_what_is_kept(tmp_path, monkeypatch):
    (tmp_path / "provenance.csv").write_text("file,what,command,revision,code\n")
    for place, value in ((published, "RESULTS"), (keep_results, "FOLDER")):
        monkeypatch.setattr(place, value, tmp_path)
    monkeypatch.setattr(keep_results, "SEEDS", {"table4": 2, "fig6": 2, "table3": 2})
    monkeypatch.setattr(keep_results, "IN_AN_EDITION", {"table4": 1})
    table4 = tables._table4
    monkeypatch.setitem(tables.SWEEPS, "table4", lambda base: table4(changed(
        base, {"training.epochs": 1}))[2:5])  # of these the second is of column full
    smoke = {"dataset": "synthetic", "profile": "smoke", "seeds": 1, "folder": tmp_path}
    live, _, source = evidence.kept("table4:full", **smoke)
    assert "profile smoke" in source and "python" not in source
    keep_results.main("smoke", ["table4:full"])
    assert {"edition_table4.csv", "edition_table4_draws.csv.xz"} <= {*pd.read_csv(
        tmp_path / "provenance.csv").file}
    runs, draws, source = evidence.kept("table4", *published.KEPT, 5, tmp_path)
    assert runs.average.tolist() == pytest.approx(live.average.tolist(), rel=1e-5)
    assert runs.variant.tolist() == ["Full (1)"]
    assert len(draws) and "profile smoke, 1 seed" in source and "hours of cpu" in source
    assert "`python tests/keep_results.py smoke table4:full`" in source
    assert not (tmp_path / "edition_fig6.csv").exists()


@pytest.mark.parametrize("path", sorted(published.RESULTS.glob("*.csv*")), ids=lambda p: p.name)
def test_every_committed_result_can_be_read(path):
    if path.name == "provenance.csv":
        assert set(pd.read_csv(path).file) == {
            one.name for one in published.RESULTS.iterdir()} - {path.name}
        return
    frame, said = published.result(path.name.partition(".")[0])
    assert len(frame) and "at revision" in said
    if "seed" in frame:
        assert not frame.duplicated(["variant", "seed"]).any()
