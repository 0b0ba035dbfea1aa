"""Sweeps: every cell is there, nothing runs twice, nothing is lost, and failures are said."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import copy_package, record, run_copy
from test_cli import facnet, fails

from facnet import experiment, training
from facnet.config import changed
from facnet.data import load
from facnet.errors import FacnetError
from facnet.evaluation import evaluate
from facnet.experiment import experiment_key
from facnet.files import write_json
from facnet.methods import preset
from facnet.profiles import profile
from facnet.study import published, records, tables
from facnet.study.grid import perfect_scores
from facnet.study.records import read_record, resampled_averages, weighted_averages
from facnet.study.separation import separation
from facnet.study.statistics import interval, readable, summary, verdict
from facnet.study.tables import sweep, variants

BASE = profile("smoke").apply(preset("released"))
TINY = replace(BASE, training=replace(BASE.training, epochs=1))


# ---------------------------------------------------------------- which experiments


def test_table3_has_the_papers_rows():
    cells = variants("table3", BASE)
    assert len(cells) == 20 and len({c.name for c in cells}) == 20
    assert [c.paper for c in cells] == published.table(3).average.tolist()
    full = cells[-1]
    assert full.name == "CW+CA+MIL, hybrid, BG" and full.experiment == BASE
    alone = cells[1].experiment  # CA alone, one temperature, no background
    assert (alone.training.lambda_cw, alone.training.lambda_ca, alone.training.lambda_mil) == (
        0, 1, 0)
    assert alone.model.temperatures == (1.0,) and not alone.model.background_class
    two = next(c for c in cells if c.name == "CW+MIL").experiment.training
    assert (two.lambda_cw, two.lambda_ca, two.lambda_mil) == (1.0, 0.0, 0.1)


def test_table4_has_nine_settings_of_four_columns():
    cells = variants("table4", BASE)
    assert len(cells) == 36
    printed = published.table(4).set_index("temperatures")
    for cell in cells:
        assert cell.paper == printed.loc[cell.place["temperatures"], cell.place["column"]]
        full = cell.place["column"] == "full"
        assert cell.experiment.model.background_class == full
        taus = " ".join(f"{t:g}" for t in cell.experiment.model.temperatures)
        assert taus == cell.place["temperatures"]
    assert sum(c.experiment == BASE for c in cells) == 1


def test_the_tables_share_what_coincides():
    three = {c.experiment for c in variants("table3", BASE)}
    four = {c.experiment for c in variants("table4", BASE)}
    # CW, CA and MIL alone and Full, each at (1) and at (1 2 5).
    assert len(three & four) == 8


def test_fig4_has_three_panels_with_one_weight_fixed():
    cells = variants("fig4", BASE)
    for main in ("cw", "ca", "mil"):
        panel = [c for c in cells if c.place["main"] == main]
        assert len(panel) == 9
        assert {c.place[f"lambda_{main}"] for c in panel} == {1.0}
        for cell in panel:
            for branch in ("cw", "ca", "mil"):
                key = f"lambda_{branch}"
                assert getattr(cell.experiment.training, key) == cell.place[key]
                assert 0.001 <= cell.place[key] <= 1


def test_an_unknown_sweep_gets_a_suggestion():
    with pytest.raises(FacnetError, match="Did you mean 'table3'"):
        variants("table33", BASE)
    with pytest.raises(FacnetError, match="table4 has no column 'ful'. Did you mean 'full'?"):
        variants("table4:ful", BASE)
    with pytest.raises(FacnetError, match="table3 has no column 'full'. Choose from: none."):
        variants("table3:full", BASE)
    for name in ("table1", "table5", "differences"):
        with pytest.raises(FacnetError, match=f"{name} has no column 'full'. Choose from: none."):
            variants(f"{name}:full", tables.base_of(f"{name}:full"))
    with pytest.raises(FacnetError, match="table4 has no column ''"):
        variants("table4:", BASE)


def test_a_sweep_may_be_of_one_column():
    whole, full = (variants(name, BASE) for name in ("table4", "table4:full"))
    assert len(full) == 9 and full == [one for one in whole if one.place["column"] == "full"]


def test_table2_is_fac_net_by_the_recipe_for_200_classes(tmp_path):
    base = tables.base_of("table2", "smoke", changes={"training.epochs": 1})
    (cell,) = variants("table2", base)
    assert cell.paper == 24.0 and cell.experiment.training.epochs == 1
    config, released = (preset(name).localization for name in ("activitynet", "released"))
    assert [t / 201 for t in config.thresholds] == pytest.approx([0.005, 0.01, 0.015, 0.02])
    assert config.class_threshold / 201 == pytest.approx(0.1)
    assert config.argmax_fallback and config.minimum_length == 2
    changed_too = {"thresholds", "class_threshold", "argmax_fallback", "minimum_length",
                   "extra_end_snippet"}
    assert {f for f, v in vars(config).items() if v != getattr(released, f)} == changed_too
    frame = sweep("table2", "synthetic-activitynet", "smoke", 1, tmp_path, base)
    assert frame.variant.unique().tolist() == ["FAC-Net"]
    assert [float(c) for c in frame if c.startswith("0.")] == pytest.approx(
        [0.5 + 0.05 * i for i in range(10)])
    with pytest.raises(FacnetError, match="table2 has recipes of its own"):
        tables.base_of("table2", "smoke", "paper")


# ---------------------------------------------------------------- records


@pytest.fixture(scope="module")
def data():
    return load("synthetic", "smoke")


def test_a_record_names_everything_and_is_plain_json(data):
    one = record(data, TINY)
    assert json.loads(json.dumps(one)) == one
    assert one["experiment"]["training"]["epochs"] == 1 and one["experiment"]["seed"] == 0
    assert one["dataset"]["fingerprint"] == data.fingerprint
    assert one["dataset"]["simulated"] and one["protocol"] == "released"
    assert set(one["versions"]) >= {"python", "torch", "numpy", "facnet"}
    assert one["average"] == pytest.approx(np.mean(one["mean_ap"]))
    assert list(one["ap"]) == list(data.classes)
    assert set(one["losses"]) == set(one["separation"]) == set(data.streams)
    assert len(one["losses"]["rgb"]["total"]) == 1
    assert all(0 <= area <= 1 for area in one["separation"].values())
    assert one["key"] == experiment_key(data.fingerprint, TINY)


def test_the_key_changes_with_everything_that_changes_results(data, monkeypatch):
    """Not with the device: what one has computed holds for all."""
    fingerprint = data.fingerprint
    keys = {
        experiment_key(fingerprint, TINY), experiment_key("other", TINY),
        experiment_key(fingerprint, replace(TINY, seed=1)),
        experiment_key(fingerprint, BASE), experiment_key(fingerprint, TINY, "thumos"),
        experiment_key(fingerprint, replace(
            TINY, localization=replace(TINY.localization, minimum_length=2))),
    }
    monkeypatch.setattr(experiment, "CODE", "of other code")
    keys.add(experiment_key(fingerprint, TINY))
    assert len(keys) == 7


# A sweep of one experiment in a copy of the package: its key, and how many were run for it.
ONE = """
from facnet.config import changed
from facnet.profiles import profile
from facnet.methods import preset
from facnet.study import records, tables

