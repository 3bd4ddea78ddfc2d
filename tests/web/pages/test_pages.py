from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path

import pytest

from gateway import errors
from gateway.errors import Blame, GatewayError, InternalError, LoginAlreadyUsed, LoginExpired, NodeNotVerified
from gateway.model import FormPost
from gateway.web import pages
from gateway.web.pages import (
    Choice,
    MailSearch,
    Page,
    Ways,
    chooser_page,
    error_json,
    error_page,
    form_page,
    frame_page,
    onward_page,
    redeem_page,
    trial_page,
    trial_start_page,
)
from gateway.web.pages.policy import HERE, STYLE
from gateway.web.pages.sentences import SENTENCES, WHO_CAN_FIX_IT
from gateway.web.trace import Line, Trace
from tests.web.pages.gallery import NAMES, NOW, REFERENCE, Seen, gallery

FRAMED = {"frame", "frame-out", "heard"}

HOSTILE = """</style></script>"><script>alert(1)</script>' onload=x &amp; {{ 7 * 7 }} {0.__class__}"""
HOSTILE_URL = """https://x.example/"><script>alert(1)</script>'&quot;{{7*7}}"""
ALL_ERRORS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GatewayError)]


def directives(page: Page) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in page.csp.split("; "))


def content_hash(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


# ---- what is filled in stays text ------------------------------------------------------------------------------------


def ways(text: str, url: str) -> Ways:
    return Ways(virtual_proxy=text, start_again=url, go_on=url, choose=url)


SLOTS: dict[str, Callable[[str, str], Page]] = {
    "error": lambda text, url: error_page(LoginExpired, correlation_id=text, now=NOW, ways=ways(text, url)),
    "form": lambda text, url: form_page(FormPost(action=url, fields={text: text}), provider=text),
    "frame": lambda _, url: frame_page(url=url),
    "redeem": lambda _, url: redeem_page(redeem_at=url, location=url),
    "chooser": lambda text, url: chooser_page(virtual_proxy=text, choices=[Choice(name=text, url=url)]),
    "search": lambda text, url: chooser_page(
        virtual_proxy=text, choices=[Choice(name=text, url=url)], search=MailSearch(url=url, mail=text, failed=True)
    ),
    "onward": lambda text, url: onward_page(url=url, provider=text),
    "trial-start": lambda text, url: trial_start_page(url=url, virtual_proxy=text, provider=text),
}


@pytest.mark.parametrize("name", SLOTS)
def test_hostile_values_add_no_element_and_no_attribute(name: str) -> None:
    mild = Seen(SLOTS[name]("mild", "https://x.example/").html)
    wild = Seen(SLOTS[name](HOSTILE, HOSTILE_URL).html)
    assert [(tag, set(attributes)) for tag, attributes in wild.elements] == [(tag, set(attributes)) for tag, attributes in mild.elements]
    assert wild.texts["style"] == mild.texts["style"]
    assert wild.texts.get("script") == mild.texts.get("script")


def test_hostile_values_are_shown_as_they_are() -> None:
    error, form, chooser = (Seen(SLOTS[name](HOSTILE, HOSTILE_URL).html) for name in ("error", "form", "chooser"))
    assert error.texts["code"][1] == HOSTILE
    assert error.texts["strong"] == [HOSTILE]
    assert error.attributes("a", "href") == [HOSTILE_URL, HOSTILE_URL, HOSTILE_URL]
    assert form.texts["bdi"] == [HOSTILE]
    assert (form.attributes("input", "name"), form.attributes("input", "value")) == ([HOSTILE], [HOSTILE])
    assert form.attributes("form", "action") == [HOSTILE_URL]
    assert chooser.texts["bdi"] == [HOSTILE]
    assert chooser.attributes("a", "href") == [HOSTILE_URL]
    search = Seen(SLOTS["search"](HOSTILE, HOSTILE_URL).html)
    assert (search.attributes("form", "action"), search.attributes("input", "value")) == ([HOSTILE_URL], [HOSTILE])


def test_a_trace_shows_hostile_claims_as_text() -> None:
    line = Line(name=HOSTILE, source=HOSTILE, outcome=HOSTILE, good=True)
    texts = dict.fromkeys(("idp", "virtual_proxy", "code", "title", "detail", "claims", "ticket_request", "test_case"), HOSTILE)
    wild = Seen(trial_page(Trace(**texts, notes=(HOSTILE,), steps=(line,), rules=(line,))).html)
    mild_line = Line(name="x", source="x", outcome="x", good=True)
    mild = Seen(trial_page(Trace(**dict.fromkeys(texts, "x"), notes=("x",), steps=(mild_line,), rules=(mild_line,))).html)
    assert [(tag, set(attributes)) for tag, attributes in wild.elements] == [(tag, set(attributes)) for tag, attributes in mild.elements]
    assert wild.texts["pre"] == [HOSTILE] * 3
    assert wild.texts["script"] == mild.texts["script"]


def test_hostile_errors_are_escaped_too() -> None:
    class Hostile(GatewayError):
        code, title, advice = HOSTILE, HOSTILE, HOSTILE

    seen = Seen(error_page(Hostile, correlation_id="1", now=NOW).html)
    assert seen.texts["h1"] == [HOSTILE]
    assert seen.texts["title"] == [f"{HOSTILE} · Qlik Sense sign-in"]
    assert seen.texts["code"][0] == HOSTILE
    assert seen.tags == Seen(gallery()["error"].html).tags


@pytest.mark.parametrize("name", SLOTS)
@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "//elsewhere.example/",
        "/\\elsewhere.example/",
        "hub",
        "",
        "https://x.example/\r\nSet-Cookie: a=b",
        "https://x.example/ 0; url=https://elsewhere.example/",
    ],
)
def test_an_address_that_is_neither_http_nor_a_path_here_never_gets_onto_a_page(name: str, url: str) -> None:
    with pytest.raises(InternalError):
        SLOTS[name]("mild", url)


