"""Which experiments make Tables 1 to 5 and Fig. 4, and what they say together.

The paper leaves open how a branch is weighed when others are off. Here the losses that are on keep
the preset's ratios and the largest has weight 1, as the main branch has in the paper. All rows of
Tables 3 and 4 are localised by the preset's one rule. Where the CA branch is off, classes are kept
by the predictions of the branches that are on (`predictions` of `facnet.methods.fac_net`).

Of Table 2, on ActivityNet, FAC-Net alone runs here. Of the other methods only UM is in both, and
its authors' code has neither thresholds nor lengths of training for 200 classes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from facnet.config import Experiment, changed, flat, to_dict
from facnet.data import Dataset, load, usable
from facnet.errors import FacnetError, check_choice, named
from facnet.experiment import experiment_key
from facnet.methods import preset, recipes
from facnet.profiles import profile
from facnet.study import published
from facnet.study.records import Place, run_missing
from facnet.study.separation import Lacking, drawn_snippets

BRANCHES = ("cw", "ca", "mil")
# Table 5: the methods that take the CW branch in, and the weights to choose from for each.
HOSTS = ("STPN + Embedding", "BM", "W-TALC", "UM")
WEIGHTS = (0.05, 0.2, 1.0)
HELD_OUT = 0.2  # of the training videos, for the choice
TWO_CLASSES = ("W-TALC", "UM")  # methods whose softmax over a single class would be 1
# The sweeps that have recipes of their own, and these.
NAMED = {"table1": ("released", "STPN", "BM", "W-TALC", "UM"),
         "table2": ("activitynet",),
         "differences": ("released", "paper"),
         "table5": ("STPN", *HOSTS, *(f"{host} + CW" for host in HOSTS)),
         "lambda_cw": tuple(f"{host} + CW" for host in HOSTS)}
# λ of Fig. 4, for which the paper prints no grid.
LAMBDAS = (0.001, 0.03, 1.0)
# Fields of which one does not go without the others, in an order in which they may be set: S_a has
# no uniform probability, and thresholds on a sequence's own range are no multiples of one.
TOGETHER = ("localization.threshold_rule", "localization.thresholds", "localization.sequence")
# What the text leaves open: the value that a reader who knows only the text might take instead of
# the released one. Adam's own defaults; the .001 of the released code's help text; and ACM-Net's
# and CO2-Net's rule for a video of which no class is probable enough.
OPEN = {"training.betas": (0.9, 0.999), "training.weight_decay": 0.001,
        "localization.argmax_fallback": True}
TEXT = "all of the text"  # the variant with all differences
# λ_CW, λ_CA and λ_MIL to choose from for a data set; the largest of a choice is 1.
CHOICES = ((0.0, 0.1, 1.0), (0.1, 1.0), (0.1, 1.0))


@dataclass(frozen=True)
class Variant:
    """One cell of a table or point of a figure.

    Attributes
    ----------
    name : str
    experiment : Experiment
        With seed 0; a sweep takes it at others.
    paper : float
        The AVG that the paper prints, in percent, or NaN.
    place : dict
        Where it stands: values of the table's own columns, such as {"cw": 1, "hybrid": 0}.
    """

    name: str
    experiment: Experiment
    paper: float = np.nan
    place: dict = field(default_factory=dict)


def base_of(name: str, profile_name: str = "quick", preset_name: str = "released",
            changes: dict[str, object] | None = None) -> Experiment | dict[str, Experiment]:
    """What a sweep varies: the full model, or the recipes of `NAMED`, by name.

    Parameters
    ----------
    name : str
        The sweep, or a column of it.
    profile_name : str
        Gives sizes.
    preset_name : str
        The full model's recipe.
    changes : dict, optional
        Of fields by dotted name, {"training.epochs": 5}; of every recipe.

    Raises
    ------
    FacnetError
        If the sweep cannot be of that preset, or a field or value is not allowed.
    """
    name, size, changes = name.partition(":")[0], profile(profile_name), changes or {}
    if name not in NAMED:
        base = changed(size.apply(preset(preset_name)), changes)
        if base.method != "FAC-Net" and name != "seeds":
            raise FacnetError(f"{name} varies FAC-Net; preset {preset_name!r} is of {base.method}.")
        return base
    if preset_name != "released" or "training.lambda_cw" in changes:
        raise FacnetError(f"{name} has recipes of its own, and its own weights of the CW branch; it"
                          " takes neither a preset nor training.lambda_cw.")
    return {one: changed(size.apply(recipes()[one]), changes) for one in NAMED[name]}


def variants(name: str, base: Experiment | dict[str, Experiment]) -> list[Variant]:
    """The variants of a sweep.

    Parameters
    ----------
    name : str
        A key of `SWEEPS`, or one column of it, such as "table4:full".
    base : Experiment or dict of str to Experiment
        As `base_of` gives it: the full model at a profile's sizes, or recipes by name.

    Raises
    ------
    FacnetError
        If there is no such sweep or column.
    """
    name, colon, column = name.partition(":")
    cells = named(name, SWEEPS, "sweep")(base)
    if colon:
        columns = {one.place["column"] for one in cells if "column" in one.place}
        check_choice(column, columns, f"{name} has no column {column!r}")
    return [one for one in cells if column in ("", one.place.get("column"))]


def with_branches(base: Experiment, on: Iterable[str], temperatures: Sequence[float],
                  background: bool) -> Experiment:
    """The model with some losses on, their weights in the preset's ratios and at most 1."""
    weights = {b: getattr(base.training, f"lambda_{b}") * (b in on) for b in BRANCHES}
    largest = max(weights.values())
    if largest == 0:
        raise FacnetError(f"The losses of {', '.join(on)} have weight 0 in the full model.")
    lambdas = {f"training.lambda_{b}": weight / largest for b, weight in weights.items()}
    return changed(base, lambdas | {"model.temperatures": temperatures,
                                    "model.background_class": background})


