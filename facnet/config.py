"""What a run is: frozen dataclasses.

`ModelConfig`, `TrainingConfig` and `LocalizationConfig` are FAC-Net's; another method's stand in
its own module of :mod:`facnet.methods`, which also has the recipes by name. Of FAC-Net's two,
`released` is what the authors' published code does, `paper` what the paper's text says. Every
difference between the two is one field below. Where the text is silent, `paper` takes the
released training, and for testing the values of BaS-Net (Lee et al., AAAI 2020), which the paper
says that it follows; the docstring of each class marks those fields with (BaS-Net). Two details of
BaS-Net's own code are not taken over: its NMS adds a second to every length, and it scores a run
against surroundings that are set to zero below the threshold.
"""

from contextlib import suppress
from dataclasses import asdict, dataclass, is_dataclass, replace
from math import isfinite
from numbers import Integral, Real
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from facnet.errors import FacnetError, check_choice

# What a field may be stands in its type: a plain type, words to choose from (`Literal`), several
# (`tuple`), or a type with its rule in words and as a function.
Count = Annotated[int, "from 1 to a million", lambda n: 1 <= n <= 1_000_000]
WholeNumber = Annotated[int, "from 0 to 2^63 - 1", lambda n: 0 <= n < 2**63]
Odd = Annotated[int, "odd and positive", lambda n: n >= 1 and n % 2 == 1]
Positive = Annotated[float, "positive", lambda x: x > 0]
NotNegative = Annotated[float, "zero or more", lambda x: x >= 0]
Share = Annotated[float, "in [0, 1]", lambda x: 0 <= x <= 1]
BelowOne = Annotated[float, "in [0, 1)", lambda x: 0 <= x < 1]
Rate = Annotated[float, "in [0, 255/256]", lambda x: 0 <= x <= 255 / 256]
Temperatures = Annotated[tuple[Positive, ...], "one or more", len]
Thresholds = Annotated[tuple[NotNegative, ...], "one or more", len]
PLAIN = {int: ("a whole number", Integral), float: ("a finite number", Real),  # numpy's are, too
         bool: ("true or false", bool), str: ("a word", str)}


def checked(value: Any, kind: Any, place: str) -> Any:
    """The value as a field of this type has it: 1.0 for 1 if it is a number, a tuple for a list.

    Raises
    ------
    FacnetError
        Names the place if the value is none of the type's: True is no number, "False" no switch.
    """
    def require(holds: object, rule: str) -> None:
        if not holds:
            raise FacnetError(f"{place} = {value!r}: must be {rule}.")

    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        kind, rule, holds = inner
        value = checked(value, kind, place)
        require(holds(value), rule)
    elif type(None) in inner:
        value = value if value is None else checked(value, inner[0], place)
    elif origin is Literal:
        check_choice(value, inner, f"{place} = {value!r} is unknown")
    elif origin is tuple:
        require(isinstance(value, (tuple, list)), "a list, such as [1, 2]")
        kinds = inner[:1] * len(value) if inner[-1] is ... else inner
        require(len(value) == len(kinds), f"a list of {len(kinds)}")
        value = tuple(checked(own, kind, f"{place}[{i}]")
                      for i, (own, kind) in enumerate(zip(value, kinds)))
    elif kind in PLAIN:
        rule, allowed = PLAIN[kind]
        require(isinstance(value, allowed) and isinstance(value, bool) == (kind is bool), rule)
        with suppress(OverflowError):  # a whole number of 400 digits stays one
            value = kind(value)
        require(isinstance(value, kind) and (kind is not float or isfinite(value)), rule)
    return value


class Config:
    """Base of the dataclasses of settings: each value must be one of its field's type."""

    def __post_init__(self):
        # Not `Field.type`, which is a text below `from __future__ import annotations`.
        for name, kind in get_type_hints(type(self), include_extras=True).items():
            place = f"{type(self).__name__}.{name}"
            object.__setattr__(self, name, checked(getattr(self, name), kind, place))


