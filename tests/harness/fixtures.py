"""One upstream and one proxy for each test module, clean for each test.

A module that uses them says `pytestmark = pytest.mark.asyncio(loop_scope="module")`: the sockets
belong to the module's event loop.
"""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.harness.proxy import Proxy, holdfast
from tests.harness.upstream import RawUpstream
from tests.harness.wire import troubles


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def far() -> AsyncIterator[RawUpstream]:
    """The upstream that a module's tests share."""
    async with RawUpstream() as upstream:
        yield upstream


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(far: RawUpstream) -> AsyncIterator[Proxy]:
    """An `http` upstream mounted at `/`, no policies."""
    async with holdfast(far) as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def tools(far: RawUpstream) -> AsyncIterator[Proxy]:
    """The same with the `tools` protocol."""
    async with holdfast(far, "tools") as started:
        yield started


@pytest.fixture
def upstream(far: RawUpstream) -> RawUpstream:
    """The module's upstream, without memory of earlier tests."""
    far.then()
    return far


@pytest.fixture(autouse=True)
def no_troubles() -> Iterator[None]:
    """No traceback, no callback that raised, whatever a test sends."""
    troubles.clear()
    yield
    assert not troubles, "\n".join(troubles)