base = changed(profile("smoke").apply(preset()), {"training.epochs": 1})
ran, records_of = [], records.records_of
records.records_of = lambda *given: ran.append(given) or records_of(*given)
(key,) = tables.sweep("seeds", "synthetic", "smoke", 1, "records", base).key
print(key, len(ran))
"""


def test_an_edit_of_a_loss_trains_again_and_a_comment_or_its_undoing_does_not(tmp_path):
    copy_package(tmp_path)
    loss = "return -(normalised * torch.log_softmax(scores, dim=-1)).sum(-1)"
    (module,) = (one for one in (tmp_path / "facnet").glob("*.py") if loss in one.read_text())
    before = module.read_text()

    def after(old: str, new: str) -> tuple[str, int]:
        assert before.count(old) == 1
        module.write_text(before.replace(old, new))
        key, ran = run_copy(tmp_path, "-c", ONE).split()
        return key, int(ran)

    title = '"""Equations 6 and 12 before the mean over videos: -ŷ·log softmax(scores), ŷ = y / Σy.'
    first, ran = after(loss, loss)
    assert ran == 1
    assert after(loss, f"# why\n\n    {loss}  # so") == (first, 0)
    assert after(title, '"""Other words.') == (first, 0)
    other, ran = after(loss, loss.replace("-(", "-2 * ("))
    assert other != first and ran == 1
    assert after(loss, loss) == (first, 0)
    assert len(list((tmp_path / "records").glob("*.json"))) == 2


