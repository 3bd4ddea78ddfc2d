"""Where a browser may go with a ticket (Qlik "Authentication API", "Add ticket").

Anybody can have a targetId made for an address of their choice, so the TargetUri in the proxy's answer is hostile until it
lies under a listed target. The way back is built from the *configured* origin; only path, query and fragment are theirs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from unicodedata import normalize
from urllib.parse import quote, unquote, unquote_plus

from gateway.errors import TargetRefused
from gateway.model import Secret, Ticket
from gateway.noun import noun
from gateway.protocol.qps.addresses import Address, is_loopback, origin_text, read_address
from gateway.protocol.qps.nodes import Node

TICKET_PARAMETER = "qlikTicket"
TICKET_PARAMETERS = ("qlikticket", "x-qlik-ticket")
"""Every name under which a proxy takes a ticket, without case."""

_PARAMETER = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_DECODING_ROUNDS = 3
_SEPARATORS = {"/", "\\", "\ufffd"}  # the last stands for bytes that are not UTF-8: overlong forms of the others
_SHOWN = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One listed target: a whole origin (`path` is empty) or a path and what lies below it (no slash at the end).

    `redeem_first`: the ticket is spent on a Qlik host and does not travel to this target.
    """

    scheme: str
    host: str
    port: int
    path: str
    redeem_first: bool = False

    @property
    def origin(self) -> tuple[str, str, int]:
        return (self.scheme, self.host, self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """A virtual proxy's targets: the boundary that tickets do not cross. `default` is used where the proxy names none."""

    allowed: tuple[Target, ...]
    default: str
    ticket_parameter: str = TICKET_PARAMETER


@noun
class CheckedTarget:
    """An address under `target`: raw path, query and fragment as they came."""

    target: Target
    path: str
    query: str | None
    fragment: str | None

    def location(self, query: str | None) -> str:
        """The address with another query, on the configured origin."""
        question = "" if query is None else f"?{query}"
        fragment = "" if self.fragment is None else f"#{self.fragment}"
        return origin_text(*self.target.origin) + (self.path or "/") + question + fragment


def read_target(url: str, *, ticket: str = "append") -> Target:
    """Read one target of the configuration; a bare origin lists the whole of it. Raises ValueError with a sentence."""
    if ticket not in ("append", "redeem_first"):
        raise ValueError("`ticket` is append or redeem_first")
    address = read_address(url)
    if address.scheme != "https" and not is_loopback(address.host):
        raise ValueError("a target is https://, or http:// on loopback: a ticket in clear could be taken on its way")
    if address.query is not None or address.fragment is not None:
        raise ValueError("a target has no query and no fragment")
    path = address.path.removesuffix("/")
    if path and not _is_plain(path):
        raise ValueError("a target's path has no dotted segments, escaped slashes or control characters")
    return Target(scheme=address.scheme, host=address.host, port=address.port, path=path, redeem_first=ticket == "redeem_first")


def default_target(first: Target, prefix: str) -> str:
    """Where the browser goes when nobody says where: the hub under the first target."""
    return f"{origin_text(*first.origin)}{first.path}/{f'{prefix}/' if prefix else ''}hub/"


def check_target_list(targets: Targets) -> None:
    """The list is consistent in itself. Raises ValueError with a sentence."""
    if not _PARAMETER.fullmatch(targets.ticket_parameter):
        raise ValueError("`ticket_parameter` is a plain name such as qlikTicket")
    if any(target.redeem_first for target in targets.allowed) and _redeeming_host(targets) is None:
        raise ValueError("`ticket: redeem_first` needs a Qlik host among the targets: one that is a whole origin without redeem_first")
    try:
        check_target(targets.default, targets)
    except TargetRefused:
        raise ValueError("the default target is not under any of the targets") from None


def check_target(uri: str, targets: Targets) -> CheckedTarget:
    """The listed target that `uri` lies under. Raises `TargetRefused`."""
    try:
        address = read_address(uri)
    except ValueError as error:
        raise TargetRefused(f"target {_shown(uri)}: {error}") from None
    for target in targets.allowed:
        if _covers(target, address):
            return CheckedTarget(target=target, path=address.path, query=address.query, fragment=address.fragment)
    raise TargetRefused(f"target {_shown(uri)} is not listed")


def ticket_location(ticket: Secret, target_uri: str | None, targets: Targets, node: Node, *, prefix: str) -> Ticket:
    """The way back with a fresh ticket; without a TargetUri to the default target. Raises `TargetRefused`."""
    checked = check_target(targets.default if target_uri is None else target_uri, targets)
    kept = _without_tickets(checked.query, targets.ticket_parameter)
    parameter = f"{targets.ticket_parameter}={quote(ticket.reveal(), safe='')}"
    if not checked.target.redeem_first:
        return Ticket(location=checked.location(f"{kept}&{parameter}" if kept else parameter), node=node.name)
    host = _redeeming_host(targets)
    if host is None:
        raise TargetRefused("the target asks for redeem_first, and no Qlik host is listed")
    user_page = f"{origin_text(*host.origin)}/{f'{prefix}/' if prefix else ''}qps/user"
    return Ticket(location=checked.location(kept), redeem_at=f"{user_page}?{parameter}", node=node.name)


def _covers(target: Target, address: Address) -> bool:
    if address.origin != target.origin:
        return False
    if not target.path:
        return True
    return f"{address.path}/".startswith(f"{target.path}/") and _is_plain(address.path)


def _is_plain(path: str) -> bool:
    """False when a browser or a server behind it might read another path out of this one.

    Browsers resolve `..` and `%2e%2e`; servers decode `%2f` and `%5c`, some of them twice, take look-alikes of dot and slash
    for the real ones, drop dots and blanks at a segment's end, or cut `;parameters` off.
    """
    return all(_is_plain_segment(segment) for segment in path.split("/"))


def _is_plain_segment(segment: str) -> bool:
    for _ in range(_DECODING_ROUNDS):
        read = normalize("NFKC", segment)
        stem = read.partition(";")[0]
        if (stem and not stem.strip(". ")) or not read.isprintable() or _SEPARATORS & set(read):
            return False
        decoded = unquote(segment)
        if decoded == segment:
            return True
        segment = decoded
    return False


def _redeeming_host(targets: Targets) -> Target | None:
    return next((target for target in targets.allowed if not target.path and not target.redeem_first), None)


def _without_tickets(query: str | None, parameter: str) -> str | None:
    """The query without the tickets of earlier logins; everything else byte for byte. None when nothing is left of one."""
    if query is None:
        return None
    stale = {parameter.casefold(), *TICKET_PARAMETERS}
    pairs = query.split("&")
    kept = [pair for pair in pairs if unquote_plus(pair.partition("=")[0]).strip().casefold() not in stale]
    return "&".join(kept) if kept else None


def _shown(uri: str) -> str:
    """For the log: no query and no fragment, which may carry what only the browser should know."""
    return ascii(re.split("[?#]", uri, maxsplit=1)[0][:_SHOWN])
