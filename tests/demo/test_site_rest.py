from __future__ import annotations

import re
import ssl
from datetime import timedelta

import aiohttp
import pytest

from gateway.demo.certificates import SiteCertificates, make_site
from gateway.demo.site import Fault, QlikSimulator, RestTls
from gateway.demo.site.tls import load_pair
from tests.demo.clients import ALICE, KEY, NODES, RestClient, client_context, get, location
from tests.fakes import FixedClock

MODULES = {"sales": "http://gw.example/vp/sales/login"}


async def refused(rest: RestClient, **call: object) -> tuple[int, str]:
    """Status and text of a ticket request that differs in what is given."""
    response = await rest.call(**{"method": "POST", "path": "sales/ticket", **call})
    return response.status, await response.text()


class TestTicket:
    """Qlik: "Add ticket"."""

    async def test_the_answer_is_created_in_pascal_case(self, rest: RestClient) -> None:
        response = await rest.call("POST", "sales/ticket", json=ALICE | {"Attributes": [{"group": "a"}, {"group": "b"}, {"empty": ""}]})
        body = await response.json()
        assert response.status == 201
        assert re.fullmatch(r"[-_.a-zA-Z0-9]{16}", body.pop("Ticket"))
        assert body == ALICE | {"Attributes": [{"group": "a"}, {"group": "b"}, {"empty": ""}]}

    async def test_the_default_virtual_proxy_has_no_prefix(self, rest: RestClient) -> None:
        await rest.ticket("")
        assert [prefix for prefix, _ in rest.site.node().memory.tickets] == [""]

    async def test_the_target_uri_comes_only_with_a_target(self, rest: RestClient) -> None:
        async with aiohttp.ClientSession() as browser:
            target_id = location(await get(browser, rest.site.hub("sales")))[1][1][1]
        with_target = await rest.call("POST", "sales/ticket", json=ALICE | {"TargetId": target_id})
        empty = await rest.call("POST", "sales/ticket", json=ALICE | {"TargetId": ""})
        assert (await with_target.json())["TargetUri"] == rest.site.hub("sales")
        assert "TargetUri" not in await empty.json()

    async def test_names_are_read_in_any_case(self, rest: RestClient) -> None:
        response = await rest.call(
            "POST", "sales/ticket", json={"userDirectory": "CORP", "userId": "alice", "attributes": [{"Group": "A"}]}
        )
        assert response.status == 201
        assert (await response.json())["Attributes"] == [{"Group": "A"}]

    async def test_an_unknown_target_is_named_in_a_text(self, rest: RestClient) -> None:
        unknown = "7f9c12ab-d656-4dbe-8d14-a2d55fa52f6c"
        assert await refused(rest, json=ALICE | {"TargetId": unknown}) == (500, f"Specified targetId {unknown} was unknown")
        assert rest.site.count("tickets_issued") == 0

    async def test_a_target_of_another_node_is_unknown(self, site: QlikSimulator, rest: RestClient) -> None:
        async with aiohttp.ClientSession() as browser:
            target_id = location(await get(browser, site.hub("sales", NODES[1])))[1][1][1]
        assert (await refused(rest, json=ALICE | {"TargetId": target_id}))[0] == 500

    async def test_a_target_is_forgotten_in_time(self, rest: RestClient, clock: FixedClock) -> None:
        async with aiohttp.ClientSession() as browser:
            target_id = location(await get(browser, rest.site.hub("sales")))[1][1][1]
        clock.advance(timedelta(hours=1))
        assert (await refused(rest, json=ALICE | {"TargetId": target_id}))[0] == 500

    async def test_a_target_is_forgotten_on_demand(self, rest: RestClient) -> None:
        async with aiohttp.ClientSession() as browser:
            target_id = location(await get(browser, rest.site.hub("sales")))[1][1][1]
        rest.site.node().memory.forget_targets()
        assert (await refused(rest, json=ALICE | {"TargetId": target_id}))[0] == 500

    @pytest.mark.parametrize("name", ["UserDirectory", "UserId"])
    async def test_a_missing_name_is_told_in_escaped_text(self, rest: RestClient, name: str) -> None:
        body = {key: value for key, value in ALICE.items() if key != name}
        assert await refused(rest, json=body) == (500, f"Required property &#39;{name}&#39; not found in JSON")

    @pytest.mark.parametrize("value", ["", "   ", "a\\b", 7, ["a"]])
    @pytest.mark.parametrize("name", ["UserDirectory", "UserId"])
    async def test_a_blank_or_strange_name_is_refused(self, rest: RestClient, name: str, value: object) -> None:
        assert (await refused(rest, json=ALICE | {name: value}))[0] == 400

    async def test_names_are_trimmed_at_their_ends(self, rest: RestClient) -> None:
        response = await rest.call("POST", "sales/ticket", json={"UserDirectory": " CORP ", "UserId": " alice "})
        assert (await response.json())["UserId"] == "alice"

    @pytest.mark.parametrize("attributes", [{"a": "b"}, ["a"], [{"a": "b", "c": "d"}], [{}], [{"a": 1}], [{"a": None}], "a"])
    async def test_attributes_are_single_pairs_of_strings(self, rest: RestClient, attributes: object) -> None:
        assert (await refused(rest, json=ALICE | {"Attributes": attributes}))[0] == 400

    async def test_attributes_beyond_sixteen_kilobytes_are_refused(self, rest: RestClient) -> None:
        many = [{"group": "g" * 93}] * 164  # 164 * len("group=…&") is just over 16,384
        assert (await refused(rest, json=ALICE | {"Attributes": many}))[0] == 400
        assert (await refused(rest, json=ALICE | {"Attributes": many[:163]}))[0] == 201

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"'x'", b"\xff"])
    async def test_a_body_that_is_no_object_is_refused(self, rest: RestClient, body: bytes) -> None:
        assert (await refused(rest, data=body, headers={"Content-Type": "application/json"}))[0] == 400

    async def test_a_target_id_that_is_no_string_is_refused(self, rest: RestClient) -> None:
        assert (await refused(rest, json=ALICE | {"TargetId": 7}))[0] == 400

    async def test_the_content_type_is_needed(self, rest: RestClient) -> None:
        assert (await refused(rest, data=b"{}", headers={"Content-Type": "text/plain"}))[0] == 415


