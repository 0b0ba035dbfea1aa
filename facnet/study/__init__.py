"""What the book asks of the core: tables, claims, pictures and the analyses of single chapters.

The names that every notebook uses can be had from here, and are imported when first used.
"""

from importlib import import_module

_HOME = {"notebook": ["check_parameters", "new_folder", "show_if_measurable"],
         "records": ["provenance"], "claims": ["read_claims"],
         "tables": ["base_of", "sweep", "variants"], "evidence": ["judged", "kept"],
         "statistics": ["Verdict", "cell", "interval", "means", "number", "percent", "readable",
                        "save_table", "show", "summary", "verdict"]}


def __getattr__(name: str) -> object:
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"facnet.study.{module}"), name)
    raise AttributeError(f"module 'facnet.study' has no attribute {name!r}")
