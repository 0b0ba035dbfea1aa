"""Configurations validate their fields, and the presets differ where text and code differ."""

import importlib
import json
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

from facnet.config import (
    LocalizationConfig, ModelConfig, TrainingConfig, changed, from_dict, to_dict)
from facnet.errors import FacnetError
from facnet.methods import METHODS, preset, recipes
from facnet.profiles import PROFILES, profile
from facnet.study.notebook import check_parameters


def differences(part: str) -> set[str]:
    released, paper = getattr(preset("released"), part), getattr(preset("paper"), part)
    return {f.name for f in fields(released)
            if getattr(released, f.name) != getattr(paper, f.name)}


def test_the_presets_differ_in_the_listed_fields_only():
    assert differences("model") == {
        "embedding_kernel", "video_scale", "foreground_init"}
    assert differences("training") == set()
    assert differences("localization") == {
        "sequence", "threshold_rule", "thresholds", "upsampling", "minimum_length",
        "extra_end_snippet", "outer_inner_weight", "nms_criterion", "nms_threshold",
        "fusion_nms_threshold", "rgb_weight"}


def test_released_thresholds_are_absolute_at_twenty_classes():
    config = preset("released").localization
    assert [t / 21 for t in config.thresholds] == pytest.approx([.03, .035, .04, .045, .05])
    assert config.class_threshold / 21 == pytest.approx(.1)


@pytest.mark.parametrize("kind, name, value", [
    (ModelConfig, "embedding_widths", (1024,)),
    (ModelConfig, "embedding_widths", (1024, 8.5)),
    (ModelConfig, "embedding_widths", 1024),
    (ModelConfig, "scale", True),
    (ModelConfig, "scale", float("nan")),
    (ModelConfig, "background_class", "False"),
    (TrainingConfig, "snippets", 0),
    (TrainingConfig, "epochs", 2.0),
    (ModelConfig, "embedding_kernel", 2),
    (ModelConfig, "dropout", 1.0),
    (ModelConfig, "dropout", -0.1),
    (ModelConfig, "temperatures", ()),
    (ModelConfig, "temperatures", (1.0, 0.0)),
    (ModelConfig, "scale", 0.0),
    (TrainingConfig, "learning_rate", 0.0),
    (TrainingConfig, "betas", (0.9, 1.0)),
    (TrainingConfig, "batch_size", 0),
    (TrainingConfig, "lambda_cw", -1.0),
    (LocalizationConfig, "thresholds", (-0.1,)),
    (LocalizationConfig, "nms_threshold", 1.5),
    (LocalizationConfig, "upsampling", 0),
])
def test_a_value_that_makes_no_sense_is_refused_by_name(kind, name, value):
    with pytest.raises(FacnetError, match=rf"{kind.__name__}\.{name}"):
        kind(**{name: value})


@pytest.mark.parametrize("name", recipes())
def test_no_method_trains_for_less_than_no_epoch_or_from_a_negative_seed(name):
    with pytest.raises(FacnetError, match=r"\.epochs = -1: must be from 0"):
        changed(recipes()[name], {"training.epochs": -1})
    with pytest.raises(FacnetError, match="Experiment.seed = -1: must be from 0"):
        replace(recipes()[name], seed=-1)


def test_errors_name_the_value_and_the_rule():
    for kind, given, message in (
            (ModelConfig, {"dropout": 2}, "ModelConfig.dropout = 2.0: must be in [0, 255/256]."),
            (ModelConfig, {"temperatures": [1, 0]},
             "ModelConfig.temperatures[1] = 0.0: must be positive."),
            (ModelConfig, {"temperatures": []},
             "ModelConfig.temperatures = (): must be one or more."),
            (ModelConfig, {"embedding_widths": [8]},
             "ModelConfig.embedding_widths = [8]: must be a list of 2."),
            (TrainingConfig, {"epochs": True},
             "TrainingConfig.epochs = True: must be a whole number.")):
        with pytest.raises(FacnetError) as error:
            kind(**given)
        assert str(error.value) == message


def test_numbers_have_one_type_and_lists_become_tuples():
    config = ModelConfig(scale=5, temperatures=[1, 2, np.float32(5)], embedding_widths=[
        np.int64(8), 4])
    assert to_dict(config) == to_dict(ModelConfig(embedding_widths=(8, 4)))
    assert [type(x) for x in (config.scale, *config.temperatures, *config.embedding_widths)] == [
        float, float, float, float, int, int]
    assert TrainingConfig(snippets=None).snippets is None


def test_fields_that_belong_together_are_changed_together():
    recipe = changed(preset(), {"localization.sequence": "activation", "training.epochs": 3,
                                "localization.threshold_rule": "range"})
    assert recipe.localization.threshold_rule == "range" and recipe.training.epochs == 3