class TestGate:
    """What every call must pass."""

    @pytest.mark.parametrize(
        ("query", "header"),
        [
            ("", KEY),
            ("?Xrfkey=", ""),
            ("?Xrfkey=short", "short"),
            ("?Xrfkey=0123456789abcde-", "0123456789abcde-"),
            (f"?Xrfkey={KEY}", "0123456789abcdef"),
            (f"?Xrfkey={KEY}&xrfkey={KEY}", KEY),
            (f"?Xrfkey={KEY}0", f"{KEY}0"),
        ],
    )
    async def test_a_bad_xrfkey_is_refused(self, rest: RestClient, query: str, header: str) -> None:
        answer = await refused(rest, json=ALICE, query=query, headers={"X-Qlik-Xrfkey": header})
        assert answer == (403, "XSRF prevention check failed. Possible XSRF discovered.")

    @pytest.mark.parametrize("name", ["xrfkey", "Xrfkey", "XRFKEY"])
    async def test_the_querys_name_has_any_case(self, rest: RestClient, name: str) -> None:
        assert (await refused(rest, json=ALICE, query=f"?{name}={KEY}"))[0] == 201

    @pytest.mark.parametrize("prefix", ["Sales", "SALES", "unknown", ""])
    async def test_an_unknown_prefix_is_a_bad_request(self, rest: RestClient, prefix: str) -> None:
        del rest.site.virtual_proxies[""]
        assert await refused(rest, json=ALICE, path=f"{prefix}/ticket" if prefix else "ticket") == (400, "Bad Request")

    @pytest.mark.parametrize("path", ["sales/nothing", "sales", "sales/ticket/more", "sales/user/CORP", "", "/ticket"])
    async def test_unknown_resources_are_not_found(self, rest: RestClient, path: str) -> None:
        assert (await refused(rest, json=ALICE, path=path))[0] == 404

    async def test_a_header_line_over_the_limit_is_refused(self, rest: RestClient) -> None:
        assert (await refused(rest, json=ALICE, headers={"X-Long": "x" * 8192}))[0] == 400
        assert (await refused(rest, json=ALICE, headers={"X-Long": "x" * 8000}))[0] == 201

    async def test_headers_over_the_limit_together_are_refused(self, rest: RestClient) -> None:
        assert (await refused(rest, json=ALICE, headers={f"X-{n}": "x" * 4000 for n in range(5)}))[0] == 400

    async def test_without_a_certificate_it_is_forbidden(self, site: QlikSimulator) -> None:
        context = client_context(site.certificates, NODES[0], certificate=False, late=False)
        async with RestClient(site, context=context) as stranger:
            assert await refused(stranger, json=ALICE) == (403, "Forbidden")
        assert site.count("rest_requests_with_certificate") == 0

    async def test_the_certificate_of_another_site_fails_in_the_handshake(self, site: QlikSimulator) -> None:
        other = make_site(NODES[:1], host_of_root=NODES[0])
        context = client_context(site.certificates, NODES[0], certificate=False)
        load_pair(context, other.client, other.client_key)
        async with RestClient(site, context=context) as stranger:
            with pytest.raises(aiohttp.ClientError):
                await stranger.call("POST", "sales/ticket", json=ALICE)
        assert site.count("rest_requests") == 0


