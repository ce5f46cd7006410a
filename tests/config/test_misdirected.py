"""proxy/config/misdirected.py: mirrors, judged beside the upstreams."""

# ruff: noqa: E501 -- messages stand on one line, as people see them
import base64

import pytest

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
UPSTREAMS = """
upstreams:
  gateway: {url: "http://127.0.0.1:9", protocol: tools}
  other: {url: "https://other.example", protocol: tools, path: /o, tls: {insecure: true}}
  llm: {url: "http://127.0.0.1:9", protocol: openai, path: /llm}
"""


def mirrors(*lines: str) -> str:
    return UPSTREAMS + "mirrors:\n" + "".join(f"  - {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (
            "{name: a, kind: gateway}",
            "mirrors[0].upstream: a mirror of kind gateway needs upstream",
        ),
        ("{name: a, kind: webhook}", "mirrors[0].url: a mirror of kind webhook needs url"),
        (
            "{name: a, kind: stdout, upstream: gateway}",
            "mirrors[0].upstream: is of kind gateway, this mirror is of kind stdout: leave it out",
        ),
        (
            "{name: a, kind: stdout, maxlen: 5}",
            "mirrors[0].maxlen: is of kind redis, this mirror is of kind stdout: leave it out",
        ),
        (
            "{name: a, kind: gateway, upstream: gatewya}",
            "mirrors[0].upstream: there is no upstream gatewya; did you mean gateway?",
        ),
        (
            "{name: a, kind: gateway, upstream: llm}",
            "mirrors[0].upstream: llm speaks openai: expected the tool gateway (protocol tools or auto)",
        ),
        (
            "{name: a, kind: stdout, types: [call.finishd]}",
            "mirrors[0].types: no record is of the type call.finishd; did you mean call.finished?",
        ),
        (
            '{name: a, kind: stdout, types: ["!xx"]}',
            "mirrors[0].types: no record is of the type !xx; docs/journal.md lists the types",
        ),
        (
            '{name: a, kind: webhook, url: "http://a.example", secret: short}',
            "mirrors[0].secret: expected a secret that begins with whsec_",
        ),
        (
            f'{{name: a, kind: webhook, url: "http://a.example", secret: "{SECRET} {SECRET} {SECRET}"}}',
            "mirrors[0].secret: expected one secret or two, found 3",
        ),
        (
            "{name: a, kind: redis, store: memory}",
            "mirrors[0].store: expected the URL of a Redis: in memory nobody reads",
        ),
        (
            "{name: a, kind: otlp}",
            "mirrors[0].kind: expected gateway, redis, stdout or webhook, found 'otlp'",
        ),
        ("{name: a, kind: redis, maxlen: 0}", "mirrors[0].maxlen: "),
        ("{name: a, kind: stdout, types: []}", "mirrors[0].types: "),
    ],
)
def test_what_is_wrong_with_one(folder, line, error):
    """Where, what was found, and what is allowed."""
    [found] = folder.errors(mirrors(line))

    assert error in found


def test_a_name_stands_once(folder):
    """Where it is, is kept under it."""
    [found] = folder.errors(mirrors("{name: a, kind: stdout}", "{name: a, kind: stdout}"))

    assert "a mirror of this name stands at" in found


def test_an_upstream_that_could_not_be_read_is_there(folder):
    """Only what is wrong with it is told."""
    text = mirrors("{name: a, kind: gateway, upstream: gateway}").replace("protocol: tools}", "protocol: nope}", 1)  # fmt: skip

    assert all("mirrors" not in each for each in folder.errors(text))


def test_its_own_trust_is_not_used(folder):
    """It is said, for else its certificate is refused."""
    [found] = [
        each
        for each in folder.warnings(mirrors("{name: a, kind: gateway, upstream: other}"))
        if "mirrors" in each
    ]

    assert "the certificate of other must be one that the system trusts" in found
    assert not [
        each
        for each in folder.warnings(mirrors("{name: a, kind: gateway, upstream: gateway}"))
        if "mirrors" in each
    ]
