"""What a run is: frozen dataclasses, and the sizes that a profile gives them.

`ModelConfig`, `TrainingConfig` and `LocalizationConfig` are FAC-Net's; another method's stand in
its own module of :mod:`facnet.methods`, which also has the recipes by name. Of FAC-Net's two,
`released` is what the authors' published code does, `paper` what the paper's text says. Every
difference between the two is one field below. Where the text is silent, `paper` takes the
released training, and for testing the values of BaS-Net (Lee et al., AAAI 2020), which the paper
says that it follows; the docstring of each class marks those fields with (BaS-Net). Two details of
BaS-Net's own code are not taken over: its NMS adds a second to every length, and it scores a run
against surroundings that are set to zero below the threshold.
"""

import dataclasses
from dataclasses import dataclass, field, replace

import numpy as np

from facnet.errors import FacnetError, suggest

__all__ = [
    "CommonTraining", "Experiment", "LocalizationConfig", "ModelConfig", "PROFILES", "Profile",
    "TrainingConfig", "changed", "check_types", "flat", "from_dict", "profile", "require",
    "require_choice", "require_not_negative", "to_dict",
]


def require(holds: bool, config: object, name: str, rule: str) -> None:
    """Refuse the value of a field that does not hold to its rule."""
    if not holds:
        value = getattr(config, name)
        raise FacnetError(f"{type(config).__name__}.{name} = {value!r}: must be {rule}.")


def check_types(config: object) -> None:
    """Whole numbers, switches and words must be such: "False", for one, would count as true."""
    kinds = {int: ("a whole number", (int, np.integer)), bool: ("true or false", (bool,)),
             float: ("a number", (int, float, np.integer, np.floating)), str: ("a word", (str,))}
    for one in dataclasses.fields(config):
        if one.type in kinds:
            rule, allowed = kinds[one.type]
            value = getattr(config, one.name)
            fits = isinstance(value, allowed) and (one.type is bool or not isinstance(value, bool))
            require(fits, config, one.name, rule)
            object.__setattr__(config, one.name, one.type(value))  # 1 and 1.0 are one recipe


def require_not_negative(config: object, *names: str) -> None:
    """Refuse negative values of some fields."""
    for name in names:
        require(getattr(config, name) >= 0, config, name, "zero or more")


def require_choice(config: object, name: str, choices: tuple[str, ...]) -> None:
    """Refuse a word that is none of the choices."""
    value = getattr(config, name)
    if value not in choices:
        raise FacnetError(
            f"{type(config).__name__}.{name} = {value!r} is unknown.{suggest(str(value), choices)}"
        )


@dataclass(frozen=True)
class ModelConfig:
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

    embedding_widths: tuple[int, int] = (1024, 1024)
    embedding_kernel: int = 1
    dropout: float = 0.5
    scale: float = 5.0
    video_scale: float = 10.0
    temperatures: tuple[float, ...] = (1.0, 2.0, 5.0)
    background_class: bool = True
    foreground_init: str = "minus_background"

    def __post_init__(self):
        check_types(self)
        object.__setattr__(self, "embedding_widths", tuple(self.embedding_widths))
        two = len(self.embedding_widths) == 2 and min(self.embedding_widths) >= 1
        require(two, self, "embedding_widths", "two positive numbers")
        odd = self.embedding_kernel >= 1 and self.embedding_kernel % 2 == 1
        require(odd, self, "embedding_kernel", "odd and positive")
        require(0 <= self.dropout <= 255 / 256, self, "dropout", "in [0, 255/256]")
        require(self.scale > 0, self, "scale", "positive")
        require(self.video_scale > 0, self, "video_scale", "positive")
        object.__setattr__(self, "temperatures", tuple(float(t) for t in self.temperatures))
        positive = bool(self.temperatures) and min(self.temperatures) > 0
        require(positive, self, "temperatures", "one or more positive numbers")
        require_choice(self, "foreground_init", ("minus_background", "xavier"))


