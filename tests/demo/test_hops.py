from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.demo.browser import PageReader, Visit
from gateway.demo.hops import Evidence, NotSeen, line, mask, masked, reasons, report, tell
from gateway.demo.pages import render
from gateway.demo.site import VirtualProxy
from gateway.demo.watching import Sighting
from gateway.model import QlikUser, Secret

GATEWAY, PROVIDER, QLIK = "http://127.0.0.1:8080", "http://127.0.0.1:9000", "http://127.0.0.1:7000"
HUB = f"{QLIK}/sales/hub/"
USER = QlikUser(directory="DEMO", user_id="alice", attributes=(("group", "sales"), ("identity_provider", "demo")))
TARGET, STATE, CODE, TICKET, SESSION = "target-canary", "state-canary", "code-canary", "ticket-canary", "session-canary"
REQUEST, RESPONSE = "request-canary", "response-canary"
HUB_PAGE = render(
    "hub.html",
    virtual_proxy=VirtualProxy(prefix="sales"),
    node="qlik1",
    user=USER,
    attributes={"group": ["sales"], "identity_provider": ["demo"]},
    path=None,
)


def visit(url: str, location: str | None, *, status: int = 302, body: str = "", cookies: dict[str, str] | None = None) -> Visit:
    return Visit(method="GET", url=url, status=status, location=location, cookies=cookies or {}, body=body, began=1.0, ended=2.0)


def seen(what: str, **facts: str | Secret) -> Sighting:
    return Sighting(what=what, at=1.5, facts=facts)


@pytest.fixture
def evidence() -> Evidence:
    start = f"{GATEWAY}/vp/sales/login?proxyRestUri=https%3a%2f%2fqlik1%2fqps%2fsales%2f&targetId={TARGET}"
    back = f"{GATEWAY}/idp/demo/callback?code={CODE}&state={STATE}&iss={PROVIDER}"
    asked = f"{PROVIDER}/authorize?client_id=demo&state={STATE}&nonce=nonce-canary"
    return Evidence(
        protocol="OpenID Connect",
        visits=[
            visit(HUB, start),
            visit(start, asked),
            visit(asked, None, status=200),
            visit(f"{PROVIDER}/sign-in", back),
            visit(back, f"{HUB}?qlikTicket={TICKET}"),
            visit(f"{HUB}?qlikTicket={TICKET}", None, status=200, body=HUB_PAGE, cookies={"X-Qlik-Session": SESSION}),
        ],
        sightings=[
            seen("proxy redirect", node="qlik1", prefix="sales", targetId=Secret(TARGET)),
            seen("authorization request", state=Secret(STATE)),
            seen("token", code=Secret(CODE), code_verifier=Secret("v"), id_token=Secret("t"), sub="alice", claims="groups"),
            seen("ticket request", node="qlik1", prefix="sales", user="DEMO\\alice", attributes="group=sales", targetId=Secret(TARGET)),
            seen("ticket", ticket=Secret(TICKET), TargetUri=HUB),
            seen("session", ticket=Secret(TICKET)),
        ],
        log=[{"event": "login_succeeded", "idp": "demo", "user": "DEMO\\alice", "attributes": ["group", "identity_provider"]}],
        hub=HUB,
        gateway=GATEWAY,
        provider=PROVIDER,
        expected=USER,
    )


@pytest.fixture
def saml(evidence: Evidence) -> Evidence:
    """The same login at a SAML provider, which was chosen on a page before."""
    chooser = evidence.visits[0].location or ""
    asked = f"{PROVIDER}/sso?SAMLRequest={REQUEST}&RelayState={STATE}"
    acs = replace(
        visit(f"{GATEWAY}/idp/demo/acs", f"{HUB}?qlikTicket={TICKET}", status=303),
        method="POST",
        sent={"SAMLResponse": RESPONSE, "RelayState": STATE},
    )
    form = visit(f"{PROVIDER}/sign-in", None, status=200)
    provider = [
        seen("authentication request", RelayState=Secret(STATE)),
        seen("SAML response", response=Secret(RESPONSE), sub="alice", attributes="groups"),
    ]
    others = [sighting for sighting in evidence.sightings if sighting.what not in {"authorization request", "token"}]
    return replace(
        evidence,
        protocol="SAML",
        visits=[
            *(evidence.visits[0], visit(chooser, None, status=200), visit(f"{chooser}&idp=demo", asked)),
            *(form, acs, evidence.visits[-1]),
        ],
        sightings=[*others[:1], *provider, *others[1:]],
    )


def without(evidence: Evidence, what: str) -> Evidence:
    return replace(evidence, sightings=[sighting for sighting in evidence.sightings if sighting.what != what])


def revisited(evidence: Evidence, number: int, **change: object) -> Evidence:
    visits = list(evidence.visits)
    visits[number] = replace(visits[number], **change)
    return replace(evidence, visits=visits)


def test_a_whole_login_is_nine_hops_in_order(evidence: Evidence) -> None:
    assert [hop.name for hop in tell(evidence)] == [
        "proxy redirect",
        "authorization request",
        "callback",
        "token",
        "mapping",
        "ticket request",
        "ticket",
        "redirect back",
        "session",
    ]


def test_a_whole_login_by_saml_is_eight_hops_in_order(saml: Evidence) -> None:
    assert [hop.name for hop in tell(saml)] == [
        "proxy redirect",
        "authentication request",
        "assertion consumer service",
        "mapping",
        "ticket request",
        "ticket",
        "redirect back",
        "session",
    ]


