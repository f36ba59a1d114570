"""Connections to HTTPS servers: proxies and certificates from the environment, and errors that name the variable.

Plain http is for loopback only and never uses a proxy, which would carry a secret away from this machine.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final
from urllib.request import getproxies, getproxies_environment, proxy_bypass

import httpx

from .errors import APIConnectionError, APITimeoutError

if TYPE_CHECKING:
    import ssl

_CERTIFICATES: Final = (
    "If your network or proxy inspects TLS traffic, set SSL_CERT_FILE to a PEM file with its certificate authority "
    "(REQUESTS_CA_BUNDLE is not read)."
)


def network_transport(url: str, *, limits: httpx.Limits | None = None) -> httpx.AsyncBaseTransport:
    """An httpx transport for the host of `url`.

    Raises `APIConnectionError` when a variable that it depends on is wrong: a proxy variable, `SSL_CERT_FILE`,
    `SSL_CERT_DIR` or `SSLKEYLOGFILE`.
    """
    target = httpx.URL(url)
    # Loading the certificate authorities takes most of the time; plain http does not use them.
    context = _tls_context() if target.scheme == "https" else None
    limits = limits or httpx.Limits()
    proxy = _proxy_for(target)
    if proxy is None:
        return httpx.AsyncHTTPTransport(verify=context or False, limits=limits)
    variable, address = proxy
    try:
        through = httpx.Proxy(address, ssl_context=context if address.startswith("https:") else None)
        if through.url.host:
            return httpx.AsyncHTTPTransport(verify=context or False, limits=limits, proxy=through)
        needed = f"Set {variable} to http://host:port, or unset it."
    except ImportError:
        needed = "SOCKS proxies need the package socksio: install it, or use an http:// proxy."
    except (ValueError, httpx.InvalidURL):
        needed = f"Set {variable} to http://host:port, or unset it."
    raise APIConnectionError(f"the proxy {_shown(address)} of {variable} cannot be used.", next_step=needed)


def connection_error(fault: Exception, url: str) -> APIConnectionError:
    """The error for a fault of httpx during a request to `url`: what failed, and which variable to set."""
    target = httpx.URL(url)
    proxy = _proxy_for(target)
    through = f" through the proxy {_shown(proxy[1])} ({proxy[0]})" if proxy else ""
    match fault:
        case httpx.ProxyError():
            return _refused_by_proxy(str(fault), target.host, proxy or ("HTTPS_PROXY", ""))
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            what = f"no connection to {target.host} could be made in time{through}."
            return APITimeoutError(what, retryable=True)
        case httpx.TimeoutException():
            return APITimeoutError(f"{target.host} did not answer in time.", retryable=True)
        case httpx.ConnectError() if "CERTIFICATE_VERIFY_FAILED" in str(fault):
            reason = re.search(r"verify failed: ([\w ,.'-]+)", str(fault))
            because = f" ({reason[1].strip()})" if reason else ""
            what = f"the TLS certificate of {target.host} could not be verified{because}."
            return APIConnectionError(what, next_step=_CERTIFICATES)
        case httpx.ConnectError():
            return APIConnectionError(f"no connection to {target.host} could be made{through}.", retryable=True)
        case _:
            what = f"the connection to {target.host}{through} broke before the answer was complete."
            return APIConnectionError(what, retryable=True)


def _refused_by_proxy(reason: str, host: str, proxy: tuple[str, str]) -> APIConnectionError:
    variable, address = proxy
    status = reason[:3] if reason[:3].isdigit() else ""
    what = f"the proxy {_shown(address)} ({variable}) did not open a connection to {host}"
    if status == "407" or "auth" in reason.lower():
        needed = f"Set {variable} to http://USER:PASSWORD@HOST:PORT with a name and password that the proxy accepts."
        return APIConnectionError(f"{what}: it requires authentication ({status or 'SOCKS'}).", next_step=needed)
    needed = f"Ask for access to {host} through the proxy, or list the host in NO_PROXY if it can be reached directly."
    status = f": it answered HTTP {status}" if status else ""
    return APIConnectionError(f"{what}{status}.", next_step=needed, retryable=status.startswith(": it answered HTTP 5"))


def _proxy_for(target: httpx.URL) -> tuple[str, str] | None:
    """The variable that names the proxy for `target`, and the proxy's address; None for a direct connection."""
    netloc = target.netloc.decode("ascii")
    # The standard library compares IPv6 addresses of NO_PROXY as they are written, with brackets or without.
    if target.scheme != "https" or proxy_bypass(target.host) or proxy_bypass(netloc):
        return None
    proxies = getproxies()
    for kind in ("https", "all"):
        if address := proxies.get(kind):
            variable = f"{kind}_proxy".upper()
            if f"{kind}_proxy" in os.environ:
                variable = variable.lower()
            elif kind not in getproxies_environment():
                variable = "the system settings"
            return variable, address if "://" in address else f"http://{address}"
    return None


def _tls_context() -> ssl.SSLContext:
    import ssl
    from pathlib import Path

    import certifi

    key_log, file, folder = (os.environ.get(name) for name in ("SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR"))
    variable, value, expected = "SSLKEYLOGFILE", key_log, "a file that can be written"
    try:
        if key_log:
            Path(key_log).open("ab").close()  # otherwise the same error would come without the variable's name
        variable, value, expected = "SSL_CERT_FILE", file, "a readable PEM file with certificates"
        if folder and not file:
            variable, value, expected = "SSL_CERT_DIR", folder, "a folder with certificates"
            next(Path(folder.split(os.pathsep)[0]).iterdir(), None)
        authorities = file or (None if folder else certifi.where())
        return ssl.create_default_context(cafile=authorities, capath=None if file else folder or None)
    except OSError as fault:
        if not value:
            raise APIConnectionError(
                "TLS cannot be used on this machine.", next_step="Check the Python installation."
            ) from fault
        reason = "" if isinstance(fault, ssl.SSLError) else f" ({(fault.strerror or 'unreadable').lower()})"
        raise APIConnectionError(
            f"{variable} holds {value!r}, which cannot be used{reason}.",
            next_step=f"Set it to {expected}, or unset it.",
        ) from None


def _shown(address: str) -> str:
    """A proxy's address without user name and password."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('/')[0]}"