# ---- policies and headers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_policy_allows_the_inline_content_by_its_hash_and_no_other(name: str) -> None:
    page = gallery()[name]
    seen, policy = Seen(page.html), directives(page)
    assert policy["style-src"] == " ".join(map(content_hash, seen.texts["style"]))
    scripts = seen.texts.get("script", [])
    assert policy.get("script-src", "") == " ".join(map(content_hash, scripts))
    assert len(scripts) == (name in {"form", "redeem", "trial", "trial-refused"})


@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_complete_in_itself(name: str) -> None:
    seen = Seen(gallery()[name].html)
    assert not {"iframe", "object", "embed", "base", "video", "audio", "source"} & set(seen.tags)
    assert [str(href)[:19] for href in seen.attributes("link", "href")] == ["data:image/svg+xml,"]
    assert "img" not in seen.tags or name == "redeem"
    assert not [
        attribute for _, attributes in seen.elements for attribute in attributes if attribute.startswith("on") or attribute == "style"
    ]
    assert not seen.attributes("script", "src")
    assert not re.search(r"@import|url\(|@font-face", STYLE)


@pytest.mark.parametrize("name", NAMES)
def test_every_policy_begins_from_nothing(name: str) -> None:
    policy = directives(gallery()[name])
    assert (policy["default-src"], policy["base-uri"]) == ("'none'", "'none'")
    assert "unsafe" not in gallery()[name].csp
    assert policy["frame-ancestors"] == ("*" if name in FRAMED else "'none'")
    own_forms = dict.fromkeys(("chooser-mail", "chooser-failed", "trial-start", "confirm"), "'self'")
    assert policy.get("form-action") == {"form": None, **own_forms}.get(name, "'none'")