def _table3(base: Experiment) -> list[Variant]:
    rows = []
    for row in published.table(3).to_dict("records"):
        on = [b for b in BRANCHES if row[b]]
        taus = base.model.temperatures if row["hybrid"] else (1.0,)
        experiment = with_branches(base, on, taus, bool(row["background"]))
        name = "+".join(on).upper() + ", hybrid" * row["hybrid"] + ", BG" * row["background"]
        rows.append(Variant(name, experiment, row["average"], {
            part: row[part] for part in (*BRANCHES, "hybrid", "background")}))
    return rows


def _table4(base: Experiment) -> list[Variant]:
    cells, printed = [], published.table(4).set_index("temperatures")
    for temperatures, column in product(printed.index, (*BRANCHES, "full")):
        full, taus = column == "full", [float(tau) for tau in temperatures.split()]
        experiment = with_branches(base, BRANCHES if full else (column,), taus, background=full)
        name = f"{'Full' if full else column.upper()} ({temperatures})"
        place = {"temperatures": temperatures, "column": column}
        cells.append(Variant(name, experiment, printed.loc[temperatures, column], place))
    return cells


def _fig4(base: Experiment) -> list[Variant]:
    """The points of the three panels, and the full model, which is in none: its `main` is ""."""
    points = [Variant("full model", base, place={"main": ""})]
    for main, *values in product(BRANCHES, LAMBDAS, LAMBDAS):
        others = [b for b in BRANCHES if b != main]
        weights = {f"lambda_{b}": w for b, w in zip((main, *others), (1.0, *values))}
        said = ", ".join(f"{b.upper()} {w:g}" for b, w in zip(others, values))
        experiment = replace(base, training=replace(base.training, **weights))
        place = {"main": main, **weights}
        points.append(Variant(f"{main.upper()} 1, {said}", experiment, place=place))
    return points


def _table1(base: dict[str, Experiment]) -> list[Variant]:
    """The methods of Table 1 that run here."""
    full = base["released"]
    without = changed(full, {"model.background_class": False})
    found = {**base, "FAC-Net w/o BG": without, "FAC-Net": full}
    printed = published.table(1).set_index("method").average
    return [Variant(name, one, printed[f"{name} (I3D)"])
            for name, one in found.items() if name != "released"]


