"""The `facnet` command: thin calls of the package."""

import json
import os
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from facnet.errors import FacnetError, suggest

PATH = click.Path(path_type=Path)
NEEDED = partial(click.option, type=PATH, required=True)
AT_LEAST_1 = click.IntRange(min=1)
FOLDER = click.argument("checkpoints", type=PATH, metavar="FOLDER")
DATASET = click.option(
    "--dataset", default="synthetic", metavar="NAME|FOLDER",
    help="synthetic, synthetic-activitynet, or a folder with annotations.json and features.",
)
PROFILE = click.option(
    "--profile", default="quick", metavar="NAME",
    help="Sizes, epochs and learning rate: smoke, quick, or full (the preset's own).",
)
DEVICE = click.option(
    "--device", default="cpu", help="Such as cpu or cuda; of a sweep that of every worker.")
SNIPPET_SECONDS = click.option(
    "--snippet-seconds", default=0.64,
    help="Seconds between two snippets: 16 frames at 25 fps; 4 frames at 30 fps are 0.13333.",
)
PRESET = click.option(
    "--preset", default="released", metavar="NAME",
    help="Recipe: released (FAC-Net, the authors' code), paper (FAC-Net, the text), activitynet or"
    " shrec21 (released, localised for these data), or another method's, such as STPN.",
)
CHANGES = click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE",
    help="Change one field of the recipe, such as training.epochs=5. May be repeated.",
)
PROTOCOL = click.option(
    "--protocol", metavar="NAME",
    help="What the detections are for: released drops those that touch an ambiguous interval,"
    " thumos and activitynet keep them.  [default: the data set's]",
)


