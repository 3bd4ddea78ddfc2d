"""The schemas of the configuration's files inside the chart's values.schema.json: a typo in a file fails in `helm lint`, too.

    python -m tests.helm.values_schema

writes them anew from the models; the rest of the file, about the chart's own values, is written by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gateway.config.json_schema import MODELS, json_schema

FILE = Path(__file__).parents[2] / "helm" / "qlik-auth-gateway" / "values.schema.json"


def embedded() -> dict[str, Any]:
    """Every kind of file and its parts, under names of their own."""
    found: dict[str, Any] = {}
    for kind in MODELS:
        whole = json_schema(kind)
        parts = whole.pop("$defs")
        for name in ("$schema", "title"):
            del whole[name]
        found[kind] = _moved(whole, kind)
        found |= {f"{kind}.{name}": _moved(part, kind) for name, part in parts.items()}
    return found


def _moved(schema: Any, kind: str) -> Any:
    """References follow the parts to their new names. Beside a reference draft 7 reads nothing, so nothing is left there."""
    if isinstance(schema, list):
        return [_moved(item, kind) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return {"$ref": schema["$ref"].replace("#/$defs/", f"#/definitions/{kind}.")}
    return {key: _moved(value, kind) for key, value in schema.items()}


def renewed() -> str:
    """The file as it should be."""
    whole = json.loads(FILE.read_text(encoding="utf-8"))
    own = {name: part for name, part in whole["definitions"].items() if name.partition(".")[0] not in MODELS}
    return json.dumps(whole | {"definitions": own | embedded()}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(renewed(), encoding="utf-8")
