"""Detections as subtitles, for any player: WebVTT or SubRip."""

from pathlib import Path

import pandas as pd

from facnet.errors import FacnetError
from facnet.files import write_text

SUFFIXES = (".vtt", ".srt")


def write_subtitles(path: Path, detections: pd.DataFrame) -> None:
    """Write one video's detections, a cue each, by start; the file's ending says which format.

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
    mark = "," if path.suffix == ".srt" else "."
    cues = [f"{_clock(one.start, mark)} --> {_clock(one.end, mark)}\n"
            f"{' '.join(one.label.replace('-->', '→').split())} ({one.score:.2f})\n"
            for one in detections.sort_values(["start", "end"]).itertuples()]
    if path.suffix == ".srt":
        cues = [f"{number}\n{cue}" for number, cue in enumerate(cues, start=1)]
    write_text(path, "\n".join(["WEBVTT\n"] * (path.suffix == ".vtt") + cues))


def _clock(seconds: float, mark: str) -> str:
    thousandths = round(1000 * seconds)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}{mark}{rest % 1000:03}"
