from __future__ import annotations

from dataclasses import dataclass

import pytest

from gateway.reload import Stock
from gateway.routing import Live


@dataclass(eq=False)
class Line:
    """An adapter that knows whether it is open."""

    name: str
    settings: str
    open: bool = True

    async def close(self) -> None:
        assert self.open, "closed twice"
        self.open = False


@pytest.fixture
def stock() -> Stock[str, Line]:
    return Stock(Line)


async def test_equal_settings_keep_their_adapter_and_others_get_a_new_one(stock: Stock[str, Line]) -> None:
    first = stock.edition({"a": "1", "b": "1"})
    stock.keep(first)
    second = stock.edition({"a": "1", "b": "2", "c": "1"})
    assert second["a"] is first["a"]
    assert second["b"] is not first["b"]


async def test_only_what_no_other_edition_uses_is_closed(stock: Stock[str, Line]) -> None:
    editions = []
    for wanted in ({"a": "1", "b": "1"}, {"b": "1", "c": "1"}, {"c": "1"}):
        editions.append(stock.edition(wanted))
        stock.keep(editions[-1])
    await stock.retire(editions[1])
    assert [editions[0]["a"].open, editions[0]["b"].open, editions[1]["c"].open] == [True, True, True]
    await stock.retire(editions[0])
    assert [editions[0]["a"].open, editions[0]["b"].open, editions[1]["c"].open] == [False, False, True]
    await stock.close()
    assert not editions[2]["c"].open


async def test_an_edition_that_never_went_into_use_lends_nothing(stock: Stock[str, Line]) -> None:
    first = stock.edition({"a": "1"})
    stock.keep(first)
    stock.edition({"a": "2"})
    assert stock.edition({"a": "1"})["a"] is first["a"]


def test_a_swapped_value_is_free_when_its_last_holder_lets_go() -> None:
    live, free = Live("old"), list[str]()
    with live.hold() as outer:
        with live.hold() as inner:
            live.swap("new", when_free=lambda: free.append("old"))
            assert (outer, inner, live.read()) == ("old", "old", "new")
        assert not free
        with live.hold() as later:
            assert later == "new"
    assert free == ["old"]


def test_a_value_that_nobody_holds_is_free_at_once() -> None:
    live, free = Live(1), list[int]()
    live.swap(2, when_free=lambda: free.append(1))
    live.swap(3)
    assert free == [1]


def test_a_holder_that_fails_lets_go_too() -> None:
    live, free = Live(1), list[int]()

    def fail() -> None:
        with live.hold():
            live.swap(2, when_free=lambda: free.append(1))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert free == [1]
