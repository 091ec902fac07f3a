"""Where events may be sent."""

from contracts.errors import ErrorCode
from runtime import netguard
from runtime.errors import ServiceError
from runtime.netguard import AddressPolicy


def checked(policy: AddressPolicy, url: str) -> str:
    """Return the canonical form of a receiver's URL: HTTPS only, except for private hosts that the operator named.

    A courtesy to callers, repeated before each attempt; who opens the connection judges the address itself. Raises
    `ServiceError` URL_INVALID or URL_FORBIDDEN.
    """
    target = netguard.parse(url)
    policy.check_target(target)
    if target.scheme != "https" and not policy.names(target.host, target.port):
        raise ServiceError(ErrorCode.URL_FORBIDDEN, "Webhooks are sent over https only. Use an https:// address.")
    return target.url
