"""Test sign-ins: the page behind a link, the way to the provider, and the trace of what a login would have become.

Opening the link only shows a page, so that a program which looks at links in a message does not use it up.
"""

from __future__ import annotations

from aiohttp.web_request import BaseRequest

from gateway.errors import GatewayError, SignInTooWeak
from gateway.events import TrialEnded
from gateway.explain import explain
from gateway.login import Proven, access_rules
from gateway.model import IdpResponse, LoginTransaction
from gateway.web import pages
from gateway.web.answers import Answer, page_response
from gateway.web.browser import check_navigation
from gateway.web.context import SERVICES, TRAIL
from gateway.web.handlers.in_flight import sent
from gateway.web.trace import Trace, trace_of


async def show(request: BaseRequest) -> Answer:
    """What the link is for, and a button that begins the test sign-in."""
    check_navigation(request.headers)
    trail = request[TRAIL]
    link = request[SERVICES].trials.read(request[TRAIL].name)
    request[SERVICES].pipeline.check_link(trail.table, link)
    name = trail.table.provider(link.idp).port.display_name
    return page_response(pages.trial_start_page(url=request.rel_url.raw_path, virtual_proxy=link.virtual_proxy, provider=name))


async def begin(request: BaseRequest) -> Answer:
    """To the identity provider; the link is used up."""
    check_navigation(request.headers)
    services = request[SERVICES]
    link = services.trials.read(request[TRAIL].name)
    return sent(request, *await services.pipeline.begin_trial(request[TRAIL].table, link), by_page=True)


async def end(request: BaseRequest, response: IdpResponse, transaction: LoginTransaction) -> Answer:
    """The trace, in the place of a ticket."""
    services, table = request[SERVICES], request[TRAIL].table
    request[TRAIL].is_login = False
    try:
        proven = await services.pipeline.prove(table, request[TRAIL].name, response, transaction)
    except GatewayError as error:
        if transaction.step_up or not isinstance(error, SignInTooWeak):  # else the user gets a second chance
            record(request, transaction, error)
        raise
    trace, refusal = traced(transaction, proven)
    record(request, transaction, refusal)
    return page_response(pages.trial_page(trace))


def traced(transaction: LoginTransaction, proven: Proven) -> tuple[Trace, GatewayError | None]:
    """What a login would have made of this identity, for the page."""
    identity = proven.identity
    told = explain(
        proven.virtual_proxy.rules(proven.provider),
        access_rules(proven.provider, proven.virtual_proxy),
        claims=identity.claims,
        name_id=identity.name_id,
        idp=transaction.idp,
    )
    trace = trace_of(told, identity, idp=transaction.idp, virtual_proxy=transaction.virtual_proxy)
    return trace, told.refusal


def record(request: BaseRequest, transaction: LoginTransaction, refusal: GatewayError | None) -> None:
    """A line in the log."""
    request[SERVICES].journal.record(
        TrialEnded(
            virtual_proxy=transaction.virtual_proxy,
            idp=transaction.idp,
            transaction=transaction.id.reference,
            code=None if refusal is None else refusal.code,
            detail="" if refusal is None else refusal.detail,
        )
    )
