"""What a browser sends is read in one step of our own where a library would take ten: with the same outcome as the library's."""

from __future__ import annotations

from urllib.parse import parse_qsl, quote_plus

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import MalformedStart
from gateway.web.browser import LONG, MOST_PARAMETERS, _pairs, own_cookies

PIECES = st.sampled_from(
    [
        "&",
        "=",
        "+",
        "%",
        "%41",
        "%2B",
        "%C3%A4",
        "%C3",
        "%A4",
        "%zz",
        "%4",
        "a",
        "state",
        "ä",
        "\udcff",
        "\x00",
        ";",
        "%26",
        "%3D",
        "%2F",
        "%3A",
        "2",
        "B",
    ]
)
NAMES = st.sampled_from(["qgw-browser", "__Host-qgw-browser", "qgw-login-x", "other", "__Host-other", "xqgw-browser", "QGW-browser"])
VALUES = st.text("abcXYZ019-_.:~", max_size=12)


TEXTS = st.lists(PIECES, max_size=30).map("".join)


@given(TEXTS | st.tuples(TEXTS, st.just("x" * LONG), TEXTS).map("".join))
@example("x" * LONG + "%")
@example("x" * LONG + "%2")
@example("%2B" * LONG + "%252B")
@example("&" * (MOST_PARAMETERS - 1))
@example("&" * MOST_PARAMETERS)
@example("a=%C3&b=%A4")
def test_parameters_are_read_as_the_standard_library_reads_them(text: str) -> None:
    try:
        expected = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="strict")
    except ValueError:
        with pytest.raises(MalformedStart):
            _pairs(text, MalformedStart)
    else:
        assert _pairs(text, MalformedStart) == expected


@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=20)), max_size=5))
def test_parameters_come_back_as_they_were_written(pairs: list[tuple[str, str]]) -> None:
    pairs = [(name.encode(errors="replace").decode(), value.encode(errors="replace").decode()) for name, value in pairs]
    text = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    assert _pairs(text, MalformedStart) == pairs


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.sampled_from(["; ", ";", " ; "]))
def test_our_cookies_are_read_as_aiohttp_reads_them(pairs: list[tuple[str, str]], between: str) -> None:
    header = between.join(f"{name}={value}" for name, value in pairs)
    request = make_mocked_request("GET", "/", headers={"Cookie": header})
    ours = {name: value for name, value in request.cookies.items() if name.startswith(("qgw-", "__Host-qgw-"))}
    assert own_cookies(request.headers) == ours


@given(st.text(max_size=60))
def test_whatever_comes_as_cookies_is_read(text: str) -> None:
    for name, value in own_cookies({"Cookie": text}).items():
        assert name.startswith(("qgw-", "__Host-qgw-"))
        assert ";" not in name + value
