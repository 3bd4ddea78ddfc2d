"""Nodes of the configuration, and the redirect that names one of them."""

import pytest

from gateway.errors import MalformedStart, UnknownNode
from gateway.model import AuthModuleRedirect
from gateway.protocol.qps import match_node, read_node, read_redirect

TARGET = "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c"
REST = "https://qlik1.corp.example:4243/qps/sales/"
NODES = [read_node("https://qlik2.corp.example:4243/qps/"), read_node("https://qlik1.corp.example:4243/qps/")]


def redirect(uri: str) -> AuthModuleRedirect:
    return AuthModuleRedirect(target_id=TARGET, proxy_rest_uri=uri)


# ---- read_node -------------------------------------------------------------------------------------------------------


def test_a_node_has_a_canonical_name_and_is_reached_where_it_is_named() -> None:
    node = read_node("HTTPS://Qlik1.Corp.Example:4243/qps")
    assert node.name == "https://qlik1.corp.example:4243/qps/"
    assert node.origin == ("https", "qlik1.corp.example", 4243)
    assert (node.path, node.reach_at, node.server_name) == ("/qps", "https://qlik1.corp.example:4243/qps", "qlik1.corp.example")


def test_a_node_may_be_reached_elsewhere_and_bear_another_name() -> None:
    node = read_node("https://qlik1.corp.example:4243/qps/", reach_at="https://10.1.2.3/qps/", server_name="QLIK_1")
    assert (node.reach_at, node.server_name) == ("https://10.1.2.3/qps", "QLIK_1")


def test_the_default_port_is_left_out_of_the_name() -> None:
    assert read_node("https://qlik1.corp.example:443/qps/").name == read_node("https://qlik1.corp.example/qps/").name


def test_an_ipv6_node_is_verified_by_its_bare_address() -> None:
    node = read_node("https://[2001:DB8::0:1]:4243/qps/")
    assert (node.name, node.server_name) == ("https://[2001:db8::1]:4243/qps/", "2001:db8::1")


