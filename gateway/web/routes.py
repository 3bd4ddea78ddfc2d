"""The URL table (docs: the public interface). HEAD never acts; a path's unknown methods get 405.

Every path of the gateway is one name with something before and after it, so finding its route is one look into a table.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from aiohttp.web_request import BaseRequest

from gateway.errors import MethodNotAllowed, NotFound
from gateway.web.answers import Answer
from gateway.web.guard import Endpoint
from gateway.web.handlers import chooser, keys, login, logout, saml, single_logout, trial

Handler: TypeAlias = Callable[[BaseRequest], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Route:
    """What browsers and identity providers reach at one path, by method."""

    pattern: str
    endpoint: Endpoint
    handlers: Mapping[str, Handler]

    def handler(self, method: str) -> Handler:
        """Raises `NotFound`, `MethodNotAllowed`."""
        handler = self.handlers.get(method)
        if handler is None:
            raise MethodNotAllowed("Method Not Allowed") if self.handlers else NotFound("Not Found")
        return handler


ROUTES: Final = (
    Route("/vp/{vp}/login", Endpoint.START, {"GET": login.start, "POST": chooser.find}),
    Route("/vp/{vp}/login/", Endpoint.START, {"GET": login.start}),
    Route("/idp/{idp}/callback", Endpoint.RETURN, {"GET": login.callback_get, "POST": login.callback_post}),
    Route("/idp/{idp}/acs", Endpoint.RETURN, {"POST": saml.acs}),
    Route("/vp/{vp}/logout", Endpoint.LOGOUT, {"GET": logout.get, "POST": logout.post}),
    Route("/idp/{idp}/slo", Endpoint.LOGOUT, {"GET": single_logout.slo_get, "POST": single_logout.slo_post}),
    Route("/idp/{idp}/backchannel-logout", Endpoint.LOGOUT, {"POST": single_logout.back_channel}),
    Route("/idp/{idp}/frontchannel-logout", Endpoint.LOGOUT, {"GET": single_logout.front_channel}),
    Route("/idp/{idp}/metadata", Endpoint.OTHER, {"GET": keys.metadata, "HEAD": keys.metadata}),
    Route("/idp/{idp}/jwks.json", Endpoint.OTHER, {"GET": keys.jwks, "HEAD": keys.jwks}),
    Route("/test-login/{token}", Endpoint.OTHER, {"GET": trial.show, "POST": trial.begin}),
)
NOWHERE: Final = Route("other", Endpoint.OTHER, {})


def _around_the_name(pattern: str) -> tuple[str, str]:
    before, _, rest = pattern.partition("{")
    return before, rest.partition("}")[2]


_TABLE: Final = {_around_the_name(route.pattern): route for route in ROUTES}


def find(path: str) -> tuple[Route, str]:
    """The route of a path, `NOWHERE` if there is none, and the name in it."""
    start = path.find("/", 1) + 1
    end = path.find("/", start)
    if end == -1:
        end = len(path)
    name = path[start:end]
    return (_TABLE.get((path[:start], path[end:]), NOWHERE) if name else NOWHERE), name
