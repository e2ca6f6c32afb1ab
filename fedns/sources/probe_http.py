"""The HTTP and HTTPS probes: one GET, its status and perhaps the begin of its body.

Law: redirects are answers and not followed; `host` is what the server is asked for, in the Host
header, in SNI and in certificate verification, since the target itself is only an address.
"""

import ssl

import aiohttp
import yarl

from fedns import connector
from fedns.sources import probe
from fedns.sources.probe import Result, Target

BODY = 5120
"""Octets of the body that are searched; nginx-plus and others look at as little."""


class Http:
    """Checks over one client session, which `close` ends."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=connector.Connector(force_close=True),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"User-Agent": "fedns-probe", "Accept": "*/*"},
        )
        self._verified = ssl.create_default_context()

    async def close(self) -> None:
        await self._session.close()

    async def check(self, target: Target) -> Result:
        """GET the path; whether status and body are as expected."""
        spec = target.spec
        name = spec.host if spec.kind == "https" else ""
        try:
            async with self._session.get(
                _url(target),
                headers={"Host": spec.host} if spec.host else {},
                allow_redirects=False,
                ssl=self._verified if spec.verify_tls else False,
                server_hostname=name or None,
            ) as response:
                return await _judge(response, target)
        except aiohttp.ClientConnectorCertificateError as error:
            return Result(False, f"certificate: {error.certificate_error}")
        except aiohttp.ClientConnectorError as error:
            return Result(False, probe.trouble(error.os_error, target))
        except (aiohttp.ClientError, ValueError) as error:
            return Result(False, f"no HTTP: {error}")


async def _judge(response: aiohttp.ClientResponse, target: Target) -> Result:
    spec = target.spec
    reason = f"{spec.kind.upper()} {response.status}"
    if not any(low <= response.status <= high for low, high in spec.expect_status):
        return Result(False, f"{reason}, not as expected")
    if spec.expect_body and not await _contains(response, spec.expect_body.encode()):
        return Result(False, f"{reason}, but the body lacks {spec.expect_body!r}")
    return Result(True, reason)


async def _contains(response: aiohttp.ClientResponse, wanted: bytes) -> bool:
    body = b""
    while len(body) < BODY and wanted not in body:
        chunk = await response.content.read(BODY - len(body))
        if not chunk:
            break
        body += chunk
    return wanted in body


def _url(target: Target) -> yarl.URL:
    address, port = target.at
    host = f"[{address}]" if ":" in address else address
    return yarl.URL(f"{target.spec.kind}://{host}:{port}{target.spec.path}", encoded=True)