def test_the_number_of_threads_changes_nothing_and_is_left_as_it_was(data):
    # Large enough for two threads to add up in another order.
    wide = changed(TINY, {"model.embedding_widths": [256, 256], "training.snippets": 160,
                          "training.epochs": 5})
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = record(data, wide)
        torch.set_num_threads(2)
        result = experiment.run(data, wide, progress=False)
        again = record(data, wide)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert result.evaluation.average == one["average"]
    assert {stream: history.drop(columns="epoch").to_dict("list")
            for stream, history in result.histories.items()} == one["losses"]
    assert (again["losses"], again["resampled"]) == (one["losses"], one["resampled"])


def test_threads_of_one_process_do_not_mix_their_random_numbers(data):
    """As the threads of a Dask worker would."""
    experiments_ = [replace(TINY, seed=seed) for seed in (0, 1)]
    alone = [record(data, one)["losses"] for one in experiments_]
    with ThreadPoolExecutor(2) as pool:
        together = [one["losses"] for one in pool.map(lambda e: record(data, e), experiments_)]
    assert together == alone


@pytest.mark.parametrize("content", ["", '{"key": "x', '{"key": "other"}', "[]", "\x00\xff"])
def test_a_truncated_or_foreign_record_is_set_aside(data, tmp_path, content):
    key = experiment_key(data.fingerprint, TINY)
    (tmp_path / f"{key}.json").write_text(content)
    with pytest.warns(UserWarning, match=f"{key}.json is no record of this experiment"):
        assert read_record(tmp_path, key) is None
    assert (tmp_path / f"{key}.aside").read_text() == content
    assert not (tmp_path / f"{key}.json").exists()


def test_a_record_that_cannot_be_read_now_is_left_where_it_is(tmp_path, monkeypatch):
    (tmp_path / "k.json").write_text("{}")

    def stale(*arguments, **options):
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Path, "read_bytes", stale)
    monkeypatch.setattr(Path, "read_text", stale)
    with pytest.raises(FacnetError, match="k.json: cannot be read"):
        read_record(tmp_path, "k")
    assert [path.name for path in tmp_path.iterdir()] == ["k.json"]


def test_perfect_labels_separate_and_inverted_ones_collapse(data):
    scores = perfect_scores(data)
    assert separation(scores, data, BASE) == 1
    assert separation(replace(scores, activation=-scores.activation), data, BASE) == 0
    untold = replace(scores, activation=np.zeros_like(scores.activation))
    assert separation(untold, data, BASE) == 0.5


def test_resampled_test_videos_average_to_the_plain_result(data):
    """Weights stand for repeated videos: one draw is the same as an evaluation of copies."""
    result = experiment.run(data, BASE)
    averages = resampled_averages(result.evaluation, data, resamples=450)
    assert len(averages) == 450 and averages.std() > 0
    videos = data.subset("test")
    drawn = np.random.default_rng(0).multinomial(
        len(videos), np.full(len(videos), 1 / len(videos)), size=450)
    exact = weighted_averages(result.evaluation, data, drawn)
    np.testing.assert_allclose(averages, exact, rtol=0, atol=0.0005001)
    copies = [(v, f"{v} copy {i}") for v, n in zip(videos, drawn[0]) for i in range(n)]
    names = pd.DataFrame(copies, columns=["video", "copy"])

    def repeated(frame):
        return frame.merge(names, on="video").drop(columns="video").rename(
            columns={"copy": "video"})

    instances = repeated(data.instances_of("test"))
    again = evaluate(repeated(result.evaluation.detections), instances, "released",
                     classes=sorted(set(instances.label)))
    assert exact[0] == pytest.approx(again.average, abs=1e-9)


# ---------------------------------------------------------------- sweeps


@pytest.fixture
def small(monkeypatch):
    """Six rows of Table 3, one epoch each."""
    table3 = tables._table3

    def first_six(base):
        return table3(replace(base, training=replace(base.training, epochs=1)))[:6]

    monkeypatch.setitem(tables.SWEEPS, "table3", first_six)


def run_small(folder, **options):
    return sweep("table3", "synthetic", "smoke", seeds=2, folder=folder, **options)


