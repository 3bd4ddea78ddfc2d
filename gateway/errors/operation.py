"""QGW-5xx and QGW-6xx: the configuration, and the store of one-time marks."""

from __future__ import annotations

from gateway.errors.kind import GatewayError


class ConfigError(GatewayError):
    """What the gateway is built on does not behave as it must, so that no configuration can be used.

    The mistakes in a configuration itself have codes of their own, from QGW-501 on (`config.diagnostics`).
    """

    code = "QGW-590"


class StoreError(GatewayError):
    """The store of one-time marks failed; a login that cannot be marked as used is refused."""

    code, status = "QGW-600", 503
    title = "The gateway cannot finish sign-ins at the moment"
    advice = "Wait a moment, then open the Qlik link again."
    retry_seconds = 5


class StoreUnavailable(StoreError):
    """The store does not answer."""

    code = "QGW-601"


class StoreFull(StoreError):
    """The store holds only live marks and takes no more: refusing is better than forgetting one."""

    code = "QGW-602"


class StoreRefused(StoreError):
    """The store answers and takes no marks: a read-only replica, a wrong password, no permission, too few replicas, a failed snapshot."""

    code = "QGW-603"


class StoreFailedLate(StoreError):
    """The store failed after the provider had confirmed the sign-in. Its answer is spent: only a new login helps, not a reload."""

    code = "QGW-604"
    advice = "Wait a moment, then open the Qlik link again. Loading this page once more does not help."