@click.group(context_settings={
    "help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True})
@click.version_option(package_name="facnet")
def cli():
    """FAC-Net: find actions in untrimmed videos, learned from video-level labels alone."""


@cli.command()
@DATASET
@PROFILE
@DEVICE
@PRESET
@CHANGES
@click.option("--seed", default=0, help="Weights, order of videos, dropout.")
@NEEDED("--out", help="Folder for the checkpoints.")
def train(dataset, profile, device, preset, seed, changes, out):
    """Train a model a stream; write OUT/<stream>.safetensors and OUT/<stream>_losses.csv.

    A method that takes the streams side by side has one model, "rgb+flow".

    If it is cut short, the same command goes on after the last whole epoch.
    """
    from facnet import config
    from facnet.checkpoints import Checkpoint, check_origin, origin, save_checkpoint
    from facnet.data import load
    from facnet.methods import method_of, preset as recipe
    from facnet.training import fit

    _check_device(device)
    experiment = config.profile(profile).apply(recipe(preset))
    experiment = replace(config.changed(experiment, _changes(changes)), seed=seed)
    data = load(dataset, profile)
    out.mkdir(parents=True, exist_ok=True)
    files = {stream: (out / f"{stream}.safetensors", out / f"{stream}.training")
             for stream in method_of(experiment).streams(data)}
    # Before anything is trained: also what another method, of other streams, has left here.
    for path in sorted((*out.glob("*.safetensors"), *out.glob("*.training"))):
        check_origin(path, origin(data, path.stem, experiment))
    for stream, (path, state) in files.items():
        if path.exists():
            click.echo(f"{path}: already trained on {data.name}, {stream}, with this recipe")
        else:
            if state.exists():
                click.echo(f"{state}: going on from here")
            model, history = fit(data, stream, experiment, device, state_file=state)
            history.to_csv(out / f"{stream}_losses.csv", index=False)
            save_checkpoint(path, Checkpoint(
                model.cpu(), stream, data.classes, experiment, data.name, data.fingerprint()))
            click.echo(f"{path}: trained on {data.name}, {stream}")
        state.unlink(missing_ok=True)


@cli.command()
@FOLDER
@DATASET
@PROFILE
@DEVICE
@click.option("--subset", default="test", help="train or test.")
@PROTOCOL
@NEEDED("--out", help="Detections, ActivityNet results JSON.")
def localize(checkpoints, dataset, profile, device, subset, protocol, out):
    """Find actions with the checkpoints in FOLDER, all of one method, and fuse the streams."""
    from facnet.data import load
    from facnet.experiment import detect
    from facnet.files import write_detections

    data = load(dataset, profile)
    scores, experiment = _scores(checkpoints, data, data.subset(subset), device)
    detections = detect(scores, data, experiment, protocol)
    write_detections(out, detections)
    click.echo(f"{out}: {len(detections)} detections in {detections.video.nunique()} videos")


@cli.command()
@click.argument("detections", type=PATH, metavar="DETECTIONS.json")
@NEEDED(
    "--annotations", metavar="PATH",
    help="A container, an ActivityNet-schema json, or a W-TALC annotation folder.",
)
@click.option(
    "--protocol", metavar="NAME",
    help="Rules of evaluation: released, activitynet or thumos.  [default: what the annotations"
    " name, or else released]",
)
@click.option("--tiou", metavar="A:B:STEP|A,B,…", help="Thresholds.  [default: the protocol's]")
@click.option("--videos", type=PATH, metavar="FILE", help="Evaluate only the videos listed here.")
@click.option(
    "--ignore", type=PATH, metavar="FILE",
    help="Ambiguous intervals, lines 'video start end', in place of the annotations' own.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(detections, annotations, protocol, tiou, videos, ignore, as_json):
    """Mean average precision of DETECTIONS.json, by tIoU and by class."""
    from facnet.evaluation import PROTOCOLS, evaluate, untimed
    from facnet.files import read_annotations, read_detections, read_ignored, read_videos

    truth = read_annotations(annotations)
    protocol = protocol or truth.protocol
    instances = truth.instances if videos else truth.test_instances
    if instances.empty:
        raise FacnetError(
            f"{annotations}: no video to evaluate has an instance with start and end. Labels alone"
            " are enough to train and to localize; to score detections takes segments.")
    if ignore:
        ignored = read_ignored(ignore)
    else:  # ambiguous intervals count where the protocol has a rule for them
        rules = PROTOCOLS.get(protocol)
        ignored = None if rules and rules.ignored == "refused" else truth.ignored
    found, unknown = read_detections(detections), untimed(truth.videos, truth.instances)
    lost = found[found.video.isin(unknown)]
    if len(lost):
        click.echo(
            f"Left out: {len(lost)} detections in {lost.video.nunique()} videos with labels but no"
            f" segment, such as {lost.video.iloc[0]}.", err=True)
    result = evaluate(
        found.drop(lost.index), instances, protocol,
        tiou=_thresholds(tiou) if tiou else None,
        videos=read_videos(videos) if videos else None,
        ignored=ignored, snippet_seconds=truth.snippet_seconds,
    )
    if as_json:
        click.echo(json.dumps({
            "protocol": protocol, "videos": result.videos,
            "instances": int(result.instances.sum()), "detections": len(result.detections),
            "left_out": result.left_out, "average": result.average,
            "mean_ap": {str(k): v for k, v in result.mean_ap.items()},
            "ap": {c: {str(k): v for k, v in row.items()} for c, row in result.ap.iterrows()},
        }, indent=1))
        return
    table = result.ap.copy()
    table.loc["mAP"] = result.mean_ap
    table["AVG"] = table.mean(axis=1)
    click.echo(table.rename_axis(None).to_string(float_format="%.1f"))
    click.echo(
        f"\nProtocol {protocol} ({PROTOCOLS[protocol].source}): {result.videos} videos,"
        f" {result.instances.sum()} instances, {len(result.detections)} detections."
    )
    for reason, count in result.left_out.items():
        click.echo(f"Left out: {count} detections {reason}.", err=True)
    if result.elsewhere:
        click.echo(
            f"{result.elsewhere} detections lie in videos without any instance: false positives.",
            err=True)


@cli.command()
@FOLDER
@DATASET
@PROFILE
@DEVICE
@PROTOCOL
@click.option("--video", required=True, metavar="NAME", help="Of train or test.")
@click.option(
    "--label", "labels", multiple=True, metavar="NAME",
    help="A class to show; may be repeated.  [default: those that it has or that were found]",
)
@click.option(
    "--stream", metavar="NAME",
    help="Whose scores are shown; detections are of all.  [default: the last]",
)
@NEEDED("--out", help="A file that ends in .svg, .pdf or .png.")
def draw(checkpoints, dataset, profile, device, protocol, video, labels, stream, out):
    """Draw one video's scores and detections over time.

    From the top: foreground scores, and for each class the sequence with its thresholds, detections
    and ground truth. Where only labels are known there is no ground truth to draw.
    """
    from facnet.data import load
    from facnet.experiment import detect
    from facnet.study import plots, timelines

    if out.suffix.lower() not in plots.FORMATS:
        raise FacnetError(f"--out {out}: must end in {', '.join(plots.FORMATS)}.")
    data = load(dataset, profile)
    _check_choice("--video", [video], data.videos.video)
    _check_choice("--label", labels, data.classes)
    scores, experiment = _scores(checkpoints, data, (video,), device)
    stream = stream or list(scores)[-1]
    _check_choice("--stream", [stream], scores)
    detections = detect(scores, data, experiment, protocol)
    labels = labels or timelines.shown_classes(data, video, detections)
    plots.use_style()
    figure = timelines.timeline(data, scores[stream], {video: labels}, detections, experiment)
    plots.write_figure(figure, out)
    shown, of = detections.label.isin(labels).sum(), ", ".join(labels) or "any class"
    subset = data.videos.set_index("video").subset[video]
    click.echo(
        f"{out}: {subset} video {video}, scores of {stream}, {shown} detections of {of}")


@cli.command()
@click.argument("name", metavar="table1|...|table5|fig4|lambda_cw|weights|seeds|...")
@DATASET
@PROFILE
@DEVICE
@PRESET
@CHANGES
@click.option("--seeds", type=AT_LEAST_1, default=3, help="How many of each variant: 0, 1, ...")
@click.option("--jobs", type=AT_LEAST_1, default=1, help="Processes on this machine.")
@click.option(
    "--scheduler", metavar="tcp://HOST:PORT",
    help="A Dask scheduler, whose workers run the experiments instead.",
)
@click.option(
    "--results", type=PATH, default=Path("results/experiments"),
    help="Folder of the records: what is there is not run again.",
)
@click.option("--out", type=PATH, help="Also write the frame, one row a seed and tIoU, as CSV.")
def sweep(name, dataset, profile, device, preset, changes, seeds, jobs, scheduler, results, out):
    """Run what is missing of a table's or figure's experiments, and summarise them.

    It may be stopped at any moment and started again; only experiments in flight are lost.
    """
    from facnet.study.statistics import summary
    from facnet.study.tables import base_of, chosen_lambdas, chosen_weights, sweep

    if scheduler is None:  # with one the workers' device is meant
        _check_device(device)
    if out and not out.parent.is_dir():
        raise FacnetError(f"--out {out}: its folder does not exist.")
    base = base_of(name, profile, preset, _changes(changes))
    frame = sweep(name, dataset, profile, seeds, results, base, jobs, scheduler, device=device)
    if out:
        frame.to_csv(out, index=False)
    shown = summary(frame).rename_axis(None)
    judged = frame.groupby("variant")
    if name == "lambda_cw":  # what the weight is chosen by; AVG on the test videos is not
        shown = shown[[]].assign(**{"loss on held-out videos": judged.held_out_loss.mean()})
        click.echo(shown.to_string(float_format="%.4f"))
        click.echo("\nChosen: " + ", ".join(
            f"{host} {weight:g}" for host, weight in chosen_weights(frame).items()) + ".")
        return
    if name == "weights":
        mean_ap = judged.held_out_classification.mean()
        shown = shown[[]].assign(**{"classification mAP of held-out videos": mean_ap})
        click.echo(shown.to_string(float_format="%.1f"))
        click.echo("\nChosen: " + " ".join(
            f"--set {field}={weight:g}" for field, weight in chosen_lambdas(frame).items()))
        return
    if name == "table5":
        shown.insert(0, "lambda_cw", frame.groupby("variant").lambda_cw.first())
    click.echo(shown.to_string(float_format="%.1f", na_rep="-"))
    tious = [column for column in frame if column.startswith("0.")]
    click.echo(
        f"\nAVG over tIoU {tious[0]} to {tious[-1]} in percent on {dataset},"
        f" profile {profile}: mean over n seeds with the 95 % bootstrap interval; other: by the"
        " other threshold rule; collapsed: seeds with a collapsed stream.")


@cli.group()
def data():
    """Import features, and check a data set's folder."""


@data.command()
@click.argument("folder", type=PATH)
def check(folder):
    """Say everything that is wrong with a data set's FOLDER.

    Errors, which training or evaluation would fail on, end with exit status 1. Oddities are kept
    and listed. A folder without errors is portrayed in numbers.
    """
    from facnet.importers.check import check_folder

    report = check_folder(folder)
    for line in report.errors:
        click.echo(f"error: {line}")
    for line in report.oddities:
        click.echo(f"oddity: {line}")
    if report.portrait is not None:
        shown = report.portrait.map(lambda v: f"{v:,.0f}" if v % 1 == 0 else f"{v:.3f}")
        click.echo(shown.replace("nan", "unknown").to_string())
    click.echo(f"{folder}: {len(report.errors)} errors, {len(report.oddities)} oddities")
    sys.exit(1 if report.errors else 0)


@data.command()
@NEEDED(
    "--features", metavar="DIR",
    help="A folder of VIDEO.npy [T, D], joint or in a folder a stream. Stays where it is.",
)
@NEEDED(
    "--annotations", metavar="FILE.csv",
    help="Columns video,label,start,end in seconds, and subset (train or test) if split already."
    " Start and end may be empty, or left out with their columns.",
)
@click.option(
    "--snippet-seconds", type=float, required=True,
    help="Seconds between two snippets: 16 frames at 25 fps are 0.64.",
)
@click.option(
    "--streams", metavar="A,B,…",
    help="What the columns of VIDEO.npy hold, in equal parts, such as rgb,flow.  [default: one"
    " stream, features]",
)
@click.option("--test-share", default=0.3, help="Of the videos, where the CSV has no subsets.")
@click.option("--seed", default=0, help="Which videos those are.")
@NEEDED("--out", help="Folder to make, such as data/mine.")
def init(features, annotations, snippet_seconds, streams, test_share, seed, out):
    """Make a data set's folder of your own features and a CSV of segments.

    Nothing is copied: OUT/features is a link to DIR, unless DIR is OUT/features itself. OUT is
    written whole or not at all.
    """
    from facnet.importers.own import init_folder

    click.echo(init_folder(features, annotations, out, snippet_seconds,
                           tuple(streams.split(",")) if streams else (), test_share, seed))
    click.echo(f"{out}: made; the report is in {out / 'import_report.txt'}")


@data.group("import")
def import_data():
    """Turn other people's layouts into a data set's folder."""


@import_data.command()
@NEEDED(
    "--features", metavar="PATH",
    help="W-TALC's file, or a folder of VIDEO.npy, joint or below rgb/ and flow/.",
)
@NEEDED(
    "--annotations", metavar="FOLDER",
    help="The folder Thumos14reduced-Annotations, or an ActivityNet-schema json.",
)
@SNIPPET_SECONDS
@NEEDED("--out", help="Folder to make, such as data/thumos14.")
def thumos14(features, annotations, snippet_seconds, out):
    """Import THUMOS14: write OUT whole or not at all, and report what was done."""
    from facnet.importers.thumos14 import import_thumos14

    click.echo(import_thumos14(features, annotations, out, snippet_seconds))
    click.echo(f"{out}: imported; the report is in {out / 'import_report.txt'}")


@import_data.command()
@NEEDED(
    "--source", metavar="PATH",
    help="The folder with the distribution: training and test sequences with their annotations.",
)
@NEEDED("--out", help="Folder to make, such as data/shrec21.")
def shrec21(source, out):
    """Import SHREC'21: write OUT whole or not at all, and report what was done."""
    from facnet.importers.shrec21 import import_shrec21

    click.echo(import_shrec21(source, out))
    click.echo(f"{out}: imported; the report is in {out / 'import_report.txt'}")


@import_data.command()
@NEEDED(
    "--features", metavar="DIR",
    help="A folder of VIDEO.npy or v_VIDEO.npy to any depth, joint or below rgb/ and flow/. Stays"
    " where it is.",
)
@NEEDED(
    "--annotations", metavar="FILE.json",
    help="The official activity_net.v1-3.min.json.",
)
@SNIPPET_SECONDS
@NEEDED("--out", help="Folder to make, such as data/activitynet.")
def activitynet(features, annotations, snippet_seconds, out):
    """Import ActivityNet-1.3: write OUT whole or not at all, and report what was done.

    Nothing is copied: OUT/features holds a link to each file that is used. Videos without features
    are left out.
    """
    from facnet.importers.activitynet import import_activitynet
    from facnet.importers.importing import shortened

    click.echo(shortened(import_activitynet(features, annotations, out, snippet_seconds)))
    click.echo(f"{out}: imported; the whole report is in {out / 'import_report.txt'}")


@cli.group()
def checkpoint():
    """Work with trained models."""


@checkpoint.command("import")
@click.argument("file", type=PATH, metavar="FILE.pkl")
@click.option("--stream", required=True, help="Which stream it was trained on, rgb or flow.")
@click.option(
    "--dataset", metavar="FOLDER",
    help="Takes the class names from this data set.  [default: THUMOS14's 20 classes]",
)
@NEEDED("--out", help="Folder for the checkpoint.")
def import_(file, stream, dataset, out):
    """Turn the authors' released state dict into OUT/<stream>.safetensors."""
    from facnet.checkpoints import import_released, save_checkpoint
    from facnet.data import load
    from facnet.synthetic.thumos14 import CLASSES

    classes = load(dataset).classes if dataset else tuple(sorted(CLASSES))
    imported = import_released(file, stream, classes)
    out.mkdir(parents=True, exist_ok=True)
    save_checkpoint(out / f"{stream}.safetensors", imported)
    click.echo(f"{out / f'{stream}.safetensors'}: imported from {file}")


def _changes(texts: tuple[str, ...]) -> dict[str, object]:
    """'model.scale=4' and the like by field; values are JSON or plain words."""
    changes = {}
    for text in texts:
        place, equals, value = text.partition("=")
        if not equals:
            raise FacnetError(f"--set {text}: write it as training.epochs=5.")
        try:
            changes[place] = json.loads({"True": "true", "False": "false"}.get(value, value))
        except json.JSONDecodeError:
            changes[place] = value
    return changes


def _check_device(device: str) -> None:
    """Refuse a device that this machine does not have."""
    import torch

    try:
        torch.empty(0, device=device)
    except (AssertionError, RuntimeError) as error:
        raise FacnetError(f"--device {device}: {str(error).splitlines()[0]}") from error


def _check_choice(option: str, given, choices) -> None:
    """Refuse a name that there is not."""
    for name in given:
        if name not in list(choices):
            raise FacnetError(f"{option} {name}: there is none.{suggest(name, choices)}")


def _scores(folder: Path, data, videos: tuple[str, ...], device: str) -> tuple:
    """Scores of the videos by stream, of the models in a folder, and the models' recipe."""
    from facnet.checkpoints import load_checkpoint
    from facnet.methods import method_of
    from facnet.training import predict

    _check_device(device)
    models = {}
    for path in sorted(folder.glob("*.safetensors")):
        one = load_checkpoint(path, device)
        if one.classes != data.classes:
            raise FacnetError(f"{path}: trained on other classes than {data.name} has.")
        if one.stream in models:
            raise FacnetError(f"{path}: a second checkpoint of stream {one.stream} in its folder.")
        models[one.stream] = one
        first = next(iter(models.values()))
        if (one.experiment.method, one.experiment.localization) != (
                first.experiment.method, first.experiment.localization):
            raise FacnetError(
                f"{path}: its method or its settings of localization differ from those of stream"
                f" {first.stream}; train both with one recipe.")
    if not models:
        raise FacnetError(f"{folder}: no .safetensors checkpoint in this folder.")
    streams = method_of(first.experiment).streams(data)
    for stream in streams:
        if stream not in models:
            raise FacnetError(f"{folder}: no checkpoint of stream {stream}.")
    scores = {stream: predict(models[stream].model, data, stream, videos,
                              models[stream].experiment, device) for stream in streams}
    return scores, models[streams[0]].experiment


def _thresholds(text: str) -> list[float]:
    """'0.1:0.7:0.1' (both ends included) or '0.3,0.5'."""
    try:
        if ":" in text:
            start, stop, step = (float(part) for part in text.split(":"))
            return [start + i * step for i in range(round((stop - start) / step) + 1)]
        return [float(part) for part in text.split(",")]
    except (ValueError, ZeroDivisionError) as error:
        raise FacnetError(f"--tiou {text}: write it as 0.1:0.7:0.1 or 0.3,0.5.") from error


def main(arguments: list[str] | None = None) -> None:
    """Run the command; bad input is one line and exit status 2."""
    # Read when torch is first imported. Threads that spin while they wait for work made training
    # ten times slower on cores that others used too; on free ones it costs nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        cli.main(arguments, prog_name="facnet")
    except FacnetError as error:
        if len(error.faults) > 1:
            for fault in error.faults:
                click.echo(f"error: {fault}", err=True)
            error = f"{error.heading} {len(error.faults)} errors."
        click.echo(f"facnet: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"facnet: {error.filename}: {error.strerror}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