@dataclass(frozen=True)
class ModelConfig(Config):
    """FAC-Net's architecture (section 3 of the paper).

    Attributes
    ----------
    embedding_widths : tuple of int
        Channels of the two embedding layers; the second is D.
    embedding_kernel : int
        Snippets that one output of an embedding layer sees, odd. 1 is a linear layer on each
        snippet (released); the text's "temporal convolutional network" states no kernel, and
        `paper` takes 3.
    dropout : float
        Rate in both layers of the embedding, to the nearest 1/256. The text has dropout before
        the activation, the released code after it; these are the same function, since a ReLU
        commutes with multiplication by 0 or a positive number.
    scale : float
        δ of equations 1 and 8, the scale of a snippet's cosines.
    video_scale : float
        δ of equations 4 and 11, the scale of a video's scores; equation 13's score is multiplied
        by `video_scale / scale`. Released: 10; text: 5.
    temperatures : tuple of float
        τ of equations 2 and 9, one attention each (hybrid attention).
    background_class : bool
        Whether W_a has a row for the background.
    foreground_init : {"minus_background", "xavier"}
        Initial W_f: minus the background row of W_a (released), or random like W_a (text).
        Without a background class it is always random.
    """

    embedding_widths: tuple[Count, Count] = (1024, 1024)
    embedding_kernel: Odd = 1
    dropout: Rate = 0.5
    scale: Positive = 5.0
    video_scale: Positive = 10.0
    temperatures: Temperatures = (1.0, 2.0, 5.0)
    background_class: bool = True
    foreground_init: Literal["minus_background", "xavier"] = "minus_background"


@dataclass(frozen=True)
class CommonTraining(Config):
    """What every method's training has: Adam on video-level labels.

    Attributes
    ----------
    epochs : int
        Passes over the training videos.
    learning_rate : float
    betas : tuple of float
        Adam's moments.
    weight_decay : float
        L2 penalty added to the gradient.
    batch_size : int
        Videos per optimiser step.
    reduction : {"sum", "mean"}
        Whether an optimiser step takes the sum of its videos' losses or their mean. Adam's step
        hardly changes, but the weight of the L2 penalty beside the losses does.
    snippets : int or None
        How many snippets of a video a step sees, chosen again each time; None takes all.
    sampling : {"stratified", "crop"}
        How they are chosen. `stratified`: one from each of `snippets` equal parts of the video,
        the first of the next part included, so that a shorter video repeats some. `crop`:
        `snippets` in a row, a shorter video whole.
    lambda_cw : float
        λ of the CW branch's loss; 0 switches it off.
    held_out : float
        Share of the training videos, drawn by the seed, that are not trained on. How well the
        model classifies them says something of a recipe without test data.
    supervision : {"video", "frame"}
        "frame" adds the cross-entropy of every snippet's class to the loss: no weak supervision,
        but a ceiling for what the same network could learn from these features. For methods that
        have `frame_logits`.
    bfloat16 : bool
        Matrix products of the embedding in bfloat16; all else stays in float32. Saves
        time on a GPU, or a CPU with AVX512-BF16 or AMX; costs time on any other CPU.
    tf32 : bool
        On CUDA, all matrix products with inputs rounded to 10 bits (TF32). Nothing elsewhere.
    """

    epochs: WholeNumber = 100
    learning_rate: Positive = 1e-4
    betas: tuple[BelowOne, BelowOne] = (0.9, 0.999)
    weight_decay: NotNegative = 0.0
    batch_size: Count = 10
    reduction: Literal["sum", "mean"] = "mean"
    snippets: Count | None = None
    sampling: Literal["stratified", "crop"] = "stratified"
    lambda_cw: NotNegative = 0.0
    held_out: BelowOne = 0.0
    supervision: Literal["video", "frame"] = "video"
    bfloat16: bool = False
    tf32: bool = False


@dataclass(frozen=True)
class TrainingConfig(CommonTraining):
    """FAC-Net's training (sections 3.6 and 4.2).

    Attributes
    ----------
    epochs, learning_rate
        100 and 1e-4 in text and code.
    betas
        Released; the text is silent.
    weight_decay
        The released default; its help text says .001, the paper nothing.
    batch_size
        Released; the text says "mini-batch".
    reduction
        The sum in text and code ("accumulate gradients").
    lambda_cw, lambda_ca, lambda_mil : float
        λ of equation 14; 0 switches a branch's loss off.
    cw_classes : {"softmax", "sigmoid"}
        What the CW branch makes of a video's scores: probabilities over classes, equation 5, with
        the cross-entropy of equation 6; or one probability a class, with binary cross-entropy,
        so that the classes of a video do not compete. Only the former is FAC-Net.
    """

    betas: tuple[BelowOne, BelowOne] = (0.9, 0.99)
    weight_decay: NotNegative = 0.005
    reduction: Literal["sum", "mean"] = "sum"
    lambda_cw: NotNegative = 1.0
    lambda_ca: NotNegative = 0.1
    lambda_mil: NotNegative = 0.1
    cw_classes: Literal["softmax", "sigmoid"] = "softmax"