def test_a_sweep_gives_a_tidy_frame_and_runs_once(small, tmp_path, monkeypatch):
    frame = run_small(tmp_path)
    assert len(frame) == 6 * 2 and not frame.duplicated(["variant", "seed"]).any()
    tious = [f"0.{tenth}" for tenth in range(1, 8)]
    assert frame[tious].mean(axis=1).tolist() == pytest.approx(frame.average.tolist())
    assert {"cw", "hybrid", "paper", "collapsed", "seconds"} <= set(frame)
    last = read_record(tmp_path, frame.key.iloc[-1])
    for stream in ("rgb", "flow"):
        assert frame[f"area {stream}"].iloc[-1] == last["separation"][stream]
        assert frame[f"loss {stream}"].iloc[-1] == last["losses"][stream]["total"][-1]
    monkeypatch.setattr(records, "records_of", None)
    pd.testing.assert_frame_equal(run_small(tmp_path), frame)
    assert len(list(tmp_path.iterdir())) == 12


def test_a_record_counts_whatever_device_made_it(small, tmp_path, monkeypatch):
    frame = run_small(tmp_path)
    for path in tmp_path.glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"device": "cuda"}))
    monkeypatch.setattr(records, "records_of", None)
    monkeypatch.setattr(tables, "usable", lambda device: device)
    for device in ("cpu", "cuda"):
        pd.testing.assert_frame_equal(run_small(tmp_path, device=device), frame)


def test_processes_give_what_one_process_gives(small, tmp_path, monkeypatch):
    # Workers are new processes that do not see the patched table: hand them the experiments only.
    serial, two = run_small(tmp_path / "1"), run_small(tmp_path / "2", jobs=2)
    pd.testing.assert_frame_equal(serial.drop(columns="seconds"), two.drop(columns="seconds"))


def test_the_command_line_sweeps_and_summarises(small, tmp_path):
    text = facnet("sweep", "table3", "--profile", "smoke", "--seeds", "2", "--results",
                  tmp_path / "records", "--out", tmp_path / "frame.csv")
    frame = pd.read_csv(tmp_path / "frame.csv", keep_default_na=False)
    assert len(frame) == 6 * 2
    row = next(line for line in text.splitlines() if line.startswith("CW, hybrid"))
    own = frame[frame.variant == "CW, hybrid"]
    assert row.split()[2:5] == ["34.6", "2", f"{own.average.mean():.4g}"]
    assert "AVG over tIoU 0.1 to 0.7 in percent on synthetic, profile smoke" in text


def test_a_failed_experiment_decides_the_exit_status(small, tmp_path, monkeypatch, capsys):
    def fail(*arguments):
        raise ArithmeticError("diverged")

    monkeypatch.setattr(records, "records_of", fail)
    error = fails(capsys, "sweep", "table3", "--profile", "smoke", "--seeds", "1",
                  "--results", tmp_path)
    assert "facnet: table3: 6 of 6 experiments failed, the first with ArithmeticError" in error


# ---------------------------------------------------------------- statistics


def test_the_interval_is_of_the_mean_and_pairs_take_out_what_seeds_share():
    rng = np.random.default_rng(0)
    seeds = rng.normal(30, 10, 30)
    frame = pd.DataFrame([
        {"variant": name, "seed": s, "average": value + shift, "paper": 40.0, "collapsed":
         "flow" if s == 3 and name == "a" else ""}
        for name, shift in (("a", 1.0), ("b", 0.0))
        for s, value in enumerate(seeds + (rng.normal(0, 0.5, 30) if name == "a" else 0))])
    mean, low, high = interval(seeds)
    assert low < mean < high
    assert high - low == pytest.approx(2 * 2.045 * seeds.std(ddof=1) / np.sqrt(30), rel=1e-3)
    table = summary(frame)
    assert list(table.index) == ["a", "b"] and table.collapsed.tolist() == [1, 0]
    assert table.n.tolist() == [30, 30]
    assert table.loc["b", ["mean", "low", "high"]].tolist() == [mean, low, high]
    assert np.isnan(interval([4.0])[1])


def test_the_interval_of_few_seeds_is_students():
    """Of 1, 2, ..., 5: s = √2.5, and t is 2.776 for four degrees of freedom."""
    assert interval(range(1, 6)) == pytest.approx(
        (3, 3 - 2.7764 / np.sqrt(2), 3 + 2.7764 / np.sqrt(2)), rel=1e-4)