@dataclass(frozen=True)
class CommonTraining:
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
        Matrix products of the embedding in bfloat16 (autocast); all else stays in float32. Saves
        time on a GPU, or a CPU with AVX512-BF16 or AMX; costs time on any other CPU.
    """

    epochs: int = 100
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    batch_size: int = 10
    reduction: str = "mean"
    snippets: int | None = None
    sampling: str = "stratified"
    lambda_cw: float = 0.0
    held_out: float = 0.0
    supervision: str = "video"
    bfloat16: bool = False

    def __post_init__(self):
        check_types(self)
        require(self.epochs >= 0, self, "epochs", "zero (untrained) or more")
        require(self.learning_rate > 0, self, "learning_rate", "positive")
        object.__setattr__(self, "betas", tuple(self.betas))
        require(all(0 <= b < 1 for b in self.betas), self, "betas", "two numbers in [0, 1)")
        require(self.batch_size >= 1, self, "batch_size", "at least 1")
        require_choice(self, "reduction", ("sum", "mean"))
        whole = self.snippets is None or (type(self.snippets) is int and self.snippets >= 1)
        require(whole, self, "snippets", "a positive whole number, or null for all")
        require_choice(self, "sampling", ("stratified", "crop"))
        require_choice(self, "supervision", ("video", "frame"))
        require(0 <= self.held_out < 1, self, "held_out", "in [0, 1)")
        require_not_negative(self, "weight_decay", *(
            one.name for one in dataclasses.fields(self) if one.name.startswith("lambda_")))


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

    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 0.005
    reduction: str = "sum"
    lambda_cw: float = 1.0
    lambda_ca: float = 0.1
    lambda_mil: float = 0.1
    cw_classes: str = "softmax"

    def __post_init__(self):
        super().__post_init__()
        require_choice(self, "cw_classes", ("softmax", "sigmoid"))


@dataclass(frozen=True)
class LocalizationConfig:
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

    sequence: str = "probability"
    threshold_rule: str = "uniform"
    thresholds: tuple[float, ...] = (0.63, 0.735, 0.84, 0.945, 1.05)
    class_threshold: float = 2.1
    argmax_fallback: bool = False
    upsampling: int = 1
    minimum_length: float = 3.0
    extra_end_snippet: bool = True
    outer_inner_weight: float = 0.6
    nms_criterion: str = "lower_scored"
    nms_threshold: float = 0.2
    fusion_nms_threshold: float = 0.9
    rgb_weight: float = 0.1

    def __post_init__(self):
        check_types(self)
        require_choice(self, "sequence", ("probability", "activation"))
        require_choice(self, "threshold_rule", ("uniform", "range"))
        if self.sequence == "activation" and self.threshold_rule == "uniform":
            raise FacnetError(
                "LocalizationConfig: multiples of the uniform probability are thresholds for"
                " sequence='probability'; take threshold_rule='range' for 'activation'."
            )
        object.__setattr__(self, "thresholds", tuple(float(t) for t in self.thresholds))
        known = bool(self.thresholds) and min(self.thresholds) >= 0
        require(known, self, "thresholds", "one or more numbers, none negative")
        require_not_negative(self, "class_threshold", "minimum_length", "outer_inner_weight")
        require(self.upsampling >= 1, self, "upsampling", "at least 1")
        require_choice(self, "nms_criterion", ("lower_scored", "tiou"))
        for name in ("nms_threshold", "fusion_nms_threshold"):
            require(0 <= getattr(self, name) <= 1, self, name, "in [0, 1]")
        require(self.rgb_weight > 0, self, "rgb_weight", "positive")


@dataclass(frozen=True)
class Experiment:
    """A whole recipe and its seed: a method's models, trained, localised, evaluated.

    `method` names a row of `facnet.methods.METHODS`; `model`, `training` and `localization`
    are of that method's own classes, by default FAC-Net's.
    """

    model: ModelConfig = field(default_factory=ModelConfig)
    training: CommonTraining = field(default_factory=TrainingConfig)
    localization: LocalizationConfig = field(default_factory=LocalizationConfig)
    seed: int = 0
    method: str = "FAC-Net"


def changed(experiment: Experiment, changes: dict[str, object]) -> Experiment:
    """The experiment with some fields set, by dotted name: {"training.epochs": 5}.

    Raises
    ------
    FacnetError
        If there is no such field, or its value is not allowed.
    """
    parts = [f.name for f in dataclasses.fields(experiment)
             if dataclasses.is_dataclass(getattr(experiment, f.name))]
    for place, value in changes.items():
        part, _, name = place.partition(".")
        if part not in parts:
            raise FacnetError(f"{place}: write it as training.epochs.{suggest(part, parts)}")
        config = getattr(experiment, part)
        known = {f.name for f in dataclasses.fields(config)}
        if name not in known:
            raise FacnetError(
                f"{place}: {part} of {experiment.method} has no {name!r}.{suggest(name, known)}")
        try:
            config = replace(config, **{name: value})
        except TypeError as error:
            raise FacnetError(f"{place}: {value!r} is no value for it.") from error
        experiment = replace(experiment, **{part: config})
    return experiment


@dataclass(frozen=True)
class Profile:
    """Sizes, epochs and learning rate of a run; None leaves the recipe's own. Nothing else.

    Attributes
    ----------
    name : str
    epochs, learning_rate
        Override the fields of the same name in the configuration.
    width : int or None
        Of each layer of the embedding.
    snippets : int or None
        The most that a training step sees of a video, for methods that limit them.
    feature_width, longest_video : int or None, float or None
        Of the synthetic data sets; data in a folder are always used whole. A longer video, in
        seconds, is cut in `synthetic`; `synthetic-activitynet` shrinks all.
    classes : int or None
    videos : float
        Of `synthetic`: how many classes, and the share of the videos and of their instances.
    activities : int or None
    activity_videos : float
        The same of `synthetic-activitynet`, which needs its 200 classes to be what it is.
    """

    name: str
    epochs: int | None = None
    learning_rate: float | None = None
    width: int | None = None
    snippets: int | None = None
    classes: int | None = None
    videos: float = 1.0
    activities: int | None = None
    activity_videos: float = 1.0
    feature_width: int | None = None
    longest_video: float | None = None

    def apply(self, experiment: Experiment) -> Experiment:
        """`experiment` at this profile's sizes."""
        model, training = experiment.model, experiment.training
        if self.width is not None:
            widths = tuple(self.width for _ in model.embedding_widths)
            model = replace(model, embedding_widths=widths)
        given = {"epochs": self.epochs, "learning_rate": self.learning_rate}
        if self.snippets is not None and training.snippets is not None:
            given["snippets"] = min(self.snippets, training.snippets)
        given = {name: value for name, value in given.items() if value is not None}
        return replace(experiment, model=model, training=replace(training, **given))