def test_a_node_without_a_path_is_possible() -> None:
    assert read_node("https://qlik1.corp.example:4243/").path == ""


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("http://qlik1.corp.example:4243/qps/", "https"),
        ("qlik1.corp.example:4243/qps", "form"),
        ("https://user@qlik1.corp.example/qps/", "form"),
        ("https://qlik1.corp.example/qps/?x=1", "query"),
        ("https://qlik1.corp.example/qps/#x", "fragment"),
        ("https://qlik1.corp.example/q%70s/", "plain"),
        ("https://qlik1.corp.example//qps/", "plain"),
        ("https://qlik1.corp.example/../qps/", "plain"),
        ("https://qlik1.corp.example:0/qps/", "form"),
        ("https://qlik1.corp.example:65536/qps/", "65535"),
        ("https://qlik1.corp.example:/qps/", "form"),
        ("https://qlik1..example/qps/", "host"),
        ("https://-qlik1.example/qps/", "host"),
        (f"https://{'a' * 64}.example/qps/", "host"),
        (f"https://{'.'.join(['a' * 60] * 5)}/qps/", "host"),
        ("https://10.1.2/qps/", "four decimal"),
        ("https://0x7f000001/qps/", "four decimal"),
        ("https://10.1.2.03/qps/", "four decimal"),
        ("https://[::1:]/qps/", "IPv6"),
        ("https://qlik1.corp.exämple/qps/", "xn--"),
        ("https://qlik1.corp.example\\qps/", "backslash"),
        ("https://qlik1.corp.example/qps/ ", "ASCII"),
        ("", "ASCII"),
        ("ftp://qlik1.corp.example/qps/", "begins with"),
    ],
)
def test_a_node_that_cannot_be_used_is_refused_with_a_sentence(uri: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_node(uri)
    with pytest.raises(ValueError, match=sentence):
        read_node("https://qlik1.corp.example/qps/", reach_at=uri)


@pytest.mark.parametrize("name", ["", "*.corp.example", "qlik 1", "qlik1:4243", "qlïk1", "a..b", "[::1]"])
def test_a_server_name_is_one_whole_name_or_address(name: str) -> None:
    with pytest.raises(ValueError, match=r"host|address"):
        read_node("https://qlik1.corp.example/qps/", server_name=name)


@pytest.mark.parametrize("name", ["QlikClient", "qlikclient", "QLIKCLIENT"])
def test_no_node_goes_by_the_name_of_the_client_certificate(name: str) -> None:
    with pytest.raises(ValueError, match="client certificate"):
        read_node("https://qlik1.corp.example/qps/", server_name=name)
    with pytest.raises(ValueError, match="client certificate"):
        read_node(f"https://{name}/qps/")


# ---- read_redirect ---------------------------------------------------------------------------------------------------


def test_the_proxys_redirect_is_read_whatever_the_order_and_whatever_else_is_there() -> None:
    expected = redirect(REST)
    assert read_redirect([("proxyRestUri", REST), ("targetId", TARGET)]) == expected
    assert read_redirect([("targetId", TARGET), ("idp", "entra"), ("proxyRestUri", REST)]) == expected


@pytest.mark.parametrize("target", [TARGET, TARGET.upper(), TARGET.replace("-", "")])
def test_a_guid_in_any_case_with_or_without_dashes_is_a_target_id(target: str) -> None:
    read = read_redirect([("targetId", target), ("proxyRestUri", REST)])
    assert read is not None
    assert read.target_id == target


@pytest.mark.parametrize("fields", [[], [("idp", "entra")], [("targetid", TARGET), ("proxyresturi", REST)]])
def test_without_either_parameter_the_portal_came_first(fields: list[tuple[str, str]]) -> None:
    assert read_redirect(fields) is None


@pytest.mark.parametrize(
    "fields",
    [
        [("targetId", TARGET)],
        [("proxyRestUri", REST)],
        [("targetId", TARGET), ("targetId", TARGET), ("proxyRestUri", REST)],
        [("targetId", TARGET), ("proxyRestUri", REST), ("proxyRestUri", REST)],
        [("targetId", ""), ("proxyRestUri", REST)],
        [("targetId", TARGET), ("proxyRestUri", "")],
        [("targetId", ""), ("proxyRestUri", "")],
        [("targetId", "")],
        [("targetId", "not-a-guid"), ("proxyRestUri", REST)],
        [("targetId", TARGET + "0"), ("proxyRestUri", REST)],
        [("targetId", TARGET + "\n"), ("proxyRestUri", REST)],
        [("targetId", TARGET.replace("7", "\uff17", 1)), ("proxyRestUri", REST)],
        [("targetId", TARGET), ("proxyRestUri", REST + "a" * 2048)],
    ],
)
def test_anything_between_neither_and_exactly_one_of_each_is_malformed(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(MalformedStart):
        read_redirect(fields)


# ---- match_node ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        REST,
        REST.removesuffix("/"),
        REST.replace("qlik1", "QLIK1").replace("https", "HTTPS"),
    ],
)
def test_the_redirect_selects_a_configured_node(uri: str) -> None:
    assert match_node(redirect(uri), NODES, "sales") is NODES[1]


def test_the_default_virtual_proxy_has_no_prefix() -> None:
    assert match_node(redirect("https://qlik2.corp.example:4243/qps/"), NODES, "") is NODES[0]
    assert match_node(redirect("https://qlik2.corp.example:4243/qps"), NODES, "") is NODES[0]
    with pytest.raises(UnknownNode):
        match_node(redirect(REST), NODES, "")


def test_port_443_is_the_default() -> None:
    node = read_node("https://qlik1.corp.example/qps/")
    assert match_node(redirect("https://qlik1.corp.example:443/qps/sales/"), [node], "sales") is node


def test_a_node_that_nobody_configured_is_unknown_and_the_detail_tells_which() -> None:
    with pytest.raises(UnknownNode, match=r"evil\.example"):
        match_node(redirect("https://evil.example:4243/qps/sales/"), NODES, "sales")