NONE = (float("nan"), float("nan"))


@pytest.mark.parametrize("seeds, mean, intervals, said", [
    (5, 1, [(0.1, 1.9)], "holds"), (5, -1, [(-1.9, -0.1)], "fails"),
    (5, 1, [(-0.1, 2.1)], "open"), (5, 1, [(0.1, 1.9), NONE], "holds"),
    # Errors of two sources add up as squares: .6 and .8 to 1.
    (5, 1.01, [(0.41, 1.61), (0.21, 1.81)], "holds"),
    (5, 0.99, [(0.39, 1.59), (0.19, 1.79)], "open"),
    (5, -1.01, [(-1.61, -0.41), (-1.81, -0.21)], "fails"),
    (4, 1, [(0.9, 1.1)], "few seeds"), (1, 1, [NONE], "few seeds")])
def test_verdicts(seeds, mean, intervals, said):
    assert verdict(seeds, mean, *intervals) == said


def test_numbers_with_intervals_become_words():
    table = pd.DataFrame({
        "n": [3], "mean": [17.94], "low": [17.01], "high": [19.12], "gain": [1.2],
        "gain_low": [-0.31], "gain_high": [2.0], "video_low": [np.nan], "video_high": [np.nan],
        "paper": [np.nan], "word": ["flow"]})
    words = readable(table, signed=["gain"])
    assert words.to_dict("records") == [{
        "n": 3, "mean": "17.9 [17.0, 19.1]", "gain": "+1.2 [−0.3, +2.0]", "video": "", "paper": "",
        "word": "flow"}]
    assert readable(table[["paper", "mean"]], digits=2).iloc[0].tolist() == ["", "17.94"]


def test_a_failure_is_recorded_and_the_rest_goes_on(small, tmp_path, monkeypatch):
    def sometimes(data, experiments, protocol):
        if any(one.model.temperatures != (1.0,) and one.seed == 1 for one in experiments):
            raise ArithmeticError("diverged")
        return records_of(data, experiments, protocol)

    records_of = records.records_of
    monkeypatch.setattr(records, "records_of", sometimes)
    with pytest.raises(records.Failure, match="3 of 12 experiments failed, the first with"
                                             " ArithmeticError: diverged"):
        run_small(tmp_path)
    failed = sorted(tmp_path.glob("*.failed.json"))
    assert len(failed) == 3 and len(list(tmp_path.glob("*.json"))) == 12
    said = json.loads(failed[0].read_text())
    assert "ArithmeticError: diverged" in said["traceback"] and "seed=1" in said["experiment"]
    monkeypatch.setattr(records, "records_of", records_of)
    assert len(run_small(tmp_path)) == 6 * 2
    assert not list(tmp_path.glob("*.failed.json"))


SMALL = """
import os, sys, time
from dataclasses import replace
from functools import partial
from facnet.study import records, tables

table3, records_of = tables._table3, records.records_of
def first_six(base):
    return table3(replace(base, training=replace(base.training, epochs=1)))[:6]
def noted(*given):
    found = records_of(*given)
    with open(sys.argv[2] + ".log", "a") as log:
        log.writelines(one["key"] + "\\n" for one in found)
    return found
tables.SWEEPS["table3"], records.records_of = first_six, noted
folder, out, options = sys.argv[1], sys.argv[2], eval(sys.argv[3])
frame = tables.sweep("table3", "synthetic", "smoke", folder=folder, **{"seeds": 2, **options})
frame.to_json(out, orient="table", double_precision=15)
"""


def start_small(folder, out, **options) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", SMALL, str(folder), str(out), repr(options)],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            start_new_session=True)


def read_frame(out) -> pd.DataFrame:
    return pd.read_json(out, orient="table").drop(columns="seconds").reset_index(drop=True)


def expected_frame(frame) -> pd.DataFrame:
    return frame.drop(columns="seconds")


def same(a: pd.DataFrame, b: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(a, b, check_dtype=False, rtol=1e-12)


def wait_for(holds, process, seconds=60) -> None:
    until = time.monotonic() + seconds
    while not holds() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)


