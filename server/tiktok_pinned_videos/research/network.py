"""Connections to HTTPS servers: proxies and certificates from the environment, and errors that name the variable.

Plain http is for loopback only. It never uses a proxy, because a secret would leave this machine unencrypted.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import getproxies, getproxies_environment, proxy_bypass

import httpx

from .errors import APIConnectionError, APITimeoutError

if TYPE_CHECKING:
    import ssl


def network_transport(url: str, *, limits: httpx.Limits | None = None) -> httpx.AsyncBaseTransport:
    """Make an httpx transport for the host of `url`.

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
    next_step = f"Set {variable} to http://host:port, or unset it."
    try:
        through = httpx.Proxy(address, ssl_context=context if address.startswith("https:") else None)
        if through.url.host:
            return httpx.AsyncHTTPTransport(verify=context or False, limits=limits, proxy=through)
    except ImportError:
        next_step = "SOCKS proxies need the package socksio: install it, or use an http:// proxy."
    except (ValueError, httpx.InvalidURL):
        pass
    raise APIConnectionError(f"the proxy {_shown(address)} of {variable} cannot be used.", next_step=next_step)


def connection_error(fault: Exception, url: str) -> APIConnectionError:
    """Return the error for a fault of httpx during a request to `url`: what failed, and which variable to set."""
    target = httpx.URL(url)
    host, proxy = target.host, _proxy_for(target)
    through = f" through the proxy {_shown(proxy[1])} ({proxy[0]})" if proxy else ""
    match fault:
        case httpx.ProxyError():
            return _proxy_error(str(fault), f"no connection to {host} could be made{through}", host)
        case httpx.ConnectTimeout() | httpx.PoolTimeout():
            return APITimeoutError(f"no connection to {host} could be made in time{through}.", retryable=True)
        case httpx.TimeoutException():
            return APITimeoutError(f"{host} did not answer in time.", retryable=True)
        case httpx.ConnectError() if "CERTIFICATE_VERIFY_FAILED" in str(fault):
            reason = re.search(r"verify failed: ([\w ,.'-]+)", str(fault))
            because = f" ({reason[1].strip()})" if reason else ""
            return APIConnectionError(
                f"the TLS certificate of {host} could not be verified{because}.",
                next_step="If your network or proxy inspects TLS traffic, set SSL_CERT_FILE to a PEM file with its "
                "certificate authority (REQUESTS_CA_BUNDLE is not read).",
            )
        case httpx.ConnectError():
            return APIConnectionError(f"no connection to {host} could be made{through}.", retryable=True)
        case _:
            what = f"the connection to {host}{through} broke before the answer was complete."
            return APIConnectionError(what, retryable=True)


def _proxy_error(reason: str, what: str, host: str) -> APIConnectionError:
    # httpx has the proxy's status and phrase as text, for SOCKS its own words.
    status = reason[:3] if reason[:3].isdigit() else ""
    if status == "407" or "auth" in reason.lower():
        what += f": it requires authentication ({status or 'SOCKS'})."
        next_step = "Write the user name and password that the proxy requires as http://USER:PASSWORD@HOST:PORT."
    else:
        what += f": it answered HTTP {status}." if status else "."
        next_step = f"Ask for access to {host} through the proxy, or list it in NO_PROXY if it is reachable directly."
    return APIConnectionError(what, next_step=next_step, retryable=status.startswith("5"))


def _proxy_for(target: httpx.URL) -> tuple[str, str] | None:
    """Return the variable that names the proxy for `target`, and its address; None for a direct connection."""
    # proxy_bypass compares IPv6 addresses of NO_PROXY as they are written, with brackets or without.
    netloc = target.netloc.decode("ascii") + (":443" if target.port is None else "")
    if target.scheme != "https" or proxy_bypass(target.host) or proxy_bypass(netloc):
        return None
    proxies = getproxies()
    for kind in ("https", "all"):
        if address := proxies.get(kind):
            name = f"{kind}_proxy"
            variable = name if name in os.environ else name.upper()
            if kind not in getproxies_environment():
                variable = "the system settings"
            return variable, address if "://" in address else f"http://{address}"
    return None


def _tls_context() -> ssl.SSLContext:
    import ssl

    import certifi

    key_log, file, folder = (os.environ.get(name) for name in ("SSLKEYLOGFILE", "SSL_CERT_FILE", "SSL_CERT_DIR"))
    variable, value, expected = "SSLKEYLOGFILE", key_log, "a file that can be written"
    try:
        if key_log:  # opened here first, so that an error is known to be this variable's
            Path(key_log).open("ab").close()
        variable, value, expected = "SSL_CERT_FILE", file, "a readable PEM file with certificates"
        if file:
            return ssl.create_default_context(cafile=file)
        variable, value, expected = "SSL_CERT_DIR", folder, "a folder with certificates"
        if folder:
            next(Path(folder.split(os.pathsep)[0]).iterdir(), None)
            return ssl.create_default_context(capath=folder)
        return ssl.create_default_context(cafile=certifi.where())
    except OSError as fault:
        reason = "" if isinstance(fault, ssl.SSLError) else f" ({(fault.strerror or 'unreadable').lower()})"
        what = f"{variable} holds {value!r}, which cannot be used{reason}." if value else "TLS cannot be used here."
        raise APIConnectionError(what, next_step=f"Set {variable} to {expected}, or unset it.") from None


def _shown(address: str) -> str:
    """A proxy's address without user name and password."""
    scheme, _, rest = address.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2].partition('/')[0]}"