def _table2(base: dict[str, Experiment]) -> list[Variant]:
    """The method of Table 2 that runs here."""
    printed = published.table(2).set_index("method").average
    return [Variant("FAC-Net", base["activitynet"], printed["FAC-Net (I3D)"])]


def _table5(base: dict[str, Experiment]) -> list[Variant]:
    """The rows that the data allow."""
    printed = published.table(5).set_index("method").average
    printed.index = printed.index.str.removesuffix(" (reproduced)")
    return [Variant(name, base[name], paper, {"host": name.removesuffix(" + CW"),
                                              "lambda_cw": base[name].training.lambda_cw})
            for name, paper in printed.items() if name in base]


def _lambda_cw(base: dict[str, Experiment]) -> list[Variant]:
    """Weights of the CW branch in each host, and none, without a fifth of the training videos."""
    found = []
    for host, weight in product(HOSTS, (0.0, *WEIGHTS)):
        if recipe := base.get(f"{host} + CW"):
            experiment = changed(recipe, {
                "training.lambda_cw": weight, "training.held_out": HELD_OUT})
            place = {"host": host, "lambda_cw": weight}
            found.append(Variant(f"{host}, λ_CW {weight:g}", experiment, place=place))
    return found


def chosen_weights(frame: pd.DataFrame) -> dict[str, float]:
    """The weight of the CW branch in each host, from a sweep of "lambda_cw".

    That of least binary cross-entropy on the held-out training videos, the mean over seeds: each
    video's probability of each class against its labels. Neither segments nor test videos count.
    A weight of 0 is no choice: the row of Table 5 is with CW.
    """
    loss = frame[frame.lambda_cw > 0].groupby(["host", "lambda_cw"]).held_out_loss.mean()
    return {host: float(own.droplevel("host").idxmin()) for host, own in loss.groupby("host")}


def _weights(base: Experiment) -> list[Variant]:
    """Weights of the branches, without a fifth of the training videos."""
    found = []
    for weights in product(*CHOICES):
        if max(weights) == 1:
            place = {f"lambda_{b}": w for b, w in zip(BRANCHES, weights)}
            experiment = replace(base, training=replace(base.training, held_out=HELD_OUT, **place))
            found.append(Variant(said_weights(experiment), experiment, place=place))
    return found


def lambdas_of(experiment: Experiment) -> dict[str, float]:
    """FAC-Net's weights of CW, CA and MIL, as fields of the recipe."""
    return {f"training.lambda_{b}": getattr(experiment.training, f"lambda_{b}") for b in BRANCHES}


def said_weights(experiment: Experiment) -> str:
    """FAC-Net's λ in words, those of CW, CA and MIL."""
    return "λ " + ", ".join(f"{weight:g}" for weight in lambdas_of(experiment).values())


def chosen_lambdas(frame: pd.DataFrame) -> dict[str, float]:
    """FAC-Net's weights, from a sweep of "weights", as fields of the training.

    Those with which the held-out training videos are classified best (mAP), the mean over seeds.
    Neither segments nor test videos count. Without the CW branch it is not FAC-Net, so a λ_CW of 0
    is no choice.
    """
    names = [f"lambda_{b}" for b in BRANCHES]
    best = frame[frame.lambda_cw > 0].groupby(names).held_out_classification.mean().idxmax()
    return {f"training.{name}": float(weight) for name, weight in zip(names, best)}


# How the sweeps that choose by held-out training videos do it.
CHOOSING = {"weights": chosen_lambdas, "lambda_cw": chosen_weights}


def _multilabel(base: Experiment) -> list[Variant]:
    """FAC-Net where videos show several classes: the released λ against the base's, and why.

    The base's are those that a sweep of "weights" chose, as `facnet.study.gestures` has it.
    """
    as_released = changed(base, lambdas_of(preset()))
    sigmoid = {"training.cw_classes": "sigmoid"}
    found = {"λ as released": as_released,
             "λ as released, a sigmoid a class": changed(as_released, sigmoid),
             "λ chosen": base,
             "λ chosen, a sigmoid a class": changed(base, sigmoid),
             "λ chosen, without CW": changed(base, {"training.lambda_cw": 0.0}),
             "frame-supervised": changed(base, {"training.supervision": "frame"}),
             "untrained": changed(base, {"training.epochs": 0})}
    return [Variant(name, one, place={"weights": said_weights(one)}) for name, one in found.items()]


