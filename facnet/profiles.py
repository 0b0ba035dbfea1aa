"""How much smaller than its recipe an experiment is run: sizes and schedules by name."""

from dataclasses import dataclass

from facnet.config import Experiment, changed
from facnet.errors import named


@dataclass(frozen=True)
class Profile:
    """How much smaller or cheaper a run is than its recipe says: sizes, schedule, precision.

    Attributes
    ----------
    name : str
    epochs, learning_rate, width : float
        Every recipe's own times these: the same share of its epochs, multiple of its learning rate
        and share of its embedding's channels, whatever the method.
    bfloat16 : bool
        Whether products are in bfloat16, as `CommonTraining.bfloat16` has it.
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
    epochs: float = 1.0
    learning_rate: float = 1.0
    width: float = 1.0
    bfloat16: bool = False
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
        sizes = {
            "model.embedding_widths": [round(self.width * own) for own in model.embedding_widths],
            "training.epochs": round(self.epochs * training.epochs),
            "training.learning_rate": self.learning_rate * training.learning_rate}
        if self.bfloat16:
            sizes["training.bfloat16"] = True
        if self.snippets is not None and training.snippets is not None:
            sizes["training.snippets"] = min(self.snippets, training.snippets)
        return changed(experiment, sizes)


PROFILES = {size.name: size for size in (
    Profile("smoke", epochs=0.2, learning_rate=50, width=1 / 32, snippets=32, classes=5,
            videos=0.3, activities=20, activity_videos=0.2, feature_width=32, longest_video=60),
    # Chosen by how near eight rows of Table 3 come to those of `full` (tests/agreement.py).
    Profile("quick", epochs=0.4, learning_rate=10, width=1 / 4, snippets=80, classes=10,
            activity_videos=0.2, longest_video=75),
    # Of the study of SHREC'21: quick, twice as wide; a CPU core trains one in a minute.
    Profile("half", epochs=0.4, learning_rate=10, width=1 / 2),
    # Full but for these two: a CPU core that multiplies in bfloat16 trains one in three minutes.
    Profile("wide", width=1 / 2, bfloat16=True),
    Profile("full"))}


def profile(name: str = "quick") -> Profile:
    """The profile called `name`, such as "smoke" (seconds), "quick" (the default) or "full".

    Raises
    ------
    FacnetError
        If there is no such profile.
    """
    return named(name, PROFILES, "profile")
