"""Access rules and a virtual proxy's own mapping on real logins: page, log and metric name the rule that refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.flow.conftest import Worlds

MESSAGE = "Sales has its own <site>."


def with_deny(owner: dict[str, Any], when: str) -> None:
    owner["deny"] = [{"id": "not-sales", "when": when, "message": MESSAGE}]


async def test_a_refused_user_reads_the_rules_message_and_id(worlds: Worlds, capsys: pytest.CaptureFixture[str]) -> None:
    world = await worlds(edit_provider=lambda provider: with_deny(provider, "'sales' in user.attributes.group"))
    page = await world.sign_in(world.browser())
    assert (page.status, page.code) == (403, "QGW-306")
    assert "Sales has its own &lt;site&gt;." in page.text
    assert "<code>not-sales</code>" in page.text
    assert 'qlikgw_access_refusals_total{idp="entra",rule="not-sales",vp="sales"} 1.0' in await world.metrics()
    assert world.sessions() == []
    line = next(line for line in capsys.readouterr().out.splitlines() if "login_rejected" in line)
    assert "not-sales" in line


async def test_a_rule_of_the_virtual_proxy_that_errors_refuses_with_its_id(worlds: Worlds) -> None:
    world = await worlds(edit_gateway=lambda gateway: with_deny(gateway["virtual_proxies"]["sales"], "claims.no_such_claim == 'x'"))
    page = await world.sign_in(world.browser())
    assert (page.status, page.code) == (403, "QGW-305")
    assert "<code>not-sales</code>" in page.text
    assert "Sales has its own" not in page.text
    assert world.sessions() == []


async def test_programs_get_the_rule_as_json(worlds: Worlds) -> None:
    world = await worlds(edit_provider=lambda provider: with_deny(provider, "true"))
    browser = world.browser()
    answer = await world.to_callback(browser)
    told = json.loads((await browser.get(answer.location, Accept="application/json")).text)
    assert (told["code"], told["rule"], told["message"]) == ("QGW-306", "not-sales", MESSAGE)


async def test_a_virtual_proxy_decides_directory_and_attributes_itself(worlds: Worlds) -> None:
    own = {
        "user_directory": {"value": "EXTRANET"},
        "attributes": {
            "group": {"claim": "groups", "steps": [{"filter": {"prefix": "qlik-"}}, {"strip_prefix": "qlik-"}]},
            "door": {"value": "a"},
        },
    }
    world = await worlds(edit_gateway=lambda gateway: gateway["virtual_proxies"]["sales"].update(mapping=own))
    assert (await world.sign_in(world.browser())).status == 200
    (session,) = world.sessions()
    assert (session.user.directory, session.user.user_id) == ("EXTRANET", "alice")
    assert list(session.user.attributes) == [("email", "alice@example.com"), ("group", "users"), ("idp", "entra"), ("door", "a")]