def test_the_policy_of_the_form_page_does_not_bind_the_redirects_after_the_form() -> None:
    assert "form-action" not in gallery()["form"].csp


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("https://qlik.example.com/sales/qps/user?qlikTicket=T1", "https://qlik.example.com"),
        ("https://qlik.example.com:8443/qps/user", "https://qlik.example.com:8443"),
        ("http://127.0.0.1:4000?x", "http://127.0.0.1:4000"),
        ("https://[2001:db8::1]:8443/qps/user", "https:"),
    ],
)
def test_the_redeem_page_may_load_an_image_from_the_qlik_host_and_nothing_from_elsewhere(url: str, source: str) -> None:
    assert directives(redeem_page(redeem_at=url, location="https://mashup.example.com/"))["img-src"] == f"data: {source}"


@pytest.mark.parametrize(
    "url",
    [
        "https://q.example;script-src/x",
        "https://q.example,x/",
        "https://u@q.example/",
        "https://'self'/",
        "/qps/user",
        "https://*/",
        "https:///x",
    ],
)
def test_an_image_address_that_would_widen_the_policy_is_refused(url: str) -> None:
    with pytest.raises(InternalError):
        redeem_page(redeem_at=url, location="https://mashup.example.com/")


@pytest.mark.parametrize("name", NAMES)
def test_every_page_is_sent_with_the_headers_that_keep_it_to_itself(name: str) -> None:
    page = gallery()[name]
    headers = pages.security_headers(page)
    assert headers["Content-Security-Policy"] == page.csp
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == ("strict-origin" if name == "form" else "no-referrer")
    assert headers.get("X-Frame-Options") == (None if name in FRAMED else "DENY")
    assert headers.get("Cross-Origin-Resource-Policy") == (None if name in FRAMED else "same-origin")
    assert "camera=()" in headers["Permissions-Policy"]


def test_a_page_does_not_show_what_it_carries_in_its_repr() -> None:
    assert "SAMLRequest" not in repr(gallery()["form"])
    assert "qlikTicket" not in repr(gallery()["redeem"])


# ---- what the pages say ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", ALL_ERRORS, ids=lambda error: error.__name__)
def test_every_error_has_its_page(error: type[GatewayError]) -> None:
    seen = Seen(error_page(error, correlation_id=REFERENCE, now=NOW).html)
    assert seen.texts["h1"] == [error.title]
    assert seen.texts["p"][1] == error.advice
    assert seen.texts["code"] == [error.code, REFERENCE]
    assert seen.texts["dd"][0] == WHO_CAN_FIX_IT[error.blame]
    assert "a" not in seen.tags


def test_everybody_who_may_have_to_mend_something_is_named() -> None:
    assert set(WHO_CAN_FIX_IT) == set(Blame)


def test_the_time_on_a_page_is_utc_wherever_the_clock_was_read() -> None:
    abroad = datetime(2026, 3, 2, 13, 30, 5, tzinfo=timezone(timedelta(hours=1, minutes=30)))
    seen = Seen(error_page(NodeNotVerified, correlation_id=REFERENCE, now=abroad).html)
    assert seen.texts["time"] == ["2026-03-02 12:00:05 UTC"]
    assert seen.attributes("time", "datetime") == ["2026-03-02T12:00:05Z"]


def test_an_error_page_that_was_shown_before_has_nothing_of_the_answer_before() -> None:
    later = NOW + timedelta(days=1)
    first, second = (error_page(LoginExpired, correlation_id=HOSTILE * count, now=now) for count, now in ((1, NOW), (2, later)))
    assert Seen(first.html).texts["code"][1] == HOSTILE
    assert Seen(second.html).texts["code"][1] == HOSTILE * 2
    assert Seen(second.html).texts["time"] == [f"{later:%Y-%m-%d %H:%M:%S} UTC"]
    elsewhere = error_page(LoginExpired, correlation_id="x", now=NOW, ways=ways("finance", "/vp/finance/login"))
    assert "sales" not in elsewhere.html