class TestCertificateModes:
    """The client certificate in the handshake and late, TLS 1.2 and 1.3."""

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_in_the_handshake(self, certificates: SiteCertificates, clock: FixedClock, version: ssl.TLSVersion) -> None:
        tls = RestTls(version=version)
        async with (
            QlikSimulator(clock=clock, nodes=NODES, virtual_proxies=MODULES, certificates=certificates, tls=tls) as site,
            RestClient(site, context=client_context(certificates, NODES[0], late=False)) as rest,
        ):
            await rest.ticket()
            await rest.ticket()
            assert site.count("rest_connections") == 1

    async def test_late(self, certificates: SiteCertificates, clock: FixedClock) -> None:
        async with (
            QlikSimulator(clock=clock, nodes=NODES, virtual_proxies=MODULES, certificates=certificates, tls=RestTls(late=True)) as site,
            RestClient(site) as rest,
        ):
            await rest.ticket()
            await rest.ticket()
            assert site.count("rest_connections") == 1
            assert site.count("rest_requests_with_certificate") == 2

    @pytest.mark.parametrize(("certificate", "late"), [(False, True), (True, False), (False, False)])
    async def test_late_without_an_answer_is_forbidden(
        self, certificates: SiteCertificates, clock: FixedClock, *, certificate: bool, late: bool
    ) -> None:
        context = client_context(certificates, NODES[0], certificate=certificate, late=late)
        async with (
            QlikSimulator(clock=clock, nodes=NODES, virtual_proxies=MODULES, certificates=certificates, tls=RestTls(late=True)) as site,
            RestClient(site, context=context) as rest,
        ):
            assert await refused(rest, json=ALICE) == (403, "Forbidden")

    def test_late_is_not_to_be_had_in_tls_1_2(self) -> None:
        with pytest.raises(ValueError, match=r"TLS 1\.3 only"):
            RestTls(version=ssl.TLSVersion.TLSv1_2, late=True)

    async def test_the_root_is_no_ca_for_openssl(self, certificates: SiteCertificates, site: QlikSimulator) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=certificates.root.decode())
        async with RestClient(site, context=context) as rest:
            with pytest.raises(aiohttp.ClientConnectorCertificateError, match="invalid CA certificate"):
                await rest.call("POST", "sales/ticket", json=ALICE)


class TestUsersAndSessions:
    """Qlik: "User API" and "Session API", and the two resources of the site."""

    @pytest.fixture
    async def session_id(self, rest: RestClient) -> str:
        async with aiohttp.ClientSession() as browser:
            await get(browser, f"{rest.site.hub('sales')}?qlikTicket={await rest.ticket(Attributes=[{'group': 'a'}])}")
        [(_, session_id)] = rest.site.node().memory.sessions
        return session_id

    async def test_a_users_sessions_are_listed_whatever_the_case(self, rest: RestClient, session_id: str) -> None:
        response = await rest.call("GET", "sales/user/corp/Alice")
        assert await response.json() == [ALICE | {"Attributes": [{"group": "a"}], "SessionId": session_id}]

    async def test_deleting_a_user_returns_what_was_ended(self, rest: RestClient, session_id: str) -> None:
        response = await rest.call("DELETE", "sales/user/CORP/alice")
        assert [session["SessionId"] for session in await response.json()] == [session_id]
        assert await (await rest.call("GET", "sales/user/CORP/alice")).json() == []

    async def test_other_virtual_proxies_and_nodes_keep_their_sessions(self, rest: RestClient, session_id: str) -> None:
        assert await (await rest.call("DELETE", "user/CORP/alice")).json() == []
        async with RestClient(rest.site, NODES[1]) as other:
            assert await (await other.call("DELETE", "sales/user/CORP/alice")).json() == []
        assert rest.site.node().memory.session("sales", session_id)

    async def test_names_in_the_path_are_decoded(self, rest: RestClient) -> None:
        reply = await rest.call("POST", "sales/ticket", json={"UserDirectory": "CORP", "UserId": "a/b;ä"})
        async with aiohttp.ClientSession() as browser:
            await get(browser, f"{rest.site.hub('sales')}?qlikTicket={(await reply.json())['Ticket']}")
        assert len(await (await rest.call("GET", "sales/user/CORP/a%2Fb%3B%C3%A4")).json()) == 1

    async def test_a_session_is_flat_when_asked_for_and_wrapped_when_ended(self, rest: RestClient, session_id: str) -> None:
        flat = await (await rest.call("GET", f"sales/session/{session_id}")).json()
        wrapped = await (await rest.call("DELETE", f"sales/session/{session_id}")).json()
        assert wrapped == {"Session": flat}
        gone = await rest.call("GET", f"sales/session/{session_id}")
        assert (gone.status, (await gone.text()).startswith("No session with id")) == (404, True)

    async def test_alive(self, rest: RestClient) -> None:
        assert await (await rest.call("GET", "alive")).json() == {"value": True}

    async def test_the_error_log_takes_a_message(self, rest: RestClient) -> None:
        assert (await rest.call("POST", "error", json={"Message": "QGW-306"})).status == 200
        assert (await rest.call("POST", "error", json={"UserId": "alice"})).status == 400
        assert rest.site.count("errors_logged") == 1


