"""What we publish for identity providers: the public keys of `private_key_jwt`, and SAML metadata."""

from __future__ import annotations

import json

from aiohttp.web_request import BaseRequest

from gateway.errors import NotFound
from gateway.web.answers import Answer, public_response
from gateway.web.context import TRAIL


async def jwks(request: BaseRequest) -> Answer:
    """RFC 7517 §5. Only for providers registered with `private_key_jwt`."""
    keys = request[TRAIL].table.provider(request[TRAIL].name).port.jwks()
    if keys is None:
        raise NotFound("this provider uses no key of ours")
    return public_response(json.dumps(keys), "application/json")


async def metadata(request: BaseRequest) -> Answer:
    """Our SAML metadata for one provider (SAML Metadata §4.1.1: the entity id is where it is found)."""
    document = request[TRAIL].table.provider(request[TRAIL].name).port.metadata_document()
    if document is None:
        raise NotFound("this provider's protocol has no metadata of ours")
    return public_response(document, "application/samlmetadata+xml")