def test_ten_kills_at_random_moments_lose_and_leave_nothing(small, tmp_path):
    expected = expected_frame(sweep("table3", "synthetic", "smoke", 5, tmp_path / "undisturbed"))
    folder, out = tmp_path / "killed", tmp_path / "frame.json"
    rng = random.Random(0)
    counts = [0]
    for kill in range(10):
        process = start_small(folder, out, jobs=1 + kill % 2, seeds=5)
        # Not while it still imports: after one or two more records, at any moment of the next.
        goal = counts[-1] + rng.choice([1, 2])
        wait_for(lambda: len(list(folder.glob("[!.]*.json"))) >= goal, process)
        time.sleep(rng.uniform(0, 0.4))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        counts.append(len(list(folder.glob("[!.]*.json"))))
        for record_file in folder.glob("[!.]*.json"):
            json.loads(record_file.read_text())  # whole, at every moment
    assert all(a < b for a, b in zip(counts, counts[1:]))  # each went on where the last was killed
    key = next(folder.glob("[!.]*.json")).stem
    dead = subprocess.Popen(["true"])
    dead.wait()
    half = folder / f".{key}.json.{socket.gethostname()}.{dead.pid}"
    half.write_text('{"key": ')
    process = start_small(folder, out, seeds=5)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    same(read_frame(out), expected)
    assert len(list(folder.iterdir())) == 30 and not list(folder.glob(".*"))


def test_the_temporary_file_of_a_living_process_is_left_alone(small, tmp_path):
    living = tmp_path / f".other.json.{socket.gethostname()}.{os.getpid()}"
    living.write_text("{")
    run_small(tmp_path)
    assert living.exists()


def test_two_sweeps_at_once_share_a_folder(small, tmp_path):
    expected = expected_frame(run_small(tmp_path / "alone"))
    folder, outs = tmp_path / "shared", [tmp_path / f"{i}.json" for i in range(2)]
    first = start_small(folder, outs[0])
    wait_for(lambda: len(list(folder.glob("[!.]*.json"))) >= 3, first)
    second = start_small(folder, outs[1])
    for process in (first, second):
        said, _ = process.communicate(timeout=180)
        assert process.returncode == 0, said
    for out in outs:
        same(read_frame(out), expected)
    assert len(list(folder.iterdir())) == 12 and not list(folder.glob(".*"))
    ran = [set((tmp_path / f"{i}.json.log").read_text().split()) if
           (tmp_path / f"{i}.json.log").exists() else set() for i in range(2)]
    # What the first had finished before the second began, the second did not run.
    assert len(ran[0] | ran[1]) == 12 and len(ran[1]) <= 9


def test_a_worker_that_is_killed_is_replaced(small, tmp_path):
    expected = expected_frame(sweep("table3", "synthetic", "smoke", 5, tmp_path / "undisturbed"))
    folder, out = tmp_path / "killed", tmp_path / "frame.json"
    process = start_small(folder, out, jobs=2, seeds=5)
    wait_for(lambda: len(list(folder.glob("[!.]*.json"))) >= 1, process)
    workers = subprocess.run(["ps", "-ww", "-o", "pid=,args=", "--ppid", str(process.pid)],
                             capture_output=True, text=True).stdout.splitlines()
    workers = [int(line.split()[0]) for line in workers if "LokyProcess" in line]
    assert workers, "done before a worker could be killed"
    os.kill(workers[0], signal.SIGKILL)
    said, _ = process.communicate(timeout=180)
    assert process.returncode == 0, said
    same(read_frame(out), expected)


@pytest.mark.parametrize("deadly", ["0", "3", "6"])
def test_what_kills_its_worker_fails_alone(deadly, monkeypatch):
    """One of the tasks kills every process that takes it."""
    monkeypatch.setattr(records, "_attempt", partial(_deadly, deadly))
    found = list(records._here([{f"{i}": TINY} for i in range(7)], None, jobs=2))
    assert sorted(one["key"] for one in found) == list("0123456")
    assert [one["key"] for one in found if "traceback" in one] == [deadly]


def test_a_stack_that_kills_its_worker_is_tried_one_by_one(monkeypatch):
    monkeypatch.setattr(records, "_attempt", partial(_deadly, "2"))
    found = list(records._here([{"0": TINY, "1": TINY}, {"2": TINY, "3": TINY}], None, jobs=2))
    assert sorted(one["key"] for one in found) == list("0123")
    assert [one["key"] for one in found if "traceback" in one] == ["2"]


