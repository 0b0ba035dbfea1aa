"""FAC-Net (Huang, Wang and Li, ICCV 2021): model, training, localisation, evaluation.

The whole way, from features to a number, on the embedded data or on a folder of your own:

>>> import facnet
>>> from facnet.profiles import profile
>>> data = facnet.load("synthetic", "smoke")
>>> experiment = profile("smoke").apply(facnet.preset("released"))
>>> result = facnet.run(data, experiment, progress=False)
>>> print(result.detections.columns.tolist(), result.evaluation.protocol)
['video', 'label', 'start', 'end', 'score'] released

`run` calls `fit` and `predict` for each stream, then `detect` and `evaluate`, which may be called
one by one. What is named here is imported when it is first used.
"""

from importlib import import_module

__all__ = ["detect", "evaluate", "fit", "load", "predict", "preset", "run"]

_HOME = {"load": "facnet.data", "preset": "facnet.methods", "fit": "facnet.training",
         "predict": "facnet.training", "evaluate": "facnet.evaluation",
         "detect": "facnet.experiment", "run": "facnet.experiment"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'facnet' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
