"""HTTP/1.1 towards the few places that a gateway calls again and again: kept connections, one exchange at a time on each.

It does what such calls need and nothing else: no redirects, cookies, compression or streaming. Whoever opens a connection
decides where it leads, through which proxy, and what the other side has to prove. Over asyncio's transports and protocols.
"""

from gateway.exchange.connection import BrokenOff, Connection
from gateway.exchange.messages import Letterhead, MalformedAnswer, OversizeAnswer, encode
from gateway.exchange.names import look_up, reach
from gateway.exchange.pool import Pool, open_connection
from gateway.exchange.tunnel import ProxyRefusal, open_tunnel

__all__ = [
    "BrokenOff",
    "Connection",
    "Letterhead",
    "MalformedAnswer",
    "OversizeAnswer",
    "Pool",
    "ProxyRefusal",
    "encode",
    "look_up",
    "open_connection",
    "open_tunnel",
    "reach",
]
