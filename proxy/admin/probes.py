"""Health probes and `/metrics`: what needs no token, wherever the admin side listens."""

from aiohttp import hdrs, web

from proxy.admin.answers import said
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight
from proxy.observe.exposition import Exposition


class Probes:
    """The pages that machines ask again and again."""

    def __init__(self, sight: Sight) -> None:
        self._health = sight.health
        self._exposition = Exposition(sight.metrics, sight.clock)

    def live(self, _: Visit) -> web.Response:
        """The process answers."""
        return said(200, {"status": "alive"})

    def ready(self, _: Visit) -> web.Response:
        """503: send calls elsewhere."""
        return said(200 if self._health.ready else 503, self._health.report())

    def startup(self, _: Visit) -> web.Response:
        """503 until it was ready once."""
        if self._health.started:
            return said(200, {"status": "started"})
        return said(503, {"status": "starting"})

    async def metrics(self, visit: Visit) -> web.Response:
        """In the form that is asked for."""
        asked = visit.request.headers
        page = await self._exposition.page(",".join(asked.getall(hdrs.ACCEPT, [])))
        headers = {hdrs.CONTENT_TYPE: page.content_type, hdrs.VARY: "Accept, Accept-Encoding"}
        if not takes_gzip(asked.get(hdrs.ACCEPT_ENCODING, "")):
            return web.Response(body=page.plain, headers=headers)
        headers[hdrs.CONTENT_ENCODING] = "gzip"
        return web.Response(body=page.gzipped, headers=headers)


def takes_gzip(accept_encoding: str) -> bool:
    """Is gzip among the codings, and not with a weight of nothing?"""
    for item in accept_encoding.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False
