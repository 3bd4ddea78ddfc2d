"""From a folder of YAML files to values of the core, or to every mistake in them with file, line and column.

    folder, yaml12, tree, document   bytes to a tree that knows its places
    wire*, values, shape             its form: keys, types, texts (pydantic)
    references, material             what must fit together, in the files and in what they name
    building, settings               what comes of it
    reporting, json_schema           for people and programs

Needs no network. A mistake never hides another one that a person could see beside it.
"""

from gateway.config.diagnostics import Code, Problem, Severity
from gateway.config.loading import Loaded, load

__all__ = ["Code", "Loaded", "Problem", "Severity", "load"]
