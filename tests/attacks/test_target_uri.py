"""A TargetUri that an attacker had made: anybody can have a targetId for an address of their choice.

Whoever sent the browser there would hand over a ticket, which is the user's session. Each case is a good address with the
one change that its name states; all must end in QGW-406, and then nobody gets the ticket.
"""

import pytest

from gateway.errors import GatewayError
from gateway.model import Secret
from gateway.protocol.qps import Targets, read_node, read_target, ticket_location

NODE = read_node("https://qlik1.corp.example:4243/qps/")
TARGETS = Targets(
    allowed=(
        read_target("https://qlik.example.com"),
        read_target("https://mashup.example.com/sales/"),
        read_target("https://192.0.2.7:8443"),
        read_target("https://xn--bcher-kva.example"),
    ),
    default="https://qlik.example.com/sales/hub/",
)
ELSEWHERE = {
    "another host": "https://evil.example/hub",
    "a listed host as a subdomain": "https://qlik.example.com.evil.example/hub",
    "a host that ends like a listed one": "https://evilqlik.example.com/hub",
    "a subdomain of a listed host": "https://evil.qlik.example.com/hub",
    "a dot after the host": "https://qlik.example.com./hub",
    "plain http": "http://qlik.example.com/hub",
    "another port": "https://qlik.example.com:8443/hub",
    "a port with zeros before it": "https://qlik.example.com:00443/hub",
    "an empty port": "https://qlik.example.com:/hub",
    "a port that is no number": "https://qlik.example.com:443x/hub",
    "the listed host as a user name": "https://qlik.example.com@evil.example/hub",
    "the listed host and port as a user name": "https://qlik.example.com:443@evil.example/hub",
    "a user name at the listed host": "https://user@qlik.example.com/hub",
    "an at-sign without a user": "https://@qlik.example.com/hub",
    "a backslash before an at-sign": "https://evil.example\\@qlik.example.com/hub",
    "a backslash after the host": "https://evil.example\\.qlik.example.com/hub",
    "a backslash in the path": "https://qlik.example.com/\\evil.example",
    "backslashes for slashes": "https:\\\\evil.example/hub",
    "no slashes": "https:evil.example/hub",
    "one slash": "https:/evil.example/hub",
    "three slashes": "https:///evil.example/hub",
    "no scheme": "//evil.example/hub",
    "a path alone": "/hub",
    "a relative path": "hub",
    "a script": "javascript:alert(1)//https://qlik.example.com",
    "data": "data:text/html,https://qlik.example.com",
    "an app's own scheme": "qliksenselink://qlik.example.com/hub",
    "a tab in the host": "https://qlik.exam\tple.com/hub",
    "a tab in the scheme": "java\tscript:alert(1)",
    "a line break in the path": "https://qlik.example.com/hub\r\nSet-Cookie: a=b",
    "a NUL in the host": "https://qlik.example.com\x00.evil.example/hub",
    "a blank before it": " https://qlik.example.com/hub",
    "a blank in the path": "https://qlik.example.com/a b",
    "a control character at the end": "https://qlik.example.com/hub\x1f",
    "a non-ASCII letter in the host": "https://ql\u0456k.example.com/hub",
    "a non-ASCII letter in the path": "https://qlik.example.com/h\u00fcb",
    "a listed name before its encoding": "https://b\u00fccher.example/",
    "a full-width slash after the host": "https://evil.example\uff0f.qlik.example.com/",
    "a full-width at-sign": "https://qlik.example.com\uff20evil.example/",
    "a lone surrogate": "https://qlik.example.com/\udc00",
    "an escape in the host": "https://qlik%2eexample.com/hub",
    "an escaped NUL in the host": "https://qlik.example.com%00.evil.example/hub",
    "an escaped slash in the host": "https://evil.example%2f.qlik.example.com/hub",
    "a number as host": "https://3221225991:8443/",
    "a hexadecimal number as host": "https://0xc0000207:8443/",
    "an address in octal": "https://0300.0.02.07:8443/",
    "an address with two parts": "https://192.519:8443/",
    "an address as IPv6": "https://[::ffff:192.0.2.7]:8443/",
    "an IPv6 zone": "https://[fe80::1%25eth0]/hub",
    "an IPv6 host without brackets": "https://::1/hub",
    "nothing": "",
    "longer than any browser reads": "https://qlik.example.com/" + "a" * 8192,
}
OUT_OF_THE_PATH = {
    "the host without the path": "https://mashup.example.com/",
    "no path": "https://mashup.example.com",
    "a path that only begins like the listed one": "https://mashup.example.com/salesman/",
    "a file that begins like the listed path": "https://mashup.example.com/sales.html",
    "the path in another case": "https://mashup.example.com/Sales/",
    "the path behind another one": "https://mashup.example.com/evil/sales/",
    "the path behind two slashes": "https://mashup.example.com//sales/",
    "the path in the query": "https://mashup.example.com/?/sales/",
    "dots": "https://mashup.example.com/sales/../evil/",
    "dots at the end": "https://mashup.example.com/sales/..",
    "one dot": "https://mashup.example.com/sales/./a",
    "escaped dots": "https://mashup.example.com/sales/%2e%2e/evil/",
    "half escaped dots": "https://mashup.example.com/sales/.%2E/evil/",
    "dots escaped twice": "https://mashup.example.com/sales/%252e%252e/evil/",
    "dots escaped three times": "https://mashup.example.com/sales/%25252e%25252e/evil/",
    "dots escaped beyond reading": "https://mashup.example.com/sales/%2525252525252e%2e/evil/",
    "an escaped slash": "https://mashup.example.com/sales/..%2fevil/",
    "an escaped slash alone": "https://mashup.example.com/sales/a%2Fb",
    "an escaped backslash": "https://mashup.example.com/sales/..%5cevil/",
    "dots with a path parameter": "https://mashup.example.com/sales/..;/evil/",
    "dots with an escaped path parameter": "https://mashup.example.com/sales/..%3b/evil/",
    "dots and a blank": "https://mashup.example.com/sales/..%20/evil/",
    "three dots": "https://mashup.example.com/sales/.../evil/",
    "an escaped NUL": "https://mashup.example.com/sales/..%00/evil/",
    "an escaped line break": "https://mashup.example.com/sales/a%0d%0ab",
    "overlong dots": "https://mashup.example.com/sales/%c0%ae%c0%ae/evil/",
    "an overlong slash": "https://mashup.example.com/sales/..%c0%afevil/",
    "full-width dots": "https://mashup.example.com/sales/%ef%bc%8e%ef%bc%8e/evil/",
    "a two-dot leader": "https://mashup.example.com/sales/%e2%80%a5/evil/",
    "a full-width slash": "https://mashup.example.com/sales/..%ef%bc%8fevil/",
}
ATTACKS = ELSEWHERE | OUT_OF_THE_PATH


@pytest.mark.parametrize(
    "uri",
    ["https://qlik.example.com/hub", "https://mashup.example.com/sales/a", "https://192.0.2.7:8443/hub", "https://xn--bcher-kva.example/"],
)
def test_the_good_cases_that_all_others_are_derived_from(uri: str) -> None:
    assert ticket_location(Secret("T"), uri, TARGETS, NODE, prefix="sales").location == f"{uri}?qlikTicket=T"


@pytest.mark.parametrize("attack", ATTACKS)
def test_nobody_gets_the_ticket_at_an_address_that_is_not_listed(attack: str) -> None:
    with pytest.raises(GatewayError) as caught:
        ticket_location(Secret("iokrVXS-IndQgEON"), ATTACKS[attack], TARGETS, NODE, prefix="sales")
    assert caught.value.code == "QGW-406"
    assert caught.value.status == 400
    assert "iokrVXS" not in caught.value.detail
    assert caught.value.detail.isascii()
