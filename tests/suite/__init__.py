"""aiohttp's own tests of its client, run through Holdfast: no pass that a relay keeps is lost."""
