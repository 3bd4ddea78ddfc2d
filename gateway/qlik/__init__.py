"""The Qlik leg: verified, pooled connections to a site's proxy nodes, and tickets from them.

Messages are `gateway.protocol.qps`'s; here is what it must not know: certificates, TLS and sockets. The client certificate
can impersonate every user of the site, so it goes to nodes that have proven to be the site's own, and nowhere else
(docs/decisions/0003-trust-anchor-of-the-qlik-site.md).
"""

from gateway.qlik.material import Expiry, MaterialProblem, site_expiries
from gateway.qlik.site import NodeProxy, QlikSite

__all__ = ["Expiry", "MaterialProblem", "NodeProxy", "QlikSite", "site_expiries"]
