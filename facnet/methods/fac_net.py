"""FAC-Net as a row of the table of methods; what it computes stands in model and localization."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from facnet.config import Experiment, LocalizationConfig, ModelConfig, TrainingConfig
from facnet.localization import Scores, fuse, localize, sequences, thresholds
from facnet.methods.method import Method
from facnet.model import FACNet, Output, fac_net_losses

RELEASED = Experiment("FAC-Net", ModelConfig(), TrainingConfig(), LocalizationConfig())
RECIPES = {
    "released": RELEASED,
    "paper": replace(
        RELEASED,
        model=ModelConfig(embedding_kernel=3, video_scale=5.0, foreground_init="xavier"),
        localization=LocalizationConfig(
            sequence="activation", threshold_rule="range",
            thresholds=tuple(i * 0.025 for i in range(10)), upsampling=16, minimum_length=0.0,
            extra_end_snippet=False, outer_inner_weight=1.0, nms_criterion="tiou",
            nms_threshold=0.7, fusion_nms_threshold=0.7, rgb_weight=1.0)),
    # Gestures of a hand, 3.8 classes in a training recording: the released class threshold is
    # shared among them; sampled at the recording's 25 frames a second, as the text has it; a run
    # lasts a snippet, as the shortest gesture does, and its end is not moved by one. Settled on
    # held-out training recordings, with their segments; no test recording was asked.
    "shrec21": replace(RELEASED, localization=LocalizationConfig(
        class_threshold=0.55, upsampling=4, minimum_length=1.0, extra_end_snippet=False,
        nms_criterion="tiou", nms_threshold=0.5, fusion_nms_threshold=0.5)),
    # For ActivityNet-1.3, of which no code of FAC-Net was released: the released recipe, and where
    # that was made for 20 classes and long videos, what follows. Nothing of it was chosen on a test
    # video.
    "activitynet": replace(RELEASED, localization=LocalizationConfig(
        # .005, .01, .015 and .02 of 201 columns: the grid of ACM-Net and ASM-Loc on class scores
        # and attention there. The released .63 to 1.05 would be .003 to .005, about what a snippet
        # has that shows nothing.
        thresholds=(1.005, 2.01, 3.015, 4.02),
        # .1 of 201 columns, ACM-Net's, ASM-Loc's and CMCS's; .1 is what the text has for THUMOS14
        # too. At the released scale of 10 it asks a class for a cosine of ln(.1 * 200 / .9) / 10 =
        # .31 above all others, where 20 classes ask for .08.
        class_threshold=20.1,
        # ACM-Net's and CO2-Net's. With so high a threshold many a video would keep no class, and
        # every video shows one.
        argmax_fallback=True,
        # The shortest videos have 2 snippets, and an instance may be all of such a video. Released:
        # 3, which would leave them without any detection.
        minimum_length=2.0,
        # The released end, a snippet past the run, is an offset of .64 s: it costs little at the
        # tIoUs of THUMOS14, and more at tIoUs up to .95, in which instances may end where the video
        # ends.
        extra_end_snippet=False))}


def predictions(output: Output, training: TrainingConfig) -> tuple[Tensor, Tensor, Tensor]:
    """A video's class probabilities are P_f (equation 11), as in text and released code.

    Where the CA branch is off, nothing taught P_f; then they are the mean of the predictions of
    the branches that are on, P_a (equation 5) and P_m.
    """
    probability = output.R_f.softmax(-1)
    on = [scores.softmax(-1) for scores, weight in
          ((output.R_a, training.lambda_cw), (output.R_m, training.lambda_mil)) if weight > 0]
    if training.lambda_ca == 0 and on:
        probability = torch.stack(on).mean(0)
    return probability, output.S_a, output.S_f


def sequence(scores: Scores, config: LocalizationConfig) -> np.ndarray:
    """What is thresholded, a sample a snippet."""
    return sequences(scores, replace(config, upsampling=1))


def localize_stream(scores: dict[str, Scores], stream: str, classes: tuple[str, ...],
                    snippet_seconds: float, config: LocalizationConfig) -> pd.DataFrame:
    """Each stream on its own."""
    return localize(scores[stream], classes, snippet_seconds, config)


def frame_logits(model: FACNet, output: Output) -> Tensor:
    """S_a at the scale of a video's scores."""
    return model.config.video_scale / model.config.scale * output.S_a


METHOD = Method(name="FAC-Net", recipes=RECIPES, joint=False, network=FACNet, losses=fac_net_losses,
                predictions=predictions, sequence=sequence, localize=localize_stream, fuse=fuse,
                thresholds=thresholds, frame_logits=frame_logits,
                together=("model.scale", "model.video_scale", "model.temperatures",
                          "training.lambda_cw", "training.lambda_ca", "training.lambda_mil"))