def _seeds(base: Experiment) -> list[Variant]:
    return [Variant("released" if base.method == "FAC-Net" else base.method, base)]


def _collapse(base: Experiment) -> list[Variant]:
    """The full model, and what might move the number of its seeds that collapse."""
    return [*_seeds(base),
            Variant("W_f at random", changed(base, {"model.foreground_init": "xavier"})),
            Variant("λ_CA 1", changed(base, {"training.lambda_ca": 1.0}))]


def _differences(base: dict[str, Experiment]) -> list[Variant]:
    """The released recipe; each of its differences to the text's alone; all of a part, and all.

    A field by which the two presets differ is here without being named anywhere. Its part is that
    of the recipe, "model", "training" or "localization", or "open" for what the text leaves open.
    """
    released, paper = base["released"], base["paper"]
    here, there = flat(to_dict(released)), flat(to_dict(paper))
    differing = dict.fromkeys(TOGETHER if name in TOGETHER else (name,)
                              for name in here if here[name] != there[name])
    changes = [(names[0].partition(".")[0], {name: there[name] for name in names})
               for names in differing]
    changes += [("open", {name: value}) for name, value in OPEN.items()]
    found = [Variant("released", released, place={"part": "", "fields": ""})]
    for part, one in changes:
        words = ", ".join(name.partition(".")[2] for name in one)
        place = {"part": part, "fields": ", ".join(one)}
        found.append(Variant(words, changed(released, one), place=place))
    wholes = {f"all of {part}": replace(released, **{part: getattr(paper, part)})
              for part in ("model", "training", "localization")} | {TEXT: paper}
    return found + [Variant(name, one, place={"part": "all", "fields": ""})
                    for name, one in wholes.items() if one != released]


SWEEPS: dict[str, Callable[..., list[Variant]]] = {
    "table1": _table1, "table2": _table2, "table3": _table3, "table4": _table4,
    "fig4": _fig4, "table5": _table5, "lambda_cw": _lambda_cw,
    "weights": _weights, "multilabel": _multilabel, "seeds": _seeds, "collapse": _collapse,
    "differences": _differences}


def require(dataset: Dataset, background: bool = False, held_out: bool = False) -> None:
    """Nothing, if something can be measured on a data set: if test videos have instances.

    Parameters
    ----------
    dataset : Dataset
    background : bool
        Whether it takes test videos with snippets inside instances and others outside.
    held_out : bool
        Whether it takes training videos to hold out.

    Raises
    ------
    Lacking
        Says what there is not.
    """
    if dataset.instances_of("test").empty:
        raise Lacking(f"{dataset.name}: no test video has an instance with start and end; labels"
                      " alone are enough to train and to localise, but not to measure anything.")
    if background:
        drawn_snippets(dataset)
    count = len(dataset.subset("train"))
    if held_out and not round(HELD_OUT * count):
        raise Lacking(f"{dataset.name}: {count} training videos; a fifth of them, to choose weights"
                      " by, is none. It takes three.")


def possible(recipes: dict[str, Experiment], dataset: Dataset) -> dict[str, Experiment]:
    """The recipes that the data set's classes allow; a line says which of them are left out."""
    out = [name for name in recipes if recipes[name].method in TWO_CLASSES]
    if len(dataset.classes) > 1 or not out:
        return recipes
    print(f"Left out: {', '.join(out)}, which need two classes; {dataset.name} has one.")
    return {name: one for name, one in recipes.items() if name not in out}