PROFILES = {
    "smoke": Profile(
        "smoke", epochs=40, learning_rate=5e-3, width=32, snippets=32,
        classes=5, videos=0.3, activities=20, activity_videos=0.2, feature_width=32,
        longest_video=60,
    ),
    "quick": Profile(
        "quick", epochs=40, learning_rate=5e-3, width=64, snippets=96,
        classes=6, videos=0.9, activity_videos=0.2, feature_width=96, longest_video=150,
    ),
    "full": Profile("full"),
}


def profile(name: str = "quick") -> Profile:
    """The profile called `name`: "smoke" (seconds), "quick" (the default) or "full".

    Raises
    ------
    FacnetError
        If there is no such profile.
    """
    if name not in PROFILES:
        raise FacnetError(f"No profile {name!r}.{suggest(name, PROFILES)}")
    return PROFILES[name]


def to_dict(config: object) -> dict:
    """A configuration as plain numbers, strings, lists and dicts (JSON)."""
    return dataclasses.asdict(config)


def flat(values: dict, prefix: str = "") -> dict[str, object]:
    """Nested values by dotted name: {"training": {"epochs": 5}} as {"training.epochs": 5}."""
    found = {}
    for name, value in values.items():
        nested = isinstance(value, dict)
        found |= flat(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return found


def from_dict(like: object, values: dict) -> object:
    """A configuration of the classes of `like`, nested ones included, from what `to_dict` wrote.

    Raises
    ------
    FacnetError
        If a field is unknown, or its value is not allowed.
    """
    known = {f.name: getattr(like, f.name) for f in dataclasses.fields(like)}
    unknown = set(values) - set(known)
    if unknown:
        name = sorted(unknown)[0]
        raise FacnetError(f"{type(like).__name__} has no field {name!r}.{suggest(name, known)}")
    nested = {n: from_dict(known[n], v) if dataclasses.is_dataclass(known[n]) else v
              for n, v in values.items()}
    return type(like)(**nested)
