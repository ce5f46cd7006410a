from proxy.config.load import load_policies
from proxy.lab.demo.policies import CAPS, PARTS, policies


def test_they_are_right(tmp_path):
    """Without a warning; and another part is another version."""
    versions = set()
    for attempts in (1, 3):
        part = PARTS["reads"].replace("attempts: 3", f"attempts: {attempts}")
        (tmp_path / "p.yaml").write_text(policies("http://127.0.0.1:1", {**PARTS, "reads": part}))
        loaded = load_policies(tmp_path)
        assert loaded.warnings == ()
        versions.add(loaded.version)

    assert len(versions) == 2


def test_a_part_has_the_name_that_it_is_shown_by():
    """And no name stands for two."""
    parts = {**PARTS, **CAPS}

    assert [name for name, part in parts.items() if not part.startswith(f"{{name: {name}, ")] == []
    assert len(parts) == len(PARTS) + len(CAPS)