def test_a_used_login_leads_on_to_its_virtual_proxy_or_to_a_fresh_start() -> None:
    page = error_page(LoginAlreadyUsed, correlation_id=REFERENCE, now=NOW, ways=ways("sales", "/vp/sales/login"))
    seen = Seen(page.html)
    assert seen.texts["strong"] == ["sales"]
    assert seen.texts["a"] == ["Start again", "Go on to Qlik Sense", "Sign in another way"]


def test_json_errors_hold_the_advice_and_four_keys() -> None:
    assert error_json(NodeNotVerified, correlation_id=REFERENCE) == {
        "code": NodeNotVerified.code,
        "title": NodeNotVerified.title,
        "detail": NodeNotVerified.advice,
        "correlation_id": REFERENCE,
    }


def test_a_form_keeps_its_fields_in_order_and_its_button_sends_none() -> None:
    seen = Seen(form_page(FormPost(action="https://idp.example.com/", fields={"submit": "b", "a": "1"}), provider="Contoso").html)
    assert seen.attributes("input", "name") == ["submit", "a"]
    assert not seen.attributes("button", "name")


def test_without_javascript_the_redeem_page_goes_on_after_two_seconds() -> None:
    html = gallery()["redeem"].html
    assert '<noscript><meta http-equiv="refresh" content="2; url=https://idp.example.com/mashup/#tab=2"></noscript>' in html


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_a_language_a_title_one_heading_and_one_main_part(name: str) -> None:
    seen = Seen(gallery()[name].html)
    assert seen.attributes("html", "lang") == ["en"]
    assert seen.tags.count("h1") == seen.tags.count("main") == seen.tags.count("title") == 1
    assert seen.texts["title"][0].startswith(seen.texts["h1"][0])
    assert [role for role in seen.attributes("p", "role") if role == "alert"] == (
        ["alert"] if name in {"error", "denied", "start-again", "chooser-failed"} else []
    )
    assert "user-scalable" not in str(seen.attributes("meta", "content"))


def test_the_style_sheet_is_small() -> None:
    assert len(STYLE.encode()) <= 4096


def test_every_sentence_is_used() -> None:
    templates = "".join(path.read_text("utf-8") for path in HERE.glob("*.html"))
    assert set(re.findall(r"say\.(\w+)", templates)) == set(SENTENCES)


def test_the_manual_names_the_policy_of_every_page() -> None:
    manual = (Path(__file__).parents[3] / "docs" / "pages.md").read_text("utf-8")
    for page in gallery("https://qlik.example.com").values():
        policy = re.sub(r"sha256-[^']+", "sha256-…", page.csp)
        assert f"`{policy}`" in manual


# ---- the rule that refused ---------------------------------------------------------------------------------------------


def test_the_rule_that_refused_and_its_message_are_shown_as_text() -> None:
    rule = pages.RefusingRule(id="no-guests", message=HOSTILE)
    seen = Seen(error_page(errors.AccessDenied, correlation_id=REFERENCE, now=NOW, rule=rule).html)
    assert "no-guests" in seen.texts["code"]
    assert seen.texts["bdi"] == [HOSTILE]
    assert seen.attributes("p", "role") == ["alert"]
    without = Seen(error_page(errors.AccessDenied, correlation_id=REFERENCE, now=NOW, rule=pages.RefusingRule(id="allow")).html)
    assert "bdi" not in without.tags
    assert without.attributes("p", "role") == ["alert"]


def test_programs_read_the_rule_too() -> None:
    rule = pages.RefusingRule(id="no-guests", message="Guests sign in elsewhere.")
    told = error_json(errors.AccessDenied, correlation_id=REFERENCE, rule=rule)
    assert (told["rule"], told["message"]) == ("no-guests", "Guests sign in elsewhere.")
    assert "rule" not in error_json(errors.AccessDenied, correlation_id=REFERENCE)


def test_every_template_can_be_prepared() -> None:
    assert {*pages.prepare()} == {file.name for file in HERE.glob("*.html")}
