"""Sends a text to a URL, and believes nothing of the answer but its status.

Importing this file is slow, for it imports aiohttp.
"""

import aiohttp

_HEADERS = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "holdfast"}


class Poster:
    """To one URL, over a connection of its own each time."""

    def __init__(self, url: str, patience: float) -> None:
        """`patience`: seconds that one sending may take, all in all."""
        self._url = url
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=1),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=patience),
            headers=_HEADERS,
            auto_decompress=False,
        )

    async def post(self, text: str) -> str:
        """Why it was not taken; empty: it was.

        No redirect is followed, and no body is read: whoever answers may send without end.
        """
        try:
            async with self._session.post(
                self._url, data=text.encode(), allow_redirects=False
            ) as answer:
                return "" if 200 <= answer.status < 300 else f"it answered {answer.status}"
        except TimeoutError:
            return "it did not answer in time"
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _said(error)

    async def close(self) -> None:
        """No more is sent."""
        await self._session.close()


def _said(error: Exception) -> str:
    """Without the URL, whose path may be a secret."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {error.os_error.strerror or type(error.os_error).__name__}"
    return f"no answer: {type(error).__name__}"
