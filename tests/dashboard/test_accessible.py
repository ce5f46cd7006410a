"""What looks at pages finds what is wrong with one, and nothing else."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.accessible import broken, walked
from tests.dashboard.browser import needs_chromium, opened

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    needs_chromium,
]
BAD = (Path(__file__).parent / "bad_page.html").read_text("utf-8")
NOWHERE = "127.0.0.1:0"
OF_ALL = {"lang", "title", "live", "reflow"}
"""Rules that the page as a whole breaks."""
KEYS = """
<style>button:focus, a:focus { outline: 2px solid } .plain:focus { outline: none }</style>
<button>One</button> <button class="plain">Two</button> <button disabled>Off</button>
<p style="display: none"><button>Hidden</button></p>
<details><summary class="plain">More</summary><a href="#x">Folded</a></details>
<a href="#y">Three</a> <div tabindex="-1">Not for Tab</div>
<button id="jumped">Jumped</button><button>Four</button>
<script>
  const jumped = document.getElementById("jumped");
  jumped.addEventListener("focus", () => jumped.nextElementSibling.focus());
</script>
"""


async def test_each_fault_of_a_bad_page_is_found_and_no_other(browser: Any) -> None:
    """Each is marked there with the rules that it breaks; beside it stands what is right."""
    marks = re.findall(r'data-bad="([^"]*)"', BAD)
    async with opened(browser, NOWHERE) as seen:
        await seen.page.set_content(BAD)
        found = await broken(seen.page)
    wanted = {(rule, mark) for mark in marks for rule in mark.split()}
    assert found == wanted | {(rule, "") for rule in OF_ALL}


async def test_the_tab_key_tells_where_the_focus_does_not_show_and_what_it_misses(
    browser: Any,
) -> None:
    """What is hidden, folded, switched off or not meant for it is not missed."""
    async with opened(browser, NOWHERE) as seen:
        await seen.page.set_content(KEYS)
        walk = await walked(seen.page)
    assert walk.stops == [
        'button "One"', 'button "Two"', 'summary "More"', 'a "Three"', 'button "Four"',
    ]  # fmt: skip
    assert walk.unseen == ['button "Two"', 'summary "More"']
    assert walk.missed == ['button "Jumped"']