def sweep(name: str, dataset: str = "synthetic", profile_name: str = "quick", seeds: int = 3,
          folder: str | Path = "results/experiments",
          base: Experiment | dict[str, Experiment] | None = None, jobs: int = 1,
          scheduler: str | None = None, protocol: str | None = None,
          device: str = "cpu") -> pd.DataFrame:
    """Run what is missing of a sweep and give all of it.

    Table 5 runs the sweep "lambda_cw" first, and takes for each host the weight of the CW branch
    that `chosen_weights` finds in it, or in the runs of it that are kept.

    Parameters
    ----------
    name : str
        A key of `SWEEPS`, or one column of it, such as "table4:full".
    dataset : str
        A name or folder, as `load` takes it. Workers on other machines must find it under the same
        path.
    profile_name : str
        Sizes.
    seeds : int
        Seeds 0, 1, ... of each variant.
    folder : str or Path
        Where records are.
    base : Experiment or dict of str to Experiment, optional
        What is varied; by default what `base_of` gives.
    jobs : int
        Processes on this machine.
    scheduler : str, optional
        Address of a Dask scheduler, tcp://host:port, whose workers run the experiments instead.
    protocol : str, optional
        By default the data set's.
    device : str
        As in `load`; with a scheduler that of its workers.

    Returns
    -------
    DataFrame
        A row a run: variant, the columns of its `place`, paper, seed, average (AVG),
        classification; of each stream "area STREAM" (ROC area) and "loss STREAM" (total loss of the
        last epoch); collapsed (streams, joined by "+"; "joint" for one model on all), seconds, key;
        held_out_classification and held_out_loss where training videos were held out; and mAP by
        tIoU, in columns "0.1" and so on.

    Raises
    ------
    Failure
        If experiments failed; the rest is done. FOLDER/KEY.failed.json holds each traceback.
    Lacking
        If the data set has too little to measure by, or to choose weights by.
    FacnetError
        If there is no such sweep, data set or profile.
    """
    folder, device = Path(folder).resolve(), device if scheduler else usable(device)
    dataset = str(Path(dataset).resolve()) if Path(dataset).is_dir() else dataset
    data = load(dataset, profile_name)
    protocol = protocol or data.protocol
    base = base or base_of(name, profile_name)
    require(data, held_out=name == "table5" or name in CHOOSING)  # before anything is trained
    base = possible(base, data) if isinstance(base, dict) else base
    if name == "table5":
        is_kept = (dataset, profile_name) == published.KEPT and base == base_of(name)
        weights = chosen_weights(published.result("lambda_cw")[0] if is_kept else sweep(
            "lambda_cw", dataset, profile_name, seeds, folder, base, jobs, scheduler, protocol,
            device))
        base = base | {f"{host} + CW": changed(base[f"{host} + CW"], {"training.lambda_cw": weight})
                       for host, weight in weights.items()}
    planned = [replace(cell, experiment=replace(cell.experiment, seed=seed))
               for cell, seed in product(variants(name, base), range(seeds))]
    keys = [experiment_key(data.fingerprint, cell.experiment, protocol) for cell in planned]
    wanted = {key: cell.experiment for key, cell in zip(keys, planned)}  # what coincides runs once
    place = Place(folder, dataset, profile_name, data.fingerprint, protocol, device)
    found = run_missing(name, wanted, place, jobs, scheduler)
    return pd.DataFrame([_run(cell, found[key]) for cell, key in zip(planned, keys)])


def _run(cell: Variant, one: dict) -> dict:
    """A row of what `sweep` gives, from a record."""
    held_out = {f"held_out_{name}": value for name, value in (one["held_out"] or {}).items()
                if name != "videos"}
    return {"variant": cell.name, **cell.place, "paper": cell.paper,
            "seed": cell.experiment.seed, "average": one["average"],
            "classification": one["classification"],
            **{f"area {stream}": np.nan if area is None else area
               for stream, area in one["separation"].items()},
            **{f"loss {stream}": own["total"][-1] if own["total"] else np.nan
               for stream, own in one["losses"].items()},
            "collapsed": "+".join("joint" if "+" in s else s for s in one["collapsed"]),
            "seconds": one["seconds"], "key": one["key"], **held_out,
            **{f"{tiou:g}": mean_ap for tiou, mean_ap in zip(one["tiou"], one["mean_ap"])}}
