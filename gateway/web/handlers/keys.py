"""What we publish for identity providers: the public keys of `private_key_jwt`, and SAML metadata."""

from __future__ import annotations

from aiohttp import web

from gateway.errors import NotFound
from gateway.web.context import TRAIL


async def jwks(request: web.BaseRequest) -> web.Response:
    """RFC 7517 §5. Only for providers registered with `private_key_jwt`."""
    keys = request[TRAIL].table.provider(request[TRAIL].name).port.jwks()
    if keys is None:
        raise NotFound("this provider uses no key of ours")
    return web.json_response(keys, headers={"Cache-Control": "max-age=300"})


async def metadata(request: web.BaseRequest) -> web.Response:
    """Our SAML metadata for one provider (SAML Metadata §4.1.1: the entity id is where it is found)."""
    document = request[TRAIL].table.provider(request[TRAIL].name).port.metadata_document()
    if document is None:
        raise NotFound("this provider's protocol has no metadata of ours")
    return web.Response(text=document, content_type="application/samlmetadata+xml", headers={"Cache-Control": "max-age=300"})
