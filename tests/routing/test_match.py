"""The node that a redirect names: what is known by heart is what the comparison finds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UnknownNode
from gateway.model import AuthModuleRedirect
from gateway.protocol.qps import Targets, match_node, read_node, read_target
from gateway.routing import NodeRoute, VirtualProxy
from gateway.strength import Strength

PROXY: Any = SimpleNamespace()
NODES = [read_node(f"https://qlik{number}.corp.example:4243/qps/") for number in (1, 2)] + [read_node("https://qlik1.corp.example/a/qps")]


def virtual_proxy(prefix: str) -> VirtualProxy:
    return VirtualProxy(
        name="sales",
        prefix=prefix,
        nodes={node.name: NodeRoute(node=node, proxy=PROXY) for node in NODES},
        targets=Targets(allowed=(read_target("https://qlik.example.com"),), default="https://qlik.example.com/"),
        identity_providers=("entra",),
        access=(),
        strength=Strength(),
    )


WHERE = {prefix: virtual_proxy(prefix) for prefix in ("", "sales", "a")}
PARTS = st.sampled_from(
    [
        "https://",
        "HTTPS://",
        "http://",
        "qlik1.corp.example",
        "qlik2.corp.example",
        ":4243",
        ":443",
        "/",
        "/qps",
        "/sales",
        "/a",
        "?",
        "%61",
    ]
)


def redirect(uri: str) -> AuthModuleRedirect:
    return AuthModuleRedirect(target_id="t", proxy_rest_uri=uri)


@given(prefix=st.sampled_from([*WHERE]), uri=st.lists(PARTS, max_size=6).map("".join))
def test_the_short_way_finds_what_the_long_one_does(prefix: str, uri: str) -> None:
    try:
        expected = match_node(redirect(uri), NODES, prefix)
    except UnknownNode:
        with pytest.raises(UnknownNode):
            WHERE[prefix].match(redirect(uri))
    else:
        assert WHERE[prefix].match(redirect(uri)) is expected


@pytest.mark.parametrize("prefix", [*WHERE])
def test_what_a_proxy_says_of_itself_is_known_by_heart(prefix: str) -> None:
    tail = f"{prefix}/" if prefix else ""
    assert [WHERE[prefix].match(redirect(f"{node.name}{tail}")) for node in NODES] == NODES
    assert set(WHERE[prefix]._matched.values()) == set(NODES)
