"""Settings of traces."""

import pytest

from proxy.config.places import ConfigError
from proxy.config.settings import load_settings
from proxy.config.tracing import Tracing


def trace(tmp_path, text: str, environ: dict[str, str] | None = None) -> Tracing:
    """What a file says of traces."""
    file = tmp_path / "holdfast.yaml"
    file.write_text(f"trace: {text}\n")
    return load_settings(file, environ or {}).trace


def test_by_default_there_are_none(tmp_path):
    """Then all that an agent sends of them passes."""
    off = load_settings(environ={}).trace
    assert (off.on, off.sample, off.headers) == (False, 1.0, {})
    assert off.sends_baggage("anybody")
    assert not trace(tmp_path, "{otlp: ''}").on


@pytest.mark.parametrize(
    ("url", "traces"),
    [
        ("http://localhost:4318", "http://localhost:4318/v1/traces"),
        ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
        ("https://c.test/otlp", "https://c.test/otlp/v1/traces"),
        ("https://c.test/v1/traces", "https://c.test/v1/traces"),
    ],
)
def test_a_collector_is_named_by_its_base_or_by_that_of_its_traces(tmp_path, url, traces):
    """As OpenTelemetry's own variables have the one and the other."""
    on = trace(tmp_path, f"{{otlp: '{url}'}}")
    assert (on.on, on.otlp.traces) == (True, traces)


def test_baggage_goes_to_whom_it_is_allowed(tmp_path):
    """To nobody, where nobody is named; by name or glob."""
    assert not trace(tmp_path, "{otlp: 'http://c'}").sends_baggage("a")
    some = trace(tmp_path, "{otlp: 'http://c', baggage_allow: [own-*, '!own-bad']}")
    assert [some.sends_baggage(name) for name in ("own-a", "own-bad", "a")] == [True, False, False]


def test_what_the_collector_wants_is_not_shown(tmp_path):
    """Its headers may hold a credential."""
    on = trace(tmp_path, "{otlp: 'http://c', headers: {api-key: '${KEY}'}}", {"KEY": "s3cret"})
    assert on.headers["api-key"].encode() == b"s3cret"
    assert "s3cret" not in repr(on)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{otlp: 'ftp://c'}", "trace.otlp: expected a URL that begins with http:// or https://"),
        ("{otlp: 'http://u:p@c'}", "a user or password cannot be part of a collector's URL"),
        ("{otlp: [a]}", "trace.otlp: expected text, found a list"),
        ("{sample: 1.1}", "trace.sample: expected a number of 0 to 1, found 1.1"),
        ("{sample: -1}", "trace.sample: expected a number of 0 to 1"),
        ("{headers: {'a b': c}}", "trace.headers.a b: expected text"),
        ('{headers: {a: "b\\nc"}}', "expected printable ASCII"),
        ("{ratio: 1}", "trace.ratio: unknown key"),
    ],
)
def test_what_is_wrong_is_told(tmp_path, text, told):
    """With its place."""
    with pytest.raises(ConfigError) as error:
        trace(tmp_path, text)
    assert told in str(error.value)
