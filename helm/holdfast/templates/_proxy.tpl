{{/* The container, in whichever form: `root`, and `form`: native, classic or gateway. */}}
{{- define "holdfast.container" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $here := eq .form "gateway" | ternary $values.gateway $values.sidecar -}}
name: holdfast
image: {{ include "holdfast.image" $root | quote }}
imagePullPolicy: {{ $values.image.pullPolicy }}
{{- if eq .form "native" }}
restartPolicy: Always # of an init container: it goes on beside the agent
{{- end }}
args: [run]
env:
  {{- include "holdfast.proxyEnv" $root | nindent 2 }}
ports:
  {{- if eq .form "gateway" }}
  - name: holdfast
    containerPort: {{ $values.ports.listen }}
  {{- end }}
  - name: holdfast-admin
    containerPort: {{ $values.ports.admin }}
startupProbe: # up to two minutes, for a journal that is long
  httpGet: {path: /startupz, port: holdfast-admin}
  periodSeconds: 1
  failureThreshold: 120
readinessProbe:
  httpGet: {path: /readyz, port: holdfast-admin}
  periodSeconds: 5
livenessProbe:
  httpGet: {path: /livez, port: holdfast-admin}
  periodSeconds: 10
  timeoutSeconds: 3
{{- if or (eq .form "classic") (and (eq .form "gateway") $here.preStop) }}
lifecycle:
  {{- if eq .form "classic" }}
  postStart: # containers that stand after this one are not started before it has ended
    {{- include "holdfast.waitForStart" $root | nindent 4 }}
  {{- end }}
  {{- with $here.preStop }}
  preStop:
    {{- include "holdfast.pause" (dict "root" $root "seconds" .) | nindent 4 }}
  {{- end }}
{{- end }}
resources:
  {{- toYaml $here.resources | nindent 2 }}
securityContext:
  {{- toYaml $values.securityContext | nindent 2 }}
volumeMounts:
  {{- include "holdfast.volumeMounts" $root | nindent 2 }}
{{- end -}}

{{/* Clusters before 1.30 cannot wait by themselves, and the image has no shell. */}}
{{- define "holdfast.pause" -}}
{{- if semverCompare ">=1.30-0" .root.Capabilities.KubeVersion.Version -}}
sleep: {seconds: {{ .seconds }}}
{{- else -}}
exec:
  command: [python3, -c, "import time; time.sleep({{ .seconds }})"]
{{- end -}}
{{- end -}}

{{- define "holdfast.waitForStart" -}}
exec:
  command:
    - python3
    - -c
    - |
      import subprocess, sys, time
      for _ in range(240):
          if subprocess.call(["holdfast", "probe", "started"]) == 0:
              sys.exit()
          time.sleep(0.5)
      sys.exit("it does not start")
{{- end -}}

{{- define "holdfast.proxyEnv" -}}
- name: HOLDFAST_CONFIG
  value: /etc/holdfast/settings/holdfast.yaml
- name: HOLDFAST_DATA_DIR # of the process alone, 0700: the top of a volume is not its own
  value: /var/lib/holdfast/data
{{- if .Values.store.existingSecret }}
- name: HOLDFAST_STORE
  valueFrom:
    secretKeyRef: {name: {{ .Values.store.existingSecret | quote }}, key: {{ .Values.store.key | quote }}}
{{- else if .Values.redis.enabled }}
- name: REDIS_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ .Values.redis.existingSecret | quote }}, key: {{ .Values.redis.key | quote }}}
{{- end }}
{{- if .Values.fleetKey.existingSecret }}
- name: HOLDFAST_FLEET_KEY
  valueFrom:
    secretKeyRef: {name: {{ .Values.fleetKey.existingSecret | quote }}, key: {{ .Values.fleetKey.key | quote }}}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* What it reads. Folders, never single files (subPath): only in these does kubelet swap in what is new. */}}
{{- define "holdfast.readMounts" -}}
- {name: holdfast-settings, mountPath: /etc/holdfast/settings, readOnly: true}
- {name: holdfast-policies, mountPath: /etc/holdfast/policies, readOnly: true}
{{- range (include "holdfast.secrets" . | fromYamlArray) }}
- {name: holdfast-{{ . }}-secret, mountPath: /run/secrets/holdfast/{{ . }}, readOnly: true}
{{- end }}
- {name: holdfast-tmp, mountPath: /tmp}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "holdfast.volumeMounts" -}}
{{ include "holdfast.readMounts" . }}
- {name: {{ .Values.journal.volumeName | default "holdfast-journal" }}, mountPath: /var/lib/holdfast}
{{- end -}}

{{/* Helm adds what a user says to what is there by default, and a volume is of one kind. */}}
{{- define "holdfast.journalVolume" -}}
{{- $volume := .Values.journal.volume | default dict -}}
{{- $named := omit $volume "emptyDir" -}}
{{- toYaml (empty $named | ternary $volume $named) -}}
{{- end -}}

{{/* All but the journal's. */}}
{{- define "holdfast.proxyVolumes" -}}
- name: holdfast-settings
  configMap: {name: {{ include "holdfast.fullname" . }}-settings}
- name: holdfast-policies
  configMap: {name: {{ include "holdfast.fullname" . }}-policies}
{{- $values := .Values }}
{{- range (include "holdfast.secrets" . | fromYamlArray) }}
- name: holdfast-{{ . }}-secret
  secret: {secretName: {{ (index $values .).existingSecret | quote }}}
{{- end }}
- name: holdfast-tmp
  emptyDir: {sizeLimit: 1Gi}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Which values name Secrets that become folders. */}}
{{- define "holdfast.secrets" -}}
{{- $named := list -}}
{{- range (list "credentials" "tokens" "journal") -}}
{{- if (index $.Values .).existingSecret -}}
{{- $named = append $named . -}}
{{- end -}}
{{- end -}}
{{ $named | toYaml }}
{{- end -}}
