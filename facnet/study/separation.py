"""How far models keep action and background apart, in their scores and in their features.

The paper shows the latter in Fig. 8 for one model each; here it is two numbers, over seeds. Of
equation 7 it says that minimising L_cw maximises a lower bound on mutual information, and prints
none; here it is in nats.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from facnet.batches import pack, training_videos
from facnet.config import Experiment, changed
from facnet.data import Dataset, frame_labels
from facnet.errors import FacnetError
from facnet.evaluation import untimed
from facnet.experiment import stream_scores, trained
from facnet.localization import Scores, in_parts
from facnet.methods import method_of, preset
from facnet.model import FACNet, Packing
from facnet.training import predict, repeatable

CHANCE = 0.5  # ROC area below which a stream has collapsed
# Fig. 5: models of Table 3 without CW and with it.
FIG5 = {f"{name}, CW added": (f"{name}, hybrid", f"CW+{name}, hybrid")
        for name in ("CA", "MIL", "CA+MIL")}


class Lacking(FacnetError):
    """Data may be as they are, but something cannot be measured or chosen on them."""


def separation(scores: Scores, dataset: Dataset, experiment: Experiment = preset()) -> float:
    """How well what is thresholded in a stream tells a class's snippets from the rest of a video.

    For each video and each class that it shows, the probability that a snippet inside an instance
    has a larger value in the class's sequence than one outside (the area under the ROC curve); the
    mean over all such pairs. Chance is .5. Below it the stream has *collapsed*: it takes
    background for action.
    """
    method, found = method_of(experiment), []
    for part in in_parts({"": scores}):
        sequence = method.sequence(part[""], experiment.localization)
        for _, rows, shown in by_video(part[""], dataset):
            found += [_roc_area(sequence[rows, c], shown[:, c])
                      for c in np.flatnonzero(shown.any(0) & ~shown.all(0))]
    return float(np.mean(found or np.nan))


def foreground_separation(scores: Scores, dataset: Dataset) -> float:
    """How well S_f tells the snippets of any instance from the rest of a video.

    The area under the ROC curve as in `separation`, the mean over videos.
    """
    inside = ((rows, shown.any(1)) for _, rows, shown in by_video(scores, dataset))
    found = [_roc_area(scores.foreground[rows], own) for rows, own in inside
             if own.any() and not own.all()]
    return float(np.mean(found or np.nan))


def by_video(scores: Scores, dataset: Dataset) -> Iterator[tuple[str, slice, np.ndarray]]:
    """Each video, its rows in the scores, and which classes its snippets show, [T, C] of bool."""
    for video in scores.videos:
        rows = scores.rows(video)
        yield video, rows, frame_labels(dataset, video, rows.stop - rows.start)


def _roc_area(values: np.ndarray, inside: np.ndarray) -> float:
    """How often a value inside exceeds one outside; a tie counts half."""
    from scipy.stats import rankdata  # slow to import, and the records import this module

    n = inside.sum()
    return (rankdata(values)[inside].sum() - n * (n + 1) / 2) / (n * (len(inside) - n))


def scores_by_seed(dataset: Dataset, models: dict[str, Experiment], stream: str, seeds: int,
                   folder: str | Path | None = None) -> dict[tuple[str, int], Scores]:
    """Scores of the test videos, by model and seed 0, 1, ...

    `folder` is as in `facnet.experiment.trained`.
    """
    return {(name, seed): stream_scores(dataset, replace(models[name], seed=seed), stream, folder)
            for name, seed in product(models, range(seeds))}


def roc_areas(dataset: Dataset, scores: dict[tuple[str, int], Scores],
              experiment: Experiment) -> pd.DataFrame:
    """How well models tell an instance's snippets from the rest, by seed.

    Parameters
    ----------
    dataset : Dataset
    scores : dict of (str, int) to Scores
        As `scores_by_seed` gives them.
    experiment : Experiment
        Says which sequence is localised.

    Returns
    -------
    DataFrame [variant, seed, average, foreground, sequence]
        ROC areas in percent, of S_f for the snippets of any instance and of a class's sequence for
        those of its own. `average`, which the claims of "fig5" and "fig6" compare, is the former.
    """
    found = []
    for (name, seed), own in scores.items():
        area = 100 * foreground_separation(own, dataset)
        found.append({"variant": name, "seed": seed, "average": area, "foreground": area,
                      "sequence": 100 * separation(own, dataset, experiment)})
    return pd.DataFrame(found)


def typical_seeds(table: pd.DataFrame) -> pd.DataFrame:
    """The seed of each model to show: the one of median sequence area, the lower of two.

    Parameters
    ----------
    table : DataFrame
        As `roc_areas` gives it.

    Returns
    -------
    DataFrame
        Indexed by variant: seed, foreground, sequence, and label, which names the model with these
        and says if its stream has collapsed.
    """
    middle = [own.sort_values("sequence", kind="stable").iloc[[(len(own) - 1) // 2]]
              for _, own in table.groupby("variant", sort=False)]
    shown = pd.concat(middle).set_index("variant")
    shown["label"] = [
        f"{one.Index}\nseed {one.seed}: {one.foreground:.0f} | {one.sequence:.0f}"
        + "\n(collapsed)" * (one.sequence < 100 * CHANCE) for one in shown.itertuples()]
    return shown[["seed", "foreground", "sequence", "label"]]


def by_measure(table: pd.DataFrame) -> pd.DataFrame:
    """What `compare` and `judge` take, of several measures: variants "full, probe" and the like.

    Parameters
    ----------
    table : DataFrame
        variant, seed, and a column a measure.

    Returns
    -------
    DataFrame [variant, seed, average]
    """
    long = table.melt(["variant", "seed"], var_name="measure", value_name="average")
    return long.assign(variant=long.variant + ", " + long.measure).drop(columns="measure")


def gains(table: pd.DataFrame, measures: Sequence[str],
          pairs: dict[str, tuple[str, str]]) -> pd.DataFrame:
    """Whether models have more of some measures with something than without it.

    Parameters
    ----------
    table : DataFrame
        variant, seed, and a column a measure.
    measures : sequence of str
    pairs : dict of str to (str, str)
        By name, the variants without and with it.

    Returns
    -------
    DataFrame
        As `facnet.study.claims.compare` gives it: `claim` is the measure, `name` that of the pair.
    """
    from facnet.study.claims import Comparison, compare  # which imports this, through records

    return compare(by_measure(table[["variant", "seed", *measures]]), [
        Comparison(of, pair, {f"{better}, {of}": 1, f"{worse}, {of}": -1})
        for of, (pair, (worse, better)) in product(measures, pairs.items())])


def drawn_snippets(dataset: Dataset, most: int = 4000) -> pd.DataFrame:
    """Snippets of the test videos, drawn at random whatever they show; all if there are not `most`.

    Returns
    -------
    DataFrame [video, snippet, foreground]
        In random order; `foreground` says whether a snippet is inside an instance of any class.
        Videos with labels but no instance are left out.

    Raises
    ------
    Lacking
        If there are not two videos with both foreground and background.
    """
    unknown, stream = set(untimed(dataset.videos, dataset.instances)), dataset.streams[0]
    rows = []
    for video in dataset.subset("test"):
        if video not in unknown:
            shown = frame_labels(dataset, video, len(dataset.features(stream, video))).any(1)
            rows += [(video, snippet, inside) for snippet, inside in enumerate(shown.tolist())]
    every = pd.DataFrame(rows, columns=["video", "snippet", "foreground"])
    chosen = every.iloc[np.random.default_rng(0).permutation(len(every))[:most]]
    if (chosen.groupby("video").foreground.nunique() == 2).sum() < 2:
        raise Lacking(
            f"{dataset.name}: {chosen.foreground.sum()} of {len(chosen)} test snippets, of"
            f" {chosen.video.nunique()} videos, are inside an instance; to tell them from the rest"
            " takes some of each, and two videos.")
    return chosen.reset_index(drop=True)


def embedded(
        model: FACNet | None, dataset: Dataset, stream: str, snippets: pd.DataFrame) -> np.ndarray:
    """X_e of some snippets, [n, D], dropout off; without a model, the features that go in."""
    found = {}
    for video, own in snippets.groupby("video"):
        x, lengths = pack([dataset.features(stream, video)], dataset.device)
        if model is not None:
            with torch.inference_mode(), repeatable(dataset.device):
                x = model.embedding(x, Packing(lengths, x))  # all: a kernel sees neighbours
        found |= zip(own.index, x.cpu().numpy()[own.snippet])
    return np.stack([found[i] for i in snippets.index])


def silhouette_and_probe(features: np.ndarray, snippets: pd.DataFrame) -> dict[str, float]:
    """How far apart foreground and background lie, by the labels of snippets.

    Parameters
    ----------
    features : ndarray [n, D]
    snippets : DataFrame
        As `drawn_snippets` gives them.

    Returns
    -------
    dict of str to float
        silhouette, the mean over snippets by cosine distance, times 100: 0 where the other kind is
        as near as one's own. probe, the ROC area in percent of a logistic regression on
        standardised features, fitted to other videos' snippets than it is judged by: 50 is chance.
    """
    from sklearn import linear_model, metrics, model_selection, pipeline, preprocessing

    inside = snippets.foreground.to_numpy(bool)
    probe = pipeline.make_pipeline(
        preprocessing.StandardScaler(), linear_model.LogisticRegression(max_iter=1000))
    said = model_selection.cross_val_predict(
        probe, features, inside, groups=snippets.video, method="decision_function",
        cv=model_selection.GroupKFold(min(5, snippets.video.nunique())))
    apart = metrics.silhouette_score(features, inside, metric="cosine")
    return {"silhouette": 100 * float(apart),
            "probe": 100 * float(metrics.roc_auc_score(inside, said))}


def measured_features(dataset: Dataset, models: dict[str, Experiment | None], stream: str,
                      snippets: pd.DataFrame, seeds: int, folder: str | Path | None = None,
                      ) -> tuple[dict[tuple[str, int], np.ndarray], pd.DataFrame]:
    """Features of models on the same snippets, and how far apart they keep the two kinds.

    Parameters
    ----------
    dataset : Dataset
    models : dict of str to Experiment or None
        By name; None stands for the features that go in, the same for every seed.
    stream : str
    snippets : DataFrame
        As `drawn_snippets` gives them.
    seeds : int
        Seeds 0, 1, ... of each model.
    folder : str or Path, optional
        As in `facnet.experiment.trained`.

    Returns
    -------
    features : dict of (str, int) to ndarray [n, D]
        By name and seed.
    measured : DataFrame [variant, seed, silhouette, probe]
        As `silhouette_and_probe` measures them. The claims of "fig8" compare it `by_measure`.
    """
    features, measured = {}, []
    for name, seed in product(models, range(seeds)):
        experiment = models[name]
        if experiment is not None or seed == 0:
            model = experiment and trained(
                dataset, replace(experiment, seed=seed), stream, folder)[0]
            own = embedded(model, dataset, stream, snippets)
            apart = silhouette_and_probe(own, snippets)
        features[name, seed] = own
        measured.append({"variant": name, "seed": seed, **apart})
    return features, pd.DataFrame(measured)


def laid_out(features: np.ndarray) -> np.ndarray:
    """Features in the plane by t-SNE, [n, D] to [n, 2]: by cosine distance, seed 0."""
    from sklearn.manifold import TSNE

    perplexity = min(30, (len(features) - 1) / 3)
    return TSNE(metric="cosine", perplexity=perplexity, random_state=0).fit_transform(features)


def label_entropy(labels: np.ndarray) -> tuple[float, float]:
    """H(J) and H(J | video) in nats, J being drawn evenly from the classes of a video.

    Parameters
    ----------
    labels : ndarray [V, C]
        Zeros and ones; a video without any has no J and is left out.

    Examples
    --------
    >>> print(*(f"{value:.3f}" for value in label_entropy(np.eye(4))))
    1.386 0.000
    >>> print(*(f"{value:.3f}" for value in label_entropy(np.ones((3, 4)))))
    1.386 1.386
    """
    from scipy.stats import entropy

    shares = _shares(labels[labels.any(1)])
    return float(entropy(shares.mean(0))), float(entropy(shares, axis=1).mean())


def _shares(labels: np.ndarray) -> np.ndarray:
    """ŷ of equation 6."""
    return labels / labels.sum(1, keepdims=True)


def least_cw_loss(candidates: int, scale: float) -> float:
    """What L_cw cannot fall below for a video of one class, in nats, for all δ can do.

    Features past a ReLU are not negative, so that two cosines with W_f differ by √2 at most and
    not by 2.

    Examples
    --------
    >>> print(f"{least_cw_loss(21, 10.0):.1e} {least_cw_loss(21, 5.0):.1e}")
    1.4e-05 1.7e-02
    """
    return float(np.log1p((candidates - 1) * np.exp(-np.sqrt(2) * scale)))


def cw_loss(model: FACNet, dataset: Dataset, stream: str, videos: tuple[str, ...],
            experiment: Experiment) -> float:
    """L_cw (6) in nats, dropout off, the mean over the videos that have labels."""
    from scipy.special import xlogy

    # With no other branch on, the predictions are P_a (5).
    alone = changed(experiment, {
        "training.lambda_cw": 1.0, "training.lambda_ca": 0.0, "training.lambda_mil": 0.0})
    P_a = predict(model, dataset, stream, videos, alone).probability  # [V, K]
    labels = dataset.labels(videos)
    shown = labels.any(1)
    log_likelihood = xlogy(_shares(labels[shown]), P_a[shown, : labels.shape[1]])
    return float(-log_likelihood.sum(1).mean())


def bounds(dataset: Dataset, models: dict[str, tuple[Experiment, str]], seeds: int,
           folder: str | Path | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """log N - L_cw of models, N being the candidates of equation 7, in nats.

    Parameters
    ----------
    dataset : Dataset
    models : dict of str to (Experiment, str)
        What is trained, on which stream, by name.
    seeds : int
        Seeds 0, 1, ... of each.
    folder : str or Path, optional
        As in `facnet.experiment.trained`.

    Returns
    -------
    curves : DataFrame [model, seed, epoch, bound]
        Over the training videos through an epoch, with dropout.
    ends : DataFrame [model, seed, candidates, ceiling, reachable, train, test, classes]
        After the last epoch. ceiling: log N. reachable: that less H(J | video) of the training
        videos (`label_entropy`). train, test: over these videos, without dropout. classes: of the
        test videos H(J) - L_cw, which is no more than what F_a tells about their classes.
    """
    curves, ends = [], []
    for name, seed in product(models, range(seeds)):
        experiment, stream = replace(models[name][0], seed=seed), models[name][1]
        model, history = trained(dataset, experiment, stream, folder)
        train, test = training_videos(dataset, experiment)[0], dataset.subset("test")
        loss, test_loss = (cw_loss(model, dataset, stream, videos, experiment)
                           for videos in (train, test))
        labels, ceiling = dataset.labels(train), np.log(len(model.W_a))
        # A history is the mean over all videos; one without labels has loss 0 there.
        curves.append(pd.DataFrame({"model": name, "seed": seed, "epoch": history.epoch,
                                    "bound": ceiling - history.cw / labels.any(1).mean()}))
        ends.append({"model": name, "seed": seed, "candidates": len(model.W_a), "ceiling": ceiling,
                     "reachable": ceiling - label_entropy(labels)[1], "train": ceiling - loss,
                     "test": ceiling - test_loss,
                     "classes": label_entropy(dataset.labels(test))[0] - test_loss})
    return pd.concat(curves, ignore_index=True), pd.DataFrame(ends)
