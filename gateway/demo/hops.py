"""A login told hop by hop, from what each party saw.

The browser knows its own steps, the simulated parties the requests that reached them, the gateway's log the outcome.
Nothing is told that nobody saw, two accounts of one thing may not differ, and no secret is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from gateway.demo.browser import PageReader, Visit
from gateway.demo.watching import Sighting
from gateway.model import QlikUser, Secret

SHOWN = frozenset({"proxyRestUri", "client_id", "redirect_uri", "response_type", "response_mode", "scope", "code_challenge_method", "iss"})
"""Parameters whose values may be shown; every other one is masked."""
ERROR_CODE = re.compile(r"QGW-\d{3}")

Say = Callable[[str], None]
"""Prints one line."""


class NotSeen(Exception):
    """A hop that did not happen, or not as it should have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Who saw what of one login. `log`: the gateway's lines; `expected`: who should be signed in; `hub`: the address that was opened.

    `protocol` is one of `HOPS`; `provider` the name that the provider gives itself: its issuer or entity id.
    """

    protocol: str

    visits: list[Visit] = field(repr=False)
    sightings: list[Sighting] = field(repr=False)
    log: list[Mapping[str, object]] = field(repr=False)
    hub: str
    gateway: str
    provider: str
    expected: QlikUser

    def seen(self, what: str) -> Sighting:
        """What a simulated party saw."""
        for sighting in self.sightings:
            if sighting.what == what:
                return sighting
        raise NotSeen(f"nobody saw a {what}")

    def visit(self, begins: str = "", *, last: bool = False) -> Visit:
        """The browser's first (or last) visit to an address that begins like this."""
        for visit in reversed(self.visits) if last else self.visits:
            if visit.url.startswith(begins):
                return visit
        raise NotSeen(f"the browser never came to {begins}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One line. `at`: when it was seen, in seconds of `time.perf_counter`; None where a log tells it afterwards."""

    name: str
    at: float | None
    text: str


def proxy_redirect(evidence: Evidence) -> Hop:
    """The virtual proxy sends the browser to its authentication module."""
    seen, visit = evidence.seen("proxy redirect"), evidence.visit(evidence.hub)
    _same("the targetId of the redirect", parameters(visit.location).get("targetId"), _reveal(seen.facts["targetId"]))
    return Hop(name="proxy redirect", at=visit.ended, text=f"{visit.status} from {seen.facts['node']} to {masked(visit.location)}")


def authorization_request(evidence: Evidence) -> Hop:
    """The gateway sends the browser to the OpenID provider (OIDC Core §3.1.2.1)."""
    return _request(evidence, "authorization request", "state")


def authentication_request(evidence: Evidence) -> Hop:
    """The gateway sends the browser to the SAML provider (Profiles §4.1.3.3)."""
    return _request(evidence, "authentication request", "RelayState")


def _request(evidence: Evidence, name: str, state: str) -> Hop:
    """The browser's last visit to the virtual proxy's login: the first may have shown the page to choose a provider on."""
    seen, visit = evidence.seen(name), evidence.visit(f"{evidence.gateway}/vp/", last=True)
    _same(f"the {state} of the request", parameters(visit.location).get(state), _reveal(seen.facts[state]))
    chosen = parameters(visit.url).get("idp")
    text = f"{visit.status} to {masked(visit.location)}"
    return Hop(name=name, at=visit.ended, text=f"{text} (chosen: {chosen})" if chosen else text)


def callback(evidence: Evidence) -> Hop:
    """The provider sends the browser back to the gateway with a code."""
    visit = evidence.visit(f"{evidence.gateway}/idp/")
    fields, state = parameters(visit.url), _reveal(evidence.seen("authorization request").facts["state"])
    _same("the state that came back", fields.get("state"), state)
    _same("the issuer of the answer", fields.get("iss"), evidence.provider)
    return Hop(name="callback", at=visit.began, text=f"{visit.method} {masked(visit.url)}")


def token(evidence: Evidence) -> Hop:
    """The gateway turns the code into an ID token, as the provider saw it."""
    seen = evidence.seen("token")
    _same("the code", parameters(evidence.visit(f"{evidence.gateway}/idp/").url).get("code"), _reveal(seen.facts["code"]))
    facts = {name: mask(value) for name, value in seen.facts.items()}
    text = f"code {facts['code']} and verifier {facts['code_verifier']} for an ID token {facts['id_token']}: sub={facts['sub']}"
    return Hop(name="token", at=seen.at, text=f"{text}, {facts['claims']}")


def assertion_consumer_service(evidence: Evidence) -> Hop:
    """The provider sends the browser back to the gateway with a signed Response (Bindings §3.5.4)."""
    seen, asked = evidence.seen("SAML response"), evidence.seen("authentication request")
    visit = evidence.visit(f"{evidence.gateway}/idp/")
    _same("the Response that came back", visit.sent.get("SAMLResponse"), _reveal(seen.facts["response"]))
    _same("the RelayState that came back", visit.sent.get("RelayState"), _reveal(asked.facts["RelayState"]))
    sent = " ".join(f"{name}={mask(Secret(value))}" for name, value in visit.sent.items())
    text = f"{visit.method} {visit.url} {sent} of {evidence.provider}: NameID {seen.facts['sub']}, {seen.facts['attributes']}"
    return Hop(name="assertion consumer service", at=visit.began, text=text)


def mapping(evidence: Evidence) -> Hop:
    """Claims become a Qlik user, as the gateway logged it when the login had ended."""
    for line in evidence.log:
        if line.get("event") == "login_succeeded":
            _same("the user in the log", line["user"], _name(evidence.expected))
            names = ", ".join(str(name) for name in _list(line["attributes"]))
            return Hop(name="mapping", at=None, text=f"{line['idp']} to {line['user']} with the attributes {names} (from the log)")
    raise NotSeen("the gateway logged no login_succeeded")


def ticket_request(evidence: Evidence) -> Hop:
    """The gateway asks the node for a ticket, as the node saw it."""
    seen = evidence.seen("ticket request")
    _same("the user of the ticket", seen.facts["user"], _name(evidence.expected))
    _same("its targetId", _reveal(seen.facts["targetId"]), _reveal(evidence.seen("proxy redirect").facts["targetId"]))
    virtual_proxy = seen.facts["prefix"] or "default"
    text = f"to {seen.facts['node']}, virtual proxy {virtual_proxy}: {seen.facts['user']}, {seen.facts['attributes']}"
    return Hop(name="ticket request", at=seen.at, text=f"{text}, targetId {mask(seen.facts['targetId'])}")


def ticket(evidence: Evidence) -> Hop:
    """The node issues it."""
    seen = evidence.seen("ticket")
    _same("the target of the ticket", seen.facts["TargetUri"], evidence.hub)
    return Hop(name="ticket", at=seen.at, text=f"{mask(seen.facts['ticket'])} for {seen.facts['TargetUri']}")


def redirect_back(evidence: Evidence) -> Hop:
    """The gateway sends the browser back to where it wanted to go, with the ticket."""
    visit, issued = evidence.visit(f"{evidence.gateway}/idp/"), _reveal(evidence.seen("ticket").facts["ticket"])
    _same("the ticket in the redirect", parameters(visit.location).get("qlikTicket"), issued)
    return Hop(name="redirect back", at=visit.ended, text=f"{visit.status} to {masked(visit.location)}")


def session(evidence: Evidence) -> Hop:
    """The node turns the ticket into a session, and the hub says whose."""
    seen, visit = evidence.seen("session"), evidence.visit(last=True)
    _same("the ticket that was redeemed", _reveal(seen.facts["ticket"]), _reveal(evidence.seen("ticket").facts["ticket"]))
    shown = PageReader(visit.body).shown
    _same("the user on the hub page", [text for kind, _, text in shown if kind == "user"], [_name(evidence.expected)])
    attributes = sorted((name, text) for kind, name, text in shown if kind == "attribute")
    _same("the attributes on the hub page", attributes, sorted(evidence.expected.attributes))
    cookies = ", ".join(f"{name}={mask(Secret(value))}" for name, value in visit.cookies.items())
    values = ", ".join(f"{name}={value}" for name, value in attributes)
    return Hop(name="session", at=visit.ended, text=f"{visit.status}, the hub shows {_name(evidence.expected)}, {values}; cookie {cookies}")


_TO_QLIK = (mapping, ticket_request, ticket, redirect_back, session)
HOPS: Mapping[str, tuple[Callable[[Evidence], Hop], ...]] = {
    "OpenID Connect": (proxy_redirect, authorization_request, callback, token, *_TO_QLIK),
    "SAML": (proxy_redirect, authentication_request, assertion_consumer_service, *_TO_QLIK),
}
"""A login's hops by its protocol."""


def tell(evidence: Evidence) -> Iterator[Hop]:
    """Every hop in order. Raises `NotSeen` at the first that did not happen as it should."""
    for hop in HOPS[evidence.protocol]:
        yield hop(evidence)


def report(evidence: Evidence, began: float, trouble: str, say: Say) -> bool:
    """Print the hops as far as they go; True when that is to the end."""
    try:
        for number, hop in enumerate(tell(evidence), start=1):
            say(line(number, hop, began))
    except NotSeen as problem:
        say(f"FAILED: {problem}")
        for reason in filter(None, [trouble, *reasons(evidence)]):
            say(f"  {reason}")
        return False
    say(f"Signed in as {_name(evidence.expected)} in {1000 * (evidence.visits[-1].ended - began):.0f} ms.")
    return True


def line(number: int, hop: Hop, began: float) -> str:
    """One hop as a line."""
    when = "" if hop.at is None else f"{1000 * (hop.at - began):.0f} ms"
    return f"{number:2}. {hop.name:<26} {when:>8}  {hop.text}"


def reasons(evidence: Evidence) -> Iterable[str]:
    """What the gateway and its pages say about a login that failed."""
    for visit in evidence.visits:
        if visit.status >= 400:  # noqa: PLR2004 -- RFC 9110 §15: errors begin here
            codes = ", ".join(dict.fromkeys(ERROR_CODE.findall(visit.body))) or "no code"
            yield f"{visit.status} ({codes}) from {visit.method} {masked(visit.url)}"
    for line in evidence.log:
        if line.get("event") in {"login_rejected", "provider_trouble", "crash"}:
            yield ", ".join(f"{name}={value}" for name, value in line.items() if name not in {"time", "level"})


def parameters(url: str | None) -> dict[str, str]:
    """The query of a redirect's address."""
    if url is None:
        raise NotSeen("no redirect")
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


def masked(url: str | None) -> str:
    """An address whose parameters show their values only where that is harmless."""
    values = {name: value if name in SHOWN else mask(Secret(value)) for name, value in parameters(url).items()}
    query = " ".join(f"{name}={value}" for name, value in values.items())
    return f"{urlsplit(url or '')._replace(query='', fragment='').geturl()} {query}".rstrip()


def mask(value: str | Secret) -> str:
    """A secret by its beginning and its length; anything else as it is."""
    return value if isinstance(value, str) else f"{value.reveal()[:3]}…({len(value.reveal())})"


def _reveal(value: str | Secret) -> str:
    return value if isinstance(value, str) else value.reveal()


def _same(what: str, found: object, expected: object) -> None:
    """Names the thing alone: the values may be secret."""
    if found != expected:
        raise NotSeen(f"{what} is not as expected")


def _name(user: QlikUser) -> str:
    return f"{user.directory}\\{user.user_id}"


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
