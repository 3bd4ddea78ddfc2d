"""Requests and answers of every kind: one JSON object over HTTP, read strictly."""

from __future__ import annotations

from typing import Final

from gateway.errors import ProviderAnswer
from gateway.model import HttpRequest, HttpResponse, JsonValue
from gateway.protocol.oidc.strict_json import NotStrictJson, read_object

_OK: Final = 200
_TIMEOUT: Final = 5.0  # seconds; a user waits behind it


def document_request(url: str) -> HttpRequest:
    """Fetch a JSON document."""
    return HttpRequest(method="GET", url=url, headers={"Accept": "application/json"}, timeout=_TIMEOUT)


def read_document(response: HttpResponse) -> dict[str, JsonValue]:
    """The JSON object of a successful answer. Raises `ProviderAnswer`."""
    check_status(response)
    return read_body(response)


def check_status(response: HttpResponse) -> None:
    """Only 200 carries what was asked for; a redirect is not followed."""
    if response.status != _OK:
        raise ProviderAnswer(f"the answer has status {response.status}")


def read_body(response: HttpResponse) -> dict[str, JsonValue]:
    """The JSON object of an answer, whatever its status. Raises `ProviderAnswer`."""
    try:
        return read_object(response.body)
    except NotStrictJson as error:
        raise ProviderAnswer(f"the answer (status {response.status}) is not a JSON object: {error}") from error