@pytest.mark.parametrize("place, message", [
    ("training.epoch", "no field 'epoch'. Did you mean 'epochs'"),
    ("trainin.epochs", "no field 'trainin'. Did you mean 'training'"),
    ("epochs", "epochs: not a field of model, training or"), ("training", "training: not a field"),
    ("seed", "seed: not a field of model"), ("seed.x", "seed.x: not a field of model"),
])
def test_a_change_of_what_there_is_not_is_refused(place, message):
    with pytest.raises(FacnetError, match=message):
        changed(preset(), {place: 1})


def test_every_recipe_names_its_own_method():
    for name, recipe in recipes().items():
        assert recipe == METHODS[recipe.method].recipes[name]


def test_what_a_notebook_computes_is_no_parameter_of_it():
    rerun = {"__annotations__": {"seeds": int}, "seeds": 3, "average": 33.4,
             "In": ["", "seeds: int = 1", "# Parameters\nseeds = 3\n", "average = 33.4"]}
    check_parameters(rerun)
    with pytest.raises(FacnetError, match=r"parameters\.sed is unknown\. Did you mean 'seeds'"):
        check_parameters(rerun | {"In": ["# Parameters\nsed = 3\n"]})


@pytest.mark.parametrize("kind, name, value, right", [
    (ModelConfig, "foreground_init", "minus-background", "minus_background"),
    (TrainingConfig, "reduction", "means", "mean"),
    (LocalizationConfig, "threshold_rule", "ranges", "range"),
    (LocalizationConfig, "nms_criterion", "tIoUs", "tiou"),
])
def test_a_typo_in_a_choice_is_answered_with_the_right_word(kind, name, value, right):
    with pytest.raises(FacnetError, match=f"Did you mean '{right}'"):
        kind(**{name: value})


def test_uniform_thresholds_need_probabilities():
    with pytest.raises(FacnetError, match="threshold_rule='range'"):
        LocalizationConfig(sequence="activation")


@pytest.mark.parametrize("name", ["released", "paper"])
def test_an_experiment_survives_json(name):
    experiment = replace(preset(name), seed=3)
    assert from_dict(preset(), json.loads(json.dumps(to_dict(experiment)))) == experiment


def test_an_unknown_field_is_refused_with_a_suggestion():
    with pytest.raises(FacnetError, match="Did you mean 'epochs'"):
        from_dict(TrainingConfig(), {"epoch": 3})


def test_unknown_names_of_presets_and_profiles():
    with pytest.raises(FacnetError, match="No preset 'relased'. Did you mean 'released'"):
        preset("relased")
    with pytest.raises(FacnetError, match="No profile 'quik'. Did you mean 'quick'"):
        profile("quik")


def test_a_profile_overrides_sizes_schedule_and_precision_only():
    original = preset("paper")
    for one in PROFILES.values():
        changed = one.apply(original)
        assert changed.localization == original.localization
        same = replace(changed.model, embedding_widths=original.model.embedding_widths)
        assert same == original.model
        same = replace(changed.training, epochs=original.training.epochs,
                       learning_rate=original.training.learning_rate, bfloat16=False)
        assert same == original.training
    assert profile("full").apply(original) == original


@pytest.mark.parametrize("one", PROFILES.values(), ids=PROFILES)
def test_a_profile_takes_the_same_share_of_every_recipe(one):
    for recipe in recipes().values():
        sized = one.apply(recipe)
        assert sized.training.epochs == round(one.epochs * recipe.training.epochs) > 0
        assert sized.training.learning_rate == one.learning_rate * recipe.training.learning_rate
        assert sized.model.embedding_widths == tuple(
            round(one.width * own) for own in recipe.model.embedding_widths)


METHOD = """
from __future__ import annotations

from dataclasses import dataclass

from facnet.config import Config, Count, Share

@dataclass(frozen=True)
class Own(Config):
    width: int = 8
    widths: tuple[int, ...] = (8, 4)
    pair: tuple[Count, float] = (1, 2)
    share: Share | None = None
"""


@pytest.mark.parametrize("name, value, message", [
    ("width", 64.5, "Own.width = 64.5: must be a whole number"),
    ("widths", (64, 64.5), r"Own.widths\[1\] = 64.5: must be a whole number"),
    ("pair", (0, 1.0), r"Own.pair\[0\] = 0: must be from 1"),
    ("pair", (1, 1.0, 1.0), "must be a list of 2"),
    ("share", 2, r"Own.share = 2.0: must be in \[0, 1\]")])
def test_types_hold_where_annotations_are_kept_as_text(tmp_path, monkeypatch, name, value, message):
    (tmp_path / "own_method.py").write_text(METHOD)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_method", raising=False)
    own = importlib.import_module("own_method").Own
    assert own(width=np.int64(3), widths=[1, 2]).widths == (1, 2)
    with pytest.raises(FacnetError, match=message):
        own(**{name: value})
