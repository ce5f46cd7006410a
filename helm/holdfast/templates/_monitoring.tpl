{{/* What the operator of Prometheus reads: whose it is, and by what it is selected. */}}
{{- define "holdfast.monitored" -}}
name: {{ include "holdfast.fullname" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "holdfast.labels" . | nindent 2 }}
  {{- with .Values.monitoring.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.monitoring.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* How a pod is scraped, whoever found it. Rules know the job, dashboards the pod. */}}
{{- define "holdfast.scraped" -}}
port: holdfast-admin
path: /metrics
{{- with .Values.monitoring.interval }}
interval: {{ . }}
{{- end }}
{{- with .Values.monitoring.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
relabelings:
  - {targetLabel: job, replacement: {{ include "holdfast.fullname" . }}}
  - {sourceLabels: [__meta_kubernetes_pod_name], targetLabel: instance}
  {{- with .Values.monitoring.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.monitoring.metricRelabelings }}
metricRelabelings:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Which series rules read, as it stands between braces. */}}
{{- define "holdfast.selected" -}}
{{- $all := .Values.monitoring -}}
{{- $select := $all.rules.select -}}
{{- if and (not $select) (or $all.podMonitor.enabled $all.serviceMonitor.enabled) -}}
{{- $select = dict "job" (include "holdfast.fullname" .) -}}
{{- end -}}
{{- range $label, $value := $select }}{{ $label }}={{ $value | quote }},{{ end -}}
{{- end -}}

{{/* The groups of a file of rules, as they are wanted. Takes a list: the root, and the file's text. */}}
{{- define "holdfast.ruled" -}}
{{- $root := index . 0 -}}
{{- $rules := $root.Values.monitoring.rules -}}
{{- $inside := include "holdfast.selected" $root | replace "$" "$$" -}}
{{- $groups := list }}
{{- range $group := (index . 1 | fromYaml).groups }}
{{- $wanted := list }}
{{- range $rule := $group.rules }}
{{- if not (has $rule.alert $rules.disabled) }}
{{- $_ := set $rule "expr" (regexReplaceAll `\b(up|(?:holdfast|process)_[a-z_]+)\{` $rule.expr (printf "${1}{%s" $inside)) }}
{{- $_ := merge $rule.labels $rules.alertLabels }}
{{- with $rules.runbooks }}
{{- $_ := set $rule.annotations "runbook_url" (printf "%s#%s" . (lower $rule.alert)) }}
{{- end }}
{{- $wanted = append $wanted $rule }}
{{- end }}
{{- end }}
{{- if $wanted }}
{{- $kept := dict "name" $group.name "rules" $wanted }}
{{- with $rules.interval }}
{{- $_ := set $kept "interval" . }}
{{- end }}
{{- $groups = append $groups $kept }}
{{- end }}
{{- end }}
{{- with $groups }}
{{- toYaml . }}
{{- end }}
{{- end -}}
