"""The study of SHREC'21: complete, and the same from its files; no test recording chooses."""

import re
from dataclasses import replace

import pandas as pd
import pytest
import study_shrec21
from study_shrec21 import COMMAND, write_study
from test_shrec21 import Made, hand, published as as_published

from facnet.config import changed
from facnet.importers.shrec21 import import_shrec21
from facnet.methods import preset
from facnet.profiles import PROFILES
from facnet.study import published, tables
from facnet.study.gestures import SEEDS, read_study, run_study
from facnet.study.records import REVISION
from facnet.study.tables import BRANCHES, base_of, chosen_lambdas, variants


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """A data set of ten training and four test recordings of a made-up hand."""
    folder = tmp_path_factory.mktemp("gestures")
    made = {str(n): Made(
        "training" if n < 10 else "test",
        [["TAP", 40, 60], ["OK", 100, 250]] if n % 2 else [["V", 30, 90], ["TAP", 150, 180]],
        hand(n, 300)) for n in range(14)}
    import_shrec21(as_published(folder / "shrec", made), folder / "out")
    return folder / "out"


def test_the_weights_are_those_that_classify_held_out_videos_best_whatever_the_test_says():
    runs = [(cw, ca, seed, held, average) for cw, ca, held, average in (
        (0.0, 1.0, 90.0, 1.0), (0.1, 1.0, 80.0, 2.0), (1.0, 0.1, 60.0, 99.0))
        for seed in range(2)]
    frame = pd.DataFrame(runs, columns=[
        "lambda_cw", "lambda_ca", "seed", "held_out_classification", "average"])
    frame = frame.assign(lambda_mil=1.0, variant=frame.lambda_cw.astype(str))
    assert chosen_lambdas(frame) == {
        "training.lambda_cw": 0.1, "training.lambda_ca": 1.0, "training.lambda_mil": 1.0}


def test_every_choice_of_weights_holds_videos_out_and_has_one_weight_of_1():
    cells = variants("weights", base_of("weights", "smoke", "shrec21"))
    weights = [tuple(cell.place.values()) for cell in cells]
    assert len(set(weights)) == 10 and all(max(w) == 1 for w in weights)
    assert (1.0, 0.1, 0.1) in weights  # the released ones
    assert {cell.experiment.training.held_out for cell in cells} == {0.2}


def test_the_comparison_changes_one_thing_at_a_time():
    base = changed(preset(), {"training.lambda_cw": 0.1, "training.lambda_ca": 1.0})
    named = {cell.name: cell.experiment for cell in variants("multilabel", base)}
    assert named["λ chosen"] == base
    assert named["λ as released"] == preset("released")
    for name in ("λ as released", "λ chosen"):
        assert changed(named[f"{name}, a sigmoid a class"],
                       {"training.cw_classes": "softmax"}) == named[name]
    assert named["λ chosen, without CW"].training.lambda_cw == 0
    assert changed(named["frame-supervised"], {"training.supervision": "video"}) == base


def test_the_study_runs_and_is_read_as_it_was_written(recordings, tmp_path, monkeypatch):
    own = preset("shrec21")
    short = replace(PROFILES["smoke"], epochs=2 / own.training.epochs,
                    width=8 / own.model.embedding_widths[0], snippets=16)
    for name in ("smoke", "half"):  # the latter for the picture of a recording
        monkeypatch.setitem(PROFILES, name, short)
    monkeypatch.setattr(tables, "WEIGHTS", (0.1,))
    study = run_study(recordings, tmp_path / "records", "smoke", dict.fromkeys(SEEDS, 1))
    assert set(study.frames) == set(SEEDS)
    assert study.frames["multilabel"].variant.nunique() == 7
    assert set(study.draws) == set(SEEDS) - {"weights"}
    assert list(study.draws["table3"]) == list(study.frames["table3"].variant.unique())
    assert {"loss motion", "area pose"} <= set(study.frames["multilabel"])
    (tmp_path / "provenance.csv").write_text("file,what,command,revision,code\n")
    monkeypatch.setattr(published, "RESULTS", tmp_path)
    write_study(study)
    again = read_study()
    for name, source in study.sources.items():
        assert source.replace("**", "").removesuffix(".") in again.sources[name]
        short = re.sub("^([0-9a-f]{12})[0-9a-f]{28}", r"\1", REVISION)
        assert again.sources[name].endswith(f"; `{COMMAND}` at revision `{short}`")
    for name, frame in study.frames.items():
        pd.testing.assert_frame_equal(again.frames[name], frame.reset_index(drop=True),
                                      check_dtype=False, rtol=1e-4)
    for name, frame in study.draws.items():
        pd.testing.assert_frame_equal(again.draws[name], frame, rtol=0, atol=0.0501)
    monkeypatch.setattr(study_shrec21, "RECORDS", tmp_path / "pictures")
    study_shrec21.keep_recording(str(recordings), study)
    picture = (tmp_path / "shrec21_recording.svg").read_text("utf-8")
    for label in ("OK", "TAP"):  # what the last of the test recordings shows
        assert f'id="detections of {label}"' in picture
    assert "shrec21_recording.svg" in (tmp_path / "provenance.csv").read_text("utf-8")


def test_the_books_own_run_is_whole():
    study = read_study()
    for name, seeds in SEEDS.items():
        frame = study.frames[name]
        assert (frame.groupby("variant").size() == seeds).all(), name
        assert not frame.duplicated(["variant", "seed"]).any()
        assert not frame[["0.1", "0.7", "average", "classification"]].isna().any(axis=None)
    assert study.frames["table3"].variant.nunique() == 20
    for name, seeds in SEEDS.items():
        assert "SHREC'21" in study.sources[name] and f"{seeds} seeds" in study.sources[name]
    chosen = chosen_lambdas(study.frames["weights"])
    said = study.frames["multilabel"].set_index("variant").weights["λ chosen"].iloc[0]
    assert said == "λ " + ", ".join(f"{chosen[f'training.lambda_{b}']:g}" for b in BRANCHES)
