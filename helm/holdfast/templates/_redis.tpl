{{/* Of the server. docs/operations.md has the reasons: what is written stays, no key is evicted, and there is one user, who may do what Holdfast does. */}}
{{- define "holdfast.redisArgs" -}}
{{- $keys := printf "holdfast:{%s}:*" .Values.agent.fleet -}}
[
  --dir, /data, --appendonly, "yes", --appendfsync, everysec,
  --maxmemory, {{ .Values.redis.maxmemory }}, --maxmemory-policy, noeviction,
  --user, default, "off",
  --user, holdfast, "on", ">$(PASSWORD)", resetchannels, {{ print "~" $keys | quote }}, {{ print "&" $keys | quote }},
  "-@all", +ping, +eval, +evalsha, +subscribe, +publish, +info, +time, +exists, +pexpire, +pttl, +del,
  +@hash, +@sortedset, +@set, +@string,
]
{{- end -}}
