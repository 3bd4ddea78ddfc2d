"""Two opinions: what a second engine may see, what it says, and whether both agree.

The second engine is larger and follows what a signature asks of it. So it gets nothing that is not authenticated already:
every signature in it has the one allowed shape and has verified, and the envelope, where no signature covers it, is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from html import escape
from typing import Final, TypeAlias

from gateway.errors import OpinionsDiffer
from gateway.noun import noun
from gateway.protocol.saml import names

_ENVELOPE: Final = (
    f'<gwp:Response xmlns:gwp="{names.PROTOCOL}" xmlns:gwa="{names.ASSERTION}" ID="{{id}}-envelope" Version="2.0"'
    ' IssueInstant="{instant}"><gwa:Issuer>{issuer}</gwa:Issuer>'
    f'<gwp:Status><gwp:StatusCode Value="{names.SUCCESS}"/></gwp:Status>'
)
_END: Final = b"</gwp:Response>"


@noun
class Evidence:
    """What the second engine gets: `document`, a Response with the assertion in clear.

    `sealed`: where the Response's signature covers a ciphertext, that Response as it came, for its signature alone. The
    document may then be unsigned: `signed` says so.
    """

    document: bytes = field(repr=False)
    signed: bool
    sealed: bytes | None = field(default=None, repr=False)


@noun
class Reading:
    """What an engine reads: the NameID with its format, and every attribute by Name with its non-blank values, trimmed."""

    name_id: str
    name_id_format: str | None
    attributes: Mapping[str, tuple[str, ...]]


SecondOpinion: TypeAlias = Callable[[Evidence], Reading]
"""Verifies the signatures of the evidence anew and says what it reads. Raises `OpinionsDiffer` when it refuses."""


def rebuilt_response(assertion: bytes, *, identifier: str, instant: str, issuer: str) -> bytes:
    """A Response of Issuer, Status and this assertion. `identifier`: the assertion's ID; `instant`: its IssueInstant."""
    start = _ENVELOPE.format(id=escape(identifier), instant=escape(instant), issuer=escape(issuer))
    return start.encode() + assertion + _END


def check_agreement(own: Reading, other: Reading) -> None:
    """Both engines read the same identity. Raises `OpinionsDiffer`, which names what differs and no value."""
    if own.name_id != other.name_id or own.name_id_format != other.name_id_format:
        raise OpinionsDiffer("the engines read different NameIDs")
    if own.attributes != other.attributes:
        differing = sorted(
            name for name in own.attributes.keys() | other.attributes.keys() if own.attributes.get(name) != other.attributes.get(name)
        )
        raise OpinionsDiffer(f"the engines read different attributes: {', '.join(differing)[:200]}")
