"""A `proxyRestUri` that an attacker chose: foreign and look-alike addresses.

Whoever called it would show the site's client certificate, the user's data and a ticket to the attacker. Each case is the
good redirect with the one change that its name states; all must end in QGW-103, before anything is sent anywhere.
"""

import pytest

from gateway.errors import GatewayError
from gateway.model import AuthModuleRedirect
from gateway.protocol.qps import match_node, read_node

GOOD = "https://qlik1.corp.example:4243/qps/sales/"
NODE = read_node("https://qlik1.corp.example:4243/qps/")


def select(uri: str) -> object:
    redirect = AuthModuleRedirect(target_id="7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c", proxy_rest_uri=uri)
    return match_node(redirect, [NODE], "sales")


def test_the_good_case_that_all_others_are_derived_from() -> None:
    assert select(GOOD) is NODE


ATTACKS = {
    "another host": "https://evil.example:4243/qps/sales/",
    "the node's name as a subdomain of another": "https://qlik1.corp.example.evil.example:4243/qps/sales/",
    "a host that ends like the node": "https://evilqlik1.corp.example:4243/qps/sales/",
    "a host with a dot at its end": "https://qlik1.corp.example.:4243/qps/sales/",
    "the node's address instead of its name": "https://127.0.0.1:4243/qps/sales/",
    "another port": "https://qlik1.corp.example:4242/qps/sales/",
    "the default port": "https://qlik1.corp.example/qps/sales/",
    "a port with a zero before it": "https://qlik1.corp.example:04243/qps/sales/",
    "a port in other digits": "https://qlik1.corp.example:\uff14\uff12\uff14\uff13/qps/sales/",
    "a port that wraps round": f"https://qlik1.corp.example:{4243 + 65536}/qps/sales/",
    "plain http": "http://qlik1.corp.example:4243/qps/sales/",
    "another scheme": "wss://qlik1.corp.example:4243/qps/sales/",
    "no scheme": "//qlik1.corp.example:4243/qps/sales/",
    "a user name": "https://qlik1@qlik1.corp.example:4243/qps/sales/",
    "the node as user name of another host": "https://qlik1.corp.example:4243@evil.example/qps/sales/",
    "the node as user name and password": "https://qlik1.corp.example:4243@evil.example:4243/qps/sales/",
    "an empty user name": "https://@qlik1.corp.example:4243/qps/sales/",
    "a backslash before an at-sign": "https://evil.example\\@qlik1.corp.example:4243/qps/sales/",
    "backslashes for slashes": "https:\\\\qlik1.corp.example:4243\\qps\\sales\\",
    "an escape in the host": "https://qlik1%2ecorp.example:4243/qps/sales/",
    "an escape in the path": "https://qlik1.corp.example:4243/qps/%73ales/",
    "an escaped slash in the path": "https://qlik1.corp.example:4243/qps%2fsales/",
    "dots in the path": "https://qlik1.corp.example:4243/qps/finance/../sales/",
    "dots that lead to another prefix": "https://qlik1.corp.example:4243/qps/sales/../finance/",
    "two slashes at the end": "https://qlik1.corp.example:4243/qps/sales//",
    "two slashes in the middle": "https://qlik1.corp.example:4243/qps//sales/",
    "another virtual proxy's prefix": "https://qlik1.corp.example:4243/qps/finance/",
    "no prefix": "https://qlik1.corp.example:4243/qps/",
    "a prefix that begins like its own": "https://qlik1.corp.example:4243/qps/sales2/",
    "a prefix in another case": "https://qlik1.corp.example:4243/qps/Sales/",
    "something below the prefix": "https://qlik1.corp.example:4243/qps/sales/ticket",
    "a path in another case": "https://qlik1.corp.example:4243/QPS/sales/",
    "a path parameter": "https://qlik1.corp.example:4243/qps/sales;a=b/",
    "a query": "https://qlik1.corp.example:4243/qps/sales/?",
    "a query with the node": "https://evil.example/?https://qlik1.corp.example:4243/qps/sales/",
    "a fragment": "https://qlik1.corp.example:4243/qps/sales/#",
    "a fragment that hides the host": "https://evil.example:4243/qps/sales/#@qlik1.corp.example:4243/qps/sales/",
    "a tab in the host": "https://qlik1\t.corp.example:4243/qps/sales/",
    "a line break in the scheme": "ht\ntps://qlik1.corp.example:4243/qps/sales/",
    "a blank before it": " https://qlik1.corp.example:4243/qps/sales/",
    "a blank after it": "https://qlik1.corp.example:4243/qps/sales/ ",
    "a NUL after the host": "https://qlik1.corp.example\x00.evil.example:4243/qps/sales/",
    "a look-alike letter": "https://ql\u0456k1.corp.example:4243/qps/sales/",
    "a full-width dot": "https://qlik1\uff0ecorp.example:4243/qps/sales/",
    "a soft hyphen": "https://qlik1\u00ad.corp.example:4243/qps/sales/",
    "a lone surrogate": "https://qlik1.corp.example:4243/qps/sales/\ud800",
    "encoded twice": "https%3a%2f%2fqlik1.corp.example%3a4243%2fqps%2fsales%2f",
    "no host": "https:///qps/sales/",
    "no authority": "https:qlik1.corp.example:4243/qps/sales/",
    "one slash": "https:/qlik1.corp.example:4243/qps/sales/",
    "nothing": "",
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_look_alike_of_the_node_is_unknown(attack: str) -> None:
    with pytest.raises(GatewayError) as caught:
        select(ATTACKS[attack])
    assert caught.value.code == "QGW-103"
    assert caught.value.status == 400
    assert caught.value.detail.isascii()
