"""How a store is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model import Secret
from gateway.stores.address import IN_MEMORY, Credentials, StoreAddress, StoreKind, read_store_address


def test_memory_is_not_shared() -> None:
    assert read_store_address("memory:") == IN_MEMORY
    assert not IN_MEMORY.shared


def test_one_server_has_a_port_and_a_database_by_default() -> None:
    address = read_store_address("redis://redis.example.com")
    assert address == StoreAddress(kind=StoreKind.SINGLE, servers=(("redis.example.com", 6379),))
    assert address.shared


def test_everything_about_one_server() -> None:
    address = read_store_address("rediss://gate%40way:p%2Fw%3A@[2001:db8::1]:6380/3")
    assert (address.servers, address.tls, address.database) == ((("2001:db8::1", 6380),), True, 3)
    assert address.credentials == Credentials(user="gate@way", password=Secret("p/w:"))


def test_a_password_without_a_user() -> None:
    assert read_store_address("redis://:hunter2@redis").credentials == Credentials(password=Secret("hunter2"))


def test_sentinels_are_asked_for_a_primary_by_name() -> None:
    address = read_store_address("redis+sentinel://:a@s1,s2:26380/main/2?sentinel_user=u&sentinel_password=b%26")
    assert (address.kind, address.servers) == (StoreKind.SENTINEL, (("s1", 26379), ("s2", 26380)))
    assert (address.service, address.database) == ("main", 2)
    assert address.credentials.password == Secret("a")
    assert address.sentinel == Credentials(user="u", password=Secret("b&"))


def test_a_cluster_is_known_by_some_of_its_nodes() -> None:
    address = read_store_address("rediss+cluster://a,b:7001")
    assert (address.kind, address.servers, address.tls) == (StoreKind.CLUSTER, (("a", 6379), ("b", 7001)), True)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a store is memory:"),
        ("memory", "a store is memory:"),
        ("memory://", "a store is memory:"),
        ("http://redis", "a store is memory:"),
        ("redis:redis", "a store is memory:"),
        ("redis://redis#a", "a store is memory:"),
        ("redis://r\u00e9dis", "a store is memory:"),
        ("redis://a b", "names its servers"),
        ("redis://", "names its servers"),
        ("redis://redis:0", "names its servers"),
        ("redis://redis:65536", "names its servers"),
        ("redis+cluster://a,", "names its servers"),
        ("redis://a,b", "several servers"),
        ("redis://redis/x", "the number of the database"),
        ("redis://redis/1/2", "the number of the database"),
        ("redis+sentinel://s", "by its name"),
        ("redis+sentinel://s/", "by its name"),
        ("redis+sentinel://s/main/x", "the number of the database"),
        ("redis+cluster://a/1", "one database only"),
        ("redis://redis?db=1", "takes sentinel_user"),
        ("redis+sentinel://s/main?password=x", "takes sentinel_user"),
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_store_address(text)


def test_no_password_shows_itself() -> None:
    address = read_store_address("redis+sentinel://u:hunter2@s/main?sentinel_password=hunter3")
    assert "hunter" not in repr(address)


@given(st.text(), st.sampled_from(["", "redis://", "rediss://:hunter2@", "redis+sentinel://", "redis+cluster://"]))
def test_any_text_gives_an_address_or_a_sentence_that_does_not_repeat_it(text: str, start: str) -> None:
    told = ""
    try:
        read_store_address(start + text)
    except ValueError as error:
        told = str(error)
    assert "hunter2" not in told
