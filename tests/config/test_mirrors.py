"""proxy/config/mirrors.py: as they are read."""

# ruff: noqa: E501 -- messages stand on one line, as people see them
import base64

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
UPSTREAMS = """
upstreams:
  gateway: {url: "http://127.0.0.1:9", protocol: tools}
  other: {url: "https://other.example", protocol: tools, path: /o, tls: {insecure: true}}
  llm: {url: "http://127.0.0.1:9", protocol: openai, path: /llm}
"""


def mirrors(*lines: str) -> str:
    return UPSTREAMS + "mirrors:\n" + "".join(f"  - {line}\n" for line in lines)


def test_reads_mirrors(folder):
    """One of each kind."""
    loaded = folder.load(
        mirrors(
            "{name: ledger, kind: gateway, upstream: gateway}",
            '{name: siem, kind: webhook, url: "https://siem.example/in", secret: "${SECRETS}", types: ["!call.intent"]}',
            '{name: stream, kind: redis, store: "redis://:pw@127.0.0.1:1/0", stream: records, maxlen: 5, begins: oldest}',
            "{name: lines, kind: stdout, types: [kill.*, call.finished]}",
        ),
        SECRETS=f"{SECRET} {SECRET}",
    )

    ledger, siem, stream, lines = loaded.mirrors
    assert (ledger.upstream, ledger.types, ledger.begins) == ("gateway", ("*",), "now")
    assert siem.keys == (b"k" * 32, b"k" * 32)
    assert "pw" not in str(stream)
    assert (stream.maxlen, stream.begins, ledger.keys) == (5, "oldest", ())
    assert lines.types == ("kill.*", "call.finished")
