"""Detections as subtitles, for any player: WebVTT or SubRip."""

from html import escape
from pathlib import Path

import pandas as pd

from facnet.errors import FacnetError
from facnet.files import write_text

SUFFIXES = (".vtt", ".srt")


def write_subtitles(path: Path, detections: pd.DataFrame) -> None:
    """Write one video's detections, a cue each, by start; the file's ending says which format.

    A cue is shown for a millisecond at least.

    Parameters
    ----------
    path : Path
        Ends in .vtt or .srt.
    detections : DataFrame [video, label, start, end, score]

    Raises
    ------
    FacnetError
        If there are several videos in it.
    """
    if (count := detections.video.nunique()) > 1:
        raise FacnetError(f"{path}: detections are of {count} videos; subtitles are of one: name it"
                          " with --video.")
    web, cues = path.suffix.lower() == ".vtt", []
    mark = "." if web else ","
    for one in detections.sort_values(["start", "end"]).itertuples():
        label = " ".join(one.label.split())
        label = escape(label, quote=False) if web else label.replace("-->", "→")
        start = round(1000 * one.start)
        end = max(round(1000 * one.end), start + 1)
        cues.append(f"{_clock(start, mark)} --> {_clock(end, mark)}\n{label} ({one.score:.2f})\n")
    if not web:
        cues = [f"{number}\n{cue}" for number, cue in enumerate(cues, start=1)]
    write_text(path, "\n".join(["WEBVTT\n"] * web + cues))


def _clock(thousandths: int, mark: str) -> str:
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{mark}{rest % 1000:03}"