class TestFaults:
    """Every switchable fault does what it says."""

    async def test_a_server_error_is_html(self, rest: RestClient) -> None:
        rest.site.node().faults.plan(Fault.SERVER_ERROR)
        status, text = await refused(rest, json=ALICE)
        assert (status, text[:6]) == (500, "<html>")
        assert (await refused(rest, json=ALICE))[0] == 201

    async def test_a_hanging_node_lets_go_when_it_is_told(self, rest: RestClient) -> None:
        rest.site.node().faults.plan(Fault.HANG)
        with pytest.raises(TimeoutError):
            await rest.session.get(
                f"{rest.site.reach_at()}alive", ssl=rest.context, server_hostname=rest.node, timeout=aiohttp.ClientTimeout(total=0.1)
            )
        rest.site.node().faults.clear()
        assert (await refused(rest, json=ALICE))[0] == 201

    async def test_a_slow_node_answers_in_the_end(self, rest: RestClient) -> None:
        rest.site.node().faults.seconds = 0.01
        rest.site.node().faults.plan(Fault.SLOW)
        assert (await refused(rest, json=ALICE))[0] == 201

    @pytest.mark.parametrize(("fault", "issued"), [(Fault.DROP_UNREAD, 0), (Fault.DROP_DONE, 1)])
    async def test_a_dropped_connection(self, rest: RestClient, fault: Fault, issued: int) -> None:
        rest.site.node().faults.plan(fault)
        with pytest.raises(aiohttp.ClientError):
            await rest.call("POST", "sales/ticket", json=ALICE)
        assert rest.site.count("tickets_issued") == issued

    async def test_a_kept_alive_connection_closes_after_a_number_of_requests(self, rest: RestClient) -> None:
        rest.site.node().faults.plan(Fault.CLOSE_AFTER, skip=2)
        for _ in range(3):
            response = await rest.call("POST", "sales/ticket", json=ALICE)
            assert "Connection" not in response.headers
        assert rest.site.count("rest_connections") == 1
        assert (await refused(rest, json=ALICE))[0] == 201
        assert rest.site.count("rest_connections") == 2

    async def test_an_oversize_answer(self, rest: RestClient) -> None:
        rest.site.node().faults.plan(Fault.OVERSIZE)
        status, text = await refused(rest, json=ALICE)
        assert (status, len(text)) == (201, 8 * 1024 * 1024)

    async def test_an_answer_that_is_no_json(self, rest: RestClient) -> None:
        rest.site.node().faults.plan(Fault.NOT_JSON)
        assert await refused(rest, json=ALICE) == (201, "<html>not JSON</html>")

    async def test_ok_instead_of_created(self, rest: RestClient) -> None:
        rest.site.node().faults.plan(Fault.OK_FOR_CREATED)
        assert (await refused(rest, json=ALICE))[0] == 200

    async def test_a_fault_can_stay(self, rest: RestClient) -> None:
        rest.site.node().faults.always = Fault.SERVER_ERROR
        assert [(await refused(rest, json=ALICE))[0] for _ in range(3)] == [500] * 3