def test_a_sweep_trained_in_stacks_gives_what_it_gives_one_by_one(small, tmp_path, monkeypatch):
    """As on a GPU; computed on the CPU."""
    expected = run_small(tmp_path / "alone")
    sizes, fit_ = [], training._fit

    def on_cpu(data, stream, group, **options):
        sizes.append(len(group))
        return fit_(replace(data, device="cpu"), stream, group, **options)

    monkeypatch.setattr(training, "_fit", on_cpu)
    monkeypatch.setattr(tables, "usable", lambda device: device)
    monkeypatch.setattr(records, "load_once", lambda name, profile, fingerprint, device: replace(
        load(name, profile), device=device))
    found = run_small(tmp_path / "together", device="mps")
    assert max(sizes) > 1 and sum(sizes) == 2 * len(expected)
    assert found.key.tolist() == expected.key.tolist()
    np.testing.assert_allclose(found["area flow"], expected["area flow"], atol=1e-3)
    assert read_record(tmp_path / "together", found.key[0])["device"] == "mps"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="takes Linux's /proc")
def test_a_folder_that_takes_no_record_is_told_before_anything_runs(small, monkeypatch):
    monkeypatch.setattr(records, "records_of", lambda *arguments: pytest.fail("it ran"))
    with pytest.raises(FacnetError, match="/proc/.*: cannot be written"):
        run_small(Path("/proc/self"))


def _deadly(deadly: str, task: dict, place) -> list[dict]:
    if deadly in task:
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGKILL)
    return [{"key": key} for key in task]


def test_a_worker_with_other_data_is_told(small, tmp_path, monkeypatch):
    data = load("synthetic", "smoke")
    other = replace(data, read=lambda stream, video: data.read(stream, video) + 1)
    monkeypatch.setattr(records, "load_once", lambda *place: other)
    monkeypatch.setattr(records, "records_of", lambda *arguments: pytest.fail("it ran"))
    with pytest.raises(records.Failure, match="it is not the data set that the sweep was started"):
        run_small(tmp_path)


def test_a_class_without_test_instances_is_no_number_and_no_error(data, tmp_path):
    absent = data.classes[0]
    fewer = replace(data, instances=data.instances[data.instances.label != absent])
    one = record(fewer, TINY)
    write_json(tmp_path / f"{one['key']}.json", one)
    assert one["ap"][absent] == [None] * 7
    assert np.isfinite(one["average"])
    assert read_record(tmp_path, one["key"]) == one


def test_a_lost_worker_of_a_cluster_loses_nothing(small, tmp_path):
    """A scheduler and two workers on this machine; one worker is killed in the middle."""
    distributed = pytest.importorskip("distributed")
    expected = expected_frame(run_small(tmp_path / "serial"))
    address = tmp_path / "scheduler.json"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    processes = []

    def start(*arguments):
        log = open(tmp_path / f"{len(processes)}.log", "w")
        processes.append(subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=log, stderr=log, env=environment,
            cwd=tmp_path, start_new_session=True))
        return processes[-1]

    try:
        start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
              "--no-dashboard", "--scheduler-file", str(address))
        for _ in range(2):
            start("distributed.cli.dask_worker", "--scheduler-file", str(address), "--host",
                  "127.0.0.1", "--no-dashboard", "--no-nanny", "--nthreads", "1")
        until = time.monotonic() + 60
        while not address.exists() and time.monotonic() < until:
            time.sleep(0.1)
        scheduler = json.loads(address.read_text())["address"]
        client = distributed.Client(scheduler)
        client.wait_for_workers(2, timeout=60)
        folder, out = tmp_path / "cluster", tmp_path / "frame.json"
        sweeping = start_small(folder, out, scheduler=scheduler)
        wait_for(lambda: len(list(folder.glob("[!.]*.json"))) >= 3, sweeping)
        assert sweeping.poll() is None, "done before a worker could be killed"
        busy = {address for address, tasks in client.processing().items() if tasks}
        pids = client.run(os.getpid)
        client.close()
        assert busy, "no worker is at work"
        os.killpg(pids[busy.pop()], signal.SIGKILL)
        said, _ = sweeping.communicate(timeout=180)
        assert sweeping.returncode == 0, said
        same(read_frame(out), expected)
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
