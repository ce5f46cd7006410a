{{- define "holdfast.gatewayPod" -}}
{{- $gateway := .Values.gateway -}}
automountServiceAccountToken: false # it asks nothing of the cluster
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with $gateway.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
terminationGracePeriodSeconds: {{ add $gateway.preStop .Values.drain 5 }} # preStop, drain, and 5 to close the journal
securityContext:
  runAsNonRoot: true
  {{- with .Values.securityContext.runAsGroup }}
  fsGroup: {{ . }}
  fsGroupChangePolicy: OnRootMismatch # the key of the journal stays its owner's
  {{- end }}
  seccompProfile: {type: RuntimeDefault}
containers:
  - {{ include "holdfast.container" (dict "root" . "form" "gateway") | nindent 4 | trim }}
volumes:
  {{- include "holdfast.proxyVolumes" . | nindent 2 }}
  {{- if not $gateway.persistence.enabled }}
  - name: {{ .Values.journal.volumeName | default "holdfast-journal" }}
    {{- include "holdfast.journalVolume" . | nindent 4 }}
  {{- end }}
{{- with $gateway.topologyKeys }}
topologySpreadConstraints:
  {{- range . }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "holdfast.selectorLabels" $ | nindent 8 }}
  {{- end }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" }}
{{- with index $gateway $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}

{{/* Of a volume, by what values say of it. */}}
{{- define "holdfast.claim" -}}
accessModes: [ReadWriteOnce]
{{- with .storageClassName }}
storageClassName: {{ . | quote }}
{{- end }}
resources:
  requests: {storage: {{ .size }}}
{{- end -}}
