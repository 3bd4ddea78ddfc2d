"""One example of every page, and a reader that sees a page as a browser does: elements, attributes and text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

from gateway.errors import AccessDenied, LoginExpired, NodeNotVerified
from gateway.model import FormPost, Journey
from gateway.web.pages import (
    Choice,
    MailSearch,
    Page,
    Ways,
    chooser_page,
    confirm_page,
    error_page,
    form_page,
    frame_page,
    heard_page,
    onward_page,
    redeem_page,
    signed_out_page,
    trial_page,
    trial_start_page,
)
from gateway.web.trace import Line, Trace

NOW = datetime(2026, 3, 2, 12, 0, 5, tzinfo=UTC)
REFERENCE = "b3f0c2a94d7e"
NAMES = (
    "error",
    "denied",
    "start-again",
    "form",
    "frame",
    "redeem",
    "chooser",
    "chooser-mail",
    "chooser-failed",
    "onward",
    "trial-start",
    "trial",
    "trial-refused",
    "frame-out",
    "confirm",
    "signed-out",
    "signed-out-partly",
    "signed-out-unknown",
    "heard",
)


JOURNEY = Journey(virtual_proxy="sales", browser="digest", began_at=NOW)
TRACE = Trace(
    idp="entra",
    virtual_proxy="sales",
    notes=("A member of claims was left out: null.",),
    claims='{\n  "preferred_username": "alice",\n  "groups": ["qlik-users"]\n}',
    steps=(
        Line(name="user_directory", source="value: CONTOSO", outcome="CONTOSO", good=True),
        Line(name="attributes.group", source="claim: groups", outcome="left out: there is no claim groups"),
    ),
    rules=(
        Line(name="identity provider entra", source="'qlik-users' in claims.groups", outcome="passed", good=True),
        Line(name="virtual proxy sales", source="false", outcome="QGW-306: it gave false", good=False),
    ),
    ticket_request='{\n  "UserDirectory": "CONTOSO"\n}',
    test_case='- name: "copied from a test sign-in"\n  claims:\n    preferred_username: "alice"',
)


def gallery(origin: str = "https://idp.example.com") -> dict[str, Page]:
    """Every page by its name. Whatever a page sends or fetches by itself goes to `origin`."""
    ways = Ways(
        virtual_proxy="sales", start_again="/vp/sales/login", go_on="https://qlik.example.com/sales/hub/", choose="/vp/sales/login?choose=1"
    )
    choices = [
        Choice(
            name="Contoso",
            last=True,
            url="/vp/sales/login?targetId=8e2b&proxyRestUri=https%3a%2f%2fqlik1%3a4243%2fqps%2fsales%2f&idp=entra",
        ),
        Choice(name="Partners (AD FS)", url="/vp/sales/login?idp=adfs"),
        Choice(name="حساب الشركاء", url="/vp/sales/login?idp=partners-ar"),
        Choice(name="Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", url="/vp/sales/login?idp=ddsg"),
    ]
    return {
        "error": error_page(NodeNotVerified, correlation_id=REFERENCE, now=NOW),
        "denied": error_page(
            AccessDenied, correlation_id=REFERENCE, now=NOW, ways=Ways(virtual_proxy="sales", start_again="/vp/sales/login")
        ),
        "start-again": error_page(LoginExpired, correlation_id=REFERENCE, now=NOW, ways=ways),
        "form": form_page(FormPost(action=f"{origin}/sso", fields={"SAMLRequest": "PHNhbWw+", "RelayState": "s-1"}), provider="Contoso"),
        "frame": frame_page(url="/vp/sales/login?targetId=8e2b&proxyRestUri=https%3a%2f%2fqlik1%3a4243%2fqps%2fsales%2f"),
        "redeem": redeem_page(redeem_at=f"{origin}/sales/qps/user?qlikTicket=T1", location=f"{origin}/mashup/#tab=2"),
        "chooser": chooser_page(virtual_proxy="sales", choices=choices),
        "chooser-mail": chooser_page(virtual_proxy="sales", choices=choices, search=MailSearch(url="/vp/sales/login?targetId=8e2b")),
        "chooser-failed": chooser_page(
            virtual_proxy="sales", choices=choices, search=MailSearch(url="/vp/sales/login", mail="alice@elsewhere.example", failed=True)
        ),
        "trial-start": trial_start_page(url="/test-login/AbC-9", virtual_proxy="sales", provider="Contoso"),
        "trial": trial_page(TRACE),
        "trial-refused": trial_page(
            replace(TRACE, code="QGW-306", title="You do not have access", detail="it gave false", ticket_request=None)
        ),
        "frame-out": frame_page(url="/vp/sales/logout", leaving=True),
        "confirm": confirm_page(url="/vp/sales/logout", token="AbC-9", virtual_proxy="sales"),
        "signed-out": signed_out_page(replace(JOURNEY, ended=("sales", "hr")), open_providers=[], sign_in="https://qlik.example.com/hub/"),
        "signed-out-partly": signed_out_page(
            replace(JOURNEY, ended=("sales",), left=("hr",)), open_providers=["Contoso"], sign_in="https://qlik.example.com/hub/"
        ),
        "signed-out-unknown": signed_out_page(JOURNEY, open_providers=[], sign_in="https://qlik.example.com/hub/"),
        "heard": heard_page(),
        "onward": onward_page(url="/vp/sales/login?targetId=8e2b&idp=entra", provider="Contoso"),
    }


class Seen(HTMLParser):
    """`elements`: (tag, attributes) in order; `texts`: text by the tag it stands in, pieces joined."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.setdefault(tag, []).append("")
        self._open = tag

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the parser's signature
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.texts[self._open][-1] += data

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]

    def attributes(self, tag: str, name: str) -> list[str | None]:
        """The values of one attribute, element by element, where it stands."""
        return [attributes[name] for found, attributes in self.elements if found == tag and name in attributes]
