from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.flow.world import Browser
from tests.interop.saml.conversation import US, Conversation, learn, start
from tests.interop.saml.foreign import Manner, document_of

Meet = Callable[..., Awaitable[Conversation]]


@pytest.fixture
async def meet(tmp_path: Path) -> AsyncIterator[Meet]:
    """Starts the provider of that name, in the given `Manner`, for us as `US` with the given changes."""
    async with AsyncExitStack() as stack:

        async def conversation(name: str, manner: Manner | None = None, **changes: Any) -> Conversation:
            folder = tmp_path / name
            folder.mkdir()
            us = replace(US, **changes)
            provider = await stack.enter_async_context(start(name, folder, us, manner or Manner()))
            browser = Browser(await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())))
            await provider.know(document_of(us))
            us = replace(us, idp_entity_id=provider.entity_id)
            return Conversation(sp=us, provider=provider, browser=browser, idp=await learn(browser, provider))

        yield conversation