@dataclass(frozen=True)
class LocalizationConfig(Config):
    """From the scores of snippets to detections (section 4.2, "Testing details").

    Attributes
    ----------
    sequence : {"probability", "activation"}
        The sequence of a class that is thresholded: softmax of S_a over classes (released), or
        S_a itself, the text's "class activation sequence".
    threshold_rule : {"uniform", "range"}
        `uniform`: `thresholds` are multiples of the uniform class probability, 1 over the number
        of columns of S_a, C + 1 with a background class (released for C = 20, in absolute
        numbers). `range`: each sequence is
        first mapped to [0, 1] by its own minimum and maximum, both clamped at 0 (BaS-Net).
    thresholds : tuple of float
        A run of snippets strictly above a threshold is a proposal. The released .03, .035, .04,
        .045, .05 at C = 20 are .63 to 1.05 times 1/21; BaS-Net's are 0 to .225.
    class_threshold : float
        A class is kept in a video if its P_f (equation 11) is at least this multiple of the
        uniform probability, or at least .5; 2.1 is the .1 of text and code at C = 20. The .5
        matters for few classes: of one and the background no class could reach 2.1/2.
    argmax_fallback : bool
        Whether a video in which no class is kept keeps its best class.
    upsampling : int
        Samples a snippet after linear interpolation: 1 is none (released), 16 the original frame
        rate (text).
    minimum_length : float
        Snippets that a run must last; none in the text.
    extra_end_snippet : bool
        The released code's end is one sample past the run, and that sample enters the inner mean.
    outer_inner_weight : float
        Weight of the outer mean in the score inner - weight * outer; the outer ring is a quarter
        of the run's length on each side. Released: .6; 1 (BaS-Net).
    nms_criterion : {"lower_scored", "tiou"}
        Overlap in NMS: intersection over the length of the lower-scored segment, both with one
        snippet added (released), or tIoU (BaS-Net).
    nms_threshold, fusion_nms_threshold : float
        Largest overlap kept within a stream and at the fusion of streams: .2 and .9 (released);
        .7 for both (BaS-Net; the text's NMS "among" the streams states no value).
    rgb_weight : float
        Factor on the scores of the stream called "rgb" at fusion. The released .1 ranks rgb
        detections below those of flow; the text has no such factor.
    """

    sequence: Literal["probability", "activation"] = "probability"
    threshold_rule: Literal["uniform", "range"] = "uniform"
    thresholds: Thresholds = (0.63, 0.735, 0.84, 0.945, 1.05)
    class_threshold: NotNegative = 2.1
    argmax_fallback: bool = False
    upsampling: Count = 1
    minimum_length: NotNegative = 3.0
    extra_end_snippet: bool = True
    outer_inner_weight: NotNegative = 0.6
    nms_criterion: Literal["lower_scored", "tiou"] = "lower_scored"
    nms_threshold: Share = 0.2
    fusion_nms_threshold: Share = 0.9
    rgb_weight: Positive = 0.1

    def __post_init__(self):
        super().__post_init__()
        if self.sequence == "activation" and self.threshold_rule == "uniform":
            raise FacnetError("LocalizationConfig: threshold_rule='uniform' is for sequence="
                              "'probability'; take threshold_rule='range' for 'activation'.")


@dataclass(frozen=True)
class Experiment(Config):
    """A whole recipe and its seed: a method's models, trained, localised, evaluated.

    `method` names a row of `facnet.methods.METHODS`; `model`, `training` and `localization` are of
    that method's own classes.
    """

    method: str
    model: Any
    training: CommonTraining
    localization: Any
    seed: WholeNumber = 0


def changed(experiment: Experiment, changes: dict[str, object]) -> Experiment:
    """The experiment with some fields set, by dotted name: {"training.epochs": 5}.

    Raises
    ------
    FacnetError
        If there is no such field, or its value is not allowed.
    """
    nested = {}
    for place, value in changes.items():
        part, _, name = place.partition(".")
        if not name or part in ("method", "seed"):
            raise FacnetError(f"{place}: not a field of model, training or localization.")
        nested.setdefault(part, {})[name] = value
    return from_dict(experiment, nested)


def to_dict(config: object) -> dict:
    """A configuration as plain numbers, strings, lists and dicts (JSON)."""
    return asdict(config)


def flat(values: dict, prefix: str = "") -> dict[str, object]:
    """Nested values by dotted name: {"training": {"epochs": 5}} as {"training.epochs": 5}."""
    found = {}
    for name, value in values.items():
        nested = isinstance(value, dict)
        found |= flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return found


def from_dict(like: Any, values: dict) -> Any:
    """The configuration `like` with some fields set, nested ones too, as `to_dict` writes them.

    Raises
    ------
    FacnetError
        If a field is unknown, or its value is not allowed.
    """
    new = {}
    for name, value in values.items():
        check_choice(name, vars(like), f"{type(like).__name__} has no field {name!r}")
        old = getattr(like, name)
        new[name] = from_dict(old, value) if is_dataclass(old) else value
    return replace(like, **new)
