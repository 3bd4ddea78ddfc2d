"""Which route a path has: as the patterns say, whatever stands in it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MethodNotAllowed, NotFound
from gateway.web.routes import NOWHERE, ROUTES, find

PATTERNS = {
    re.compile(re.sub(r"\{\w+\}", "([^/]+)", re.escape(route.pattern).replace(r"\{", "{").replace(r"\}", "}"))): route for route in ROUTES
}
PIECES = st.sampled_from(
    ["/", "//", "vp", "idp", "login", "callback", "test-login", "sales", "metadata", "jwks.json", "%2F", "..", "*", "ä", "{vp}"]
)


@given(st.lists(PIECES, max_size=7).map("".join))
def test_a_path_has_the_route_whose_pattern_it_fits(path: str) -> None:
    fitting = [(route, match[1]) for pattern, route in PATTERNS.items() if (match := pattern.fullmatch(path))]
    route, name = find(path)
    assert len(fitting) <= 1
    if fitting:
        assert (route, name) == fitting[0]
    else:
        assert route is NOWHERE


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.pattern)
def test_every_route_is_found(route: object) -> None:
    assert find(re.sub(r"\{\w+\}", "some.name", route.pattern)) == (route, "some.name")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path", ["", "/", "*", "/vp", "/vp//login", "/test-login/", "/vp/sales", "/vp/sales/login//", "vp/sales/login", "host:443"]
)
def test_what_no_pattern_fits_is_nowhere(path: str) -> None:
    assert find(path)[0] is NOWHERE


def test_a_path_that_is_known_says_which_methods_it_takes() -> None:
    route, _ = find("/vp/sales/login/")
    assert route.handler("GET")
    with pytest.raises(MethodNotAllowed):
        route.handler("HEAD")
    with pytest.raises(NotFound):
        NOWHERE.handler("GET")
