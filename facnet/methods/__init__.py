"""The methods of this book under one roof: one table, a module a method.

What trains, localises, evaluates and sweeps asks this table and knows no method by name.
"""

from importlib import import_module

from facnet.config import Experiment, from_dict
from facnet.errors import named
from facnet.methods.method import Method

# The modules of this folder that hold a METHOD.
MODULES = ("fac_net", "stpn", "bm", "w_talc", "um")
METHODS: dict[str, Method] = {method.name: method for method in (
    import_module(f"facnet.methods.{name}").METHOD for name in MODULES)}


def method_of(experiment: Experiment) -> Method:
    """The row of `METHODS` that an experiment names.

    Raises
    ------
    FacnetError
        If there is none.
    """
    return named(experiment.method, METHODS, "method")


def recipes() -> dict[str, Experiment]:
    """All recipes of all methods, by name."""
    return {name: recipe for method in METHODS.values() for name, recipe in method.recipes.items()}


def preset(name: str = "released") -> Experiment:
    """The recipe called `name`.

    Parameters
    ----------
    name : str
        "released" (FAC-Net as the authors' code has it), "paper" (as the text has it),
        "activitynet" and "shrec21" (the former, localised for 200 classes and for gestures), or
        another method's.

    Raises
    ------
    FacnetError
        If there is no such recipe.

    Examples
    --------
    >>> preset("released").model.video_scale, preset("paper").model.video_scale
    (10.0, 5.0)
    """
    return named(name, recipes(), "preset")


def experiment_of(values: dict) -> Experiment:
    """The experiment that `facnet.config.to_dict` wrote, of whatever method.

    Raises
    ------
    FacnetError
        If the method or a field is unknown, or a value is not allowed.
    """
    default, *_ = named(values["method"], METHODS, "method").recipes.values()
    return from_dict(default, values)
