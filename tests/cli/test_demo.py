import proxy.lab.demo
from proxy.lab.demo import SCENES


def test_all_goes_as_it_says(holdfast, here):
    """With a real proxy and a real gateway; it tells every scene, and leaves nothing behind."""
    ran = holdfast("demo")

    assert (ran.code, ran.err) == (0, ""), ran.out
    assert all(f". {title}\n" in ran.out for title, _ in SCENES)
    assert ran.out.endswith("All went as said.\n")
    assert list(here.iterdir()) == []


def test_says_when_something_does_not(holdfast, here, monkeypatch):
    """Exit 1."""

    async def broken(play):
        play.expect("pigs fly", False)

    monkeypatch.setattr(proxy.lab.demo, "SCENES", (("A scene", broken),))
    ran = holdfast("demo")

    assert ran.code == 1
    assert "NOT SO pigs fly" in ran.out
    assert ran.out.endswith("NOT all went as said: see above.\n")
