"""A data set in a dozen numbers, to hold beside those of its authors or of another copy."""

import numpy as np
import pandas as pd

from facnet.data import Dataset


def portrait(dataset: Dataset) -> pd.DataFrame:
    """What a data set holds, by subset.

    Returns
    -------
    DataFrame [train, test]
        Rows: videos; videos of several classes (by their video-level labels); instances; classes
        (with an instance); hours of video; snippets (of the first stream); foreground share (time
        inside any instance, of all time); median instance, in seconds. NaN where durations or
        training instances are not given.
    """
    columns = {}
    for subset in ("train", "test"):
        videos = dataset.videos[dataset.videos.subset == subset]
        instances = dataset.instances_of(subset)
        lengths = instances.end - instances.start
        seconds = videos.duration.sum(skipna=False)
        columns[subset] = {
            "videos": len(videos),
            "videos of several classes": int((videos.labels.map(len) > 1).sum()),
            "instances": len(instances) or np.nan,
            "classes": instances.label.nunique() or np.nan,
            "hours": seconds / 3600,
            "snippets": sum(len(dataset.features(dataset.streams[0], v)) for v in videos.video),
            "foreground share": foreground_seconds(videos, instances) / seconds,
            "median instance (s)": lengths.median(),
        }
    return pd.DataFrame(columns)


def foreground_seconds(videos: pd.DataFrame, instances: pd.DataFrame) -> float:
    """Seconds inside any instance, overlaps counted once and nothing past a video's end.

    Parameters
    ----------
    videos : DataFrame [video, duration]
    instances : DataFrame [video, start, end]
    """
    if instances.empty:
        return np.nan
    ends = instances.video.map(videos.set_index("video").duration)
    ordered = pd.DataFrame({
        "video": instances.video, "start": np.minimum(instances.start, ends),
        "end": np.minimum(instances.end, ends),
    }).sort_values(["video", "start"])
    # What an instance adds begins where all earlier ones of its video have ended.
    reached = ordered.groupby("video").end.cummax().groupby(ordered.video).shift(fill_value=0.0)
    return float((ordered.end - np.maximum(ordered.start, reached)).clip(lower=0).sum())
