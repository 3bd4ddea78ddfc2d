"""How a message of ours travels through the browser: by redirect (Bindings §3.4) or by a POST that submits itself (§3.5)."""

from __future__ import annotations

import base64
import zlib
from dataclasses import field
from typing import Final, Literal, TypeAlias
from urllib.parse import quote

from gateway.errors import InternalError
from gateway.model import FormPost, Redirect
from gateway.noun import noun
from gateway.protocol.saml.keys import KeyPair
from gateway.protocol.saml.signing import sign, signature_method, signed_document

MAX_RELAY_STATE: Final = 80

Parameter: TypeAlias = Literal["SAMLRequest", "SAMLResponse"]
"""What carries a message: a request, or the answer to one."""


@noun
class Outgoing:
    """A message of ours, unsigned. `id`: its root's; `relay_state`: what its answer must bring back, or what its request brought."""

    parameter: Parameter
    id: str
    document: str = field(repr=False)
    relay_state: str | None


@noun
class Frame:
    """What every message of one kind begins and ends with; what is its own stands between."""

    before: str
    behind: str
    deflated_before: bytes = field(repr=False)
    deflated_behind: bytes = field(repr=False)


def framed(before: str, behind: str) -> Frame:
    """Deflated once, for all messages."""
    return Frame(
        before=before,
        behind=behind,
        deflated_before=_deflated(before, zlib.Z_FULL_FLUSH),  # to a whole byte, where another block may follow
        deflated_behind=_deflated(behind, zlib.Z_FINISH),
    )


def deflated_between(frame: Frame, own: str) -> bytes:
    """The DEFLATE encoding of a message, with what is its own, at most 64 KiB, in a stored block: as it is (RFC 1951 §3.2.4)."""
    data = own.encode()
    length = len(data)
    return b"%b\0%b%b%b%b" % (
        frame.deflated_before,
        length.to_bytes(2, "little"),
        (length ^ 0xFFFF).to_bytes(2, "little"),
        data,
        frame.deflated_behind,
    )


def by_redirect(message: Outgoing, *, location: str, pair: KeyPair | None) -> Redirect:
    """The DEFLATE encoding (Bindings §3.4.4.1), signed unless there is no `pair`."""
    deflated = _deflated(message.document, zlib.Z_FINISH)
    return redirect_with(message.parameter, deflated, relay_state=message.relay_state, location=location, pair=pair)


def redirect_with(parameter: Parameter, deflated: bytes, *, relay_state: str | None, location: str, pair: KeyPair | None) -> Redirect:
    """Signed over the query as it is sent (Bindings §3.4.4.1), unless there is no `pair`."""
    query = f"{parameter}={_escaped(deflated)}"
    if relay_state is not None:
        query += f"&RelayState={quote(relay_state, safe='')}"
    if pair is not None:
        query += f"&SigAlg={quote(signature_method(pair.key), safe='')}"
        query += f"&Signature={_escaped(sign(pair.key, query.encode()))}"
    return Redirect(url=f"{location}{'&' if '?' in location else '?'}{query}")


def by_post(message: Outgoing, *, location: str, pair: KeyPair | None) -> FormPost:
    """With an enveloped signature behind the Issuer (Bindings §3.5.4), unless there is no `pair`."""
    document = message.document
    if pair is not None:
        document = signed_document(document, identifier=message.id, after="</saml:Issuer>", pair=pair)
    fields: dict[str, str] = {message.parameter: base64.b64encode(document.encode()).decode()}
    if message.relay_state is not None:
        fields["RelayState"] = message.relay_state
    return FormPost(action=location, fields=fields)


def check_relay_state(name: str) -> None:
    """At most 80 bytes (Bindings §3.4.3). Raises `InternalError`: the name is ours."""
    if len(name.encode()) > MAX_RELAY_STATE:
        raise InternalError("a transaction name too long for RelayState")


def _deflated(text: str, end: int) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(text.encode()) + compressor.flush(end)


def _escaped(data: bytes) -> str:
    """Base64, whose only characters with a meaning in a query are these three."""
    return base64.b64encode(data).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
