import json

import proxy.lab.demo
from proxy.lab.demo import SCENES


def test_all_goes_as_it_says(holdfast, here):
    """With a real proxy and a real gateway; it tells every scene, and leaves nothing behind."""
    ran = holdfast("demo")

    assert (ran.code, ran.err) == (0, ""), ran.out
    assert all(f". {title}\n" in ran.out for title, _ in SCENES)
    assert ran.out.endswith("All went as said.\n")
    assert list(here.iterdir()) == []


def test_json(holdfast, here, monkeypatch):
    """The same for programs: each scene with its promises, and nothing else on the way."""

    async def half(play):
        play.tell("a story")
        play.expect("birds fly", True)
        play.expect("pigs fly", False)

    monkeypatch.setattr(proxy.lab.demo, "SCENES", (("A scene", half),))
    ran = holdfast("demo", "--json")

    assert ran.code == 1
    assert json.loads(ran.out) == {
        "ok": False,
        "scenes": [
            {
                "scene": "A scene",
                "promises": [
                    {"promise": "birds fly", "held": True},
                    {"promise": "pigs fly", "held": False},
                ],
            }
        ],
    }


def test_says_when_something_does_not(holdfast, here, monkeypatch):
    """Exit 1."""

    async def broken(play):
        play.expect("pigs fly", False)

    monkeypatch.setattr(proxy.lab.demo, "SCENES", (("A scene", broken),))
    ran = holdfast("demo")

    assert ran.code == 1
    assert "NOT SO pigs fly" in ran.out
    assert ran.out.endswith("NOT all went as said: see above.\n")
