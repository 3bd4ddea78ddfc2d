"""The wire models as JSON Schema (draft 2020-12), for editors: every key with its description, nothing that `check` refuses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from gateway.config.values import show_duration
from gateway.config.wire import Wire
from gateway.config.wire_gateway import GatewayWire
from gateway.config.wire_oidc import OidcWire
from gateway.config.wire_saml import SamlWire

MODELS: dict[str, type[Wire]] = {"gateway": GatewayWire, "oidc": OidcWire, "saml": SamlWire}
"""The kinds of files that there are."""


def json_schema(kind: str) -> dict[str, Any]:
    """The schema of one kind of file."""
    schema = MODELS[kind].model_json_schema(schema_generator=_EditorSchema)
    return {"$schema": _EditorSchema.schema_dialect, "title": f"qlikgw {kind}", **schema}


class _EditorSchema(GenerateJsonSchema):
    """Without what only Python sees: titles made from names, and `null`, which is how an absent key looks there."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        found = super().default_schema(schema)
        if found.get("default", ...) is None or isinstance(schema.get("default"), Wire):
            del found["default"]  # that a whole mapping may be left out says nothing: its keys tell their own defaults
        return found

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        found.pop("title", None)
        return found

    def field_title_should_be_set(self, schema: object) -> bool:
        del schema
        return False

    def encode_default(self, dft: Any) -> Any:  # noqa: ANN401 - pydantic's own signature
        return show_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)