@pytest.mark.parametrize("protocol", ["evidence", "saml"])
def test_no_secret_is_in_any_line(protocol: str, request: pytest.FixtureRequest) -> None:
    said: list[str] = []
    evidence = request.getfixturevalue(protocol)
    assert report(evidence, 0.0, "", said.append)
    assert len(said) == (10 if protocol == "evidence" else 9)
    assert "canary" not in "\n".join(said)
    assert "targetId=tar…(13)" in said[0]


def test_only_the_mapping_has_no_time_of_its_own(evidence: Evidence) -> None:
    assert [hop.name for hop in tell(evidence) if " ms" not in line(1, hop, 0.0)] == ["mapping"]


@pytest.mark.parametrize("what", ["proxy redirect", "authorization request", "token", "ticket request", "ticket", "session"])
def test_a_hop_that_nobody_saw_fails_the_demo(evidence: Evidence, what: str) -> None:
    said: list[str] = []
    assert not report(without(evidence, what), 0.0, "", said.append)
    assert f"nobody saw a {what}" in said[-1]


@pytest.mark.parametrize("what", ["proxy redirect", "authentication request", "SAML response", "ticket request", "ticket", "session"])
def test_a_hop_by_saml_that_nobody_saw_fails_the_demo(saml: Evidence, what: str) -> None:
    said: list[str] = []
    assert not report(without(saml, what), 0.0, "", said.append)
    assert f"nobody saw a {what}" in said[-1]


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (2, {"location": f"{PROVIDER}/sso?SAMLRequest={REQUEST}&RelayState=other"}),
        (4, {"sent": {"SAMLResponse": "other", "RelayState": STATE}}),
        (4, {"sent": {"SAMLResponse": RESPONSE, "RelayState": "other"}}),
        (4, {"sent": {"SAMLResponse": RESPONSE}}),
        (4, {"location": f"{HUB}?qlikTicket=other"}),
    ],
)
def test_accounts_of_a_login_by_saml_that_differ_fail_the_demo(saml: Evidence, number: int, change: dict[str, object]) -> None:
    with pytest.raises(NotSeen):
        list(tell(revisited(saml, number, **change)))


@pytest.mark.parametrize(
    ("number", "change"),
    [
        (0, {"location": f"{GATEWAY}/vp/sales/login?targetId=other"}),
        (0, {"location": None}),
        (1, {"location": f"{PROVIDER}/authorize?state=other"}),
        (4, {"url": f"{GATEWAY}/idp/demo/callback?code={CODE}&state=other&iss={PROVIDER}"}),
        (4, {"url": f"{GATEWAY}/idp/demo/callback?code={CODE}&state={STATE}"}),
        (4, {"url": f"{GATEWAY}/idp/demo/callback?code=other&state={STATE}&iss={PROVIDER}"}),
        (4, {"location": f"{HUB}?qlikTicket=other"}),
        (5, {"body": HUB_PAGE.replace("DEMO\\alice", "DEMO\\bob")}),
        (5, {"body": HUB_PAGE.replace('data-name="group">sales', 'data-name="group">finance')}),
        (5, {"body": ""}),
    ],
)
def test_accounts_that_differ_fail_the_demo(evidence: Evidence, number: int, change: dict[str, object]) -> None:
    with pytest.raises(NotSeen):
        list(tell(revisited(evidence, number, **change)))


def test_another_user_in_the_log_fails_the_demo(evidence: Evidence) -> None:
    with pytest.raises(NotSeen, match="the user in the log"):
        list(tell(replace(evidence, log=[{**evidence.log[0], "user": "DEMO\\bob"}])))


def test_a_failure_says_what_page_and_log_say(evidence: Evidence) -> None:
    page = visit(evidence.visits[4].url, None, status=403, body="<code>QGW-306</code> QGW-306")
    log = [{"event": "login_rejected", "time": "now", "level": "warning", "code": "QGW-306", "detail": "allow is false"}]
    failed = replace(evidence, visits=[*evidence.visits[:4], page], log=log)
    assert list(reasons(failed)) == [
        f"403 (QGW-306) from GET {GATEWAY}/idp/demo/callback code=cod…(11) state=sta…(12) iss={PROVIDER}",
        "event=login_rejected, code=QGW-306, detail=allow is false",
    ]


def test_trouble_on_the_way_is_told(evidence: Evidence) -> None:
    said: list[str] = []
    assert report(replace(evidence, visits=[], sightings=[]), 0.0, "TimeoutError: ", said.append) is False
    assert said == ["FAILED: nobody saw a proxy redirect", "  TimeoutError: "]


def test_masks_show_a_beginning_and_a_length() -> None:
    assert mask(Secret("abcdefgh")) == "abc…(8)"
    assert mask("plain") == "plain"
    assert masked("http://h/p?scope=openid&anything=abcdef#f") == "http://h/p scope=openid anything=abc…(6)"


def test_the_page_reader_finds_the_form_and_what_is_shown() -> None:
    reader = PageReader(render("sign_in.html", client_id="<gw>", request="r&1", users=[]))
    assert reader.form is not None
    assert (reader.form.action, reader.form.fields) == ("/sign-in", {"request": "r&1"})
    assert ("user", "", "DEMO\\alice") in PageReader(HUB_PAGE).shown
    assert PageReader('<a href="/a?b&amp;c"><bdi>One</bdi><svg></svg></a> two').links == {"One": "/a?b&c"}
