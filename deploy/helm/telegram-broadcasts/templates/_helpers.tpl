{{- define "name" -}}
{{ printf "%s-%s" .root.Release.Name .part | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/version: {{ .root.Values.image.tag | default .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "image" -}}
{{ .root.Values.image.registry }}/broadcast-{{ .part }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- /* The Secret with the DSN: yours, or the one that CloudNativePG makes beside its Cluster. */ -}}
{{- define "dsn" -}}
{{- if .Values.postgresql.cnpg.enabled -}}
{{ .Release.Name }}-postgresql-app
{{- else -}}
{{ required "postgresql.existingSecret: name a Secret with the database's address, or set postgresql.cnpg.enabled" .Values.postgresql.existingSecret }}
{{- end }}
{{- end }}

{{- /* Who a service is at NATS. */ -}}
{{- define "identity" -}}
{{ ternary "broadcast-api" .part (eq .part "api") }}
{{- end }}

{{- /* What a service is told by file: {BROADCAST_NAME: value}. Settings of one service win over those of all. */ -}}
{{- define "settings" -}}
{{- $values := .root.Values -}}
{{- with $values.nats.url }}
BROADCAST_NATS_URL: {{ . | quote }}
{{- end }}
{{- if $values.nats.existingSecret }}
BROADCAST_NATS_USER: {{ include "identity" . }}
{{- if eq .part "api" }}
BROADCAST_NATS_STEWARD_USER: steward
{{- end }}
{{- if $values.nats.caKey }}
BROADCAST_NATS_CA_FILE: /etc/broadcasts/nats-ca.crt
{{- end }}
{{- end }}
{{- if eq .part "api" }}
BROADCAST_BOTS: {{ join "," $values.bots | quote }}
BROADCAST_NATS_REPLICAS: {{ $values.nats.replicas | quote }}
BROADCAST_DOOR: {{ $values.door.kind | quote }}
{{- end }}
{{- $set := merge dict (index $values .part).settings $values.settings }}
{{- if and (eq .part "api") $values.ingress.enabled $values.ingress.tlsSecret (not (hasKey $set "public_url")) }}
BROADCAST_PUBLIC_URL: https://{{ $values.ingress.host }}
{{- end }}
{{- range $name, $value := $set }}
BROADCAST_{{ upper $name }}: {{ $value | toString | quote }}
{{- end }}
{{- end }}

{{- /* Longer than a worker drains and than any lease, so that a job is handed back rather than cut off. */ -}}
{{- define "workerGrace" -}}
{{- $set := merge dict (index .root.Values .part).settings .root.Values.settings -}}
{{- $lease := addf (get $set "lease_seconds" | default 20) (get $set "lease_grace_seconds" | default 5) -}}
{{- $drain := get $set "shutdown_seconds" | default 25 -}}
{{ add 30 (ceil (maxf $lease $drain)) }}
{{- end }}

{{- /* The pod of a service: part, command (optional), grace, preStop, memory for /tmp (optional). */ -}}
{{- define "pod" -}}
{{- $values := .root.Values -}}
{{- $own := index $values .part -}}
serviceAccountName: {{ include "name" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with $values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with $values.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
terminationGracePeriodSeconds: {{ .grace }}
{{- if not .command }}
topologySpreadConstraints:
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "selector" $ | nindent 8 }}
{{- end }}
{{- end }}
containers:
  - name: {{ .part }}
    image: {{ include "image" . }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
{{- if .command }}
    command: {{ toJson .command }}
{{- end }}
    env:
      - {name: BROADCAST_SETTINGS_DIR, value: /etc/broadcasts}
{{- range $name, $value := $own.env }}
      - {name: {{ $name }}, value: {{ quote $value }}}
{{- end }}
{{- if and $values.tracing.endpoint (not .command) }}
      - {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ quote $values.tracing.endpoint }}}
{{- range $name, $value := $values.tracing.env }}
      - {name: {{ $name }}, value: {{ quote $value }}}
{{- end }}
{{- end }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    resources: {{ toJson $own.resources }}
    volumeMounts:
      - {name: settings, mountPath: /etc/broadcasts, readOnly: true}
{{- if .tmp }}
      - {name: tmp, mountPath: /tmp}
{{- end }}
{{- if not .command }}
    ports:
{{- if eq .part "api" }}
      - {name: http, containerPort: 8080}
      - {name: metrics, containerPort: 8081}
{{- else }}
      - {name: metrics, containerPort: 8080}
{{- end }}
    startupProbe:
      httpGet: {path: /livez, port: 8080}
      periodSeconds: 2
      failureThreshold: 60
    livenessProbe:
      httpGet: {path: /livez, port: 8080}
      timeoutSeconds: 5
      failureThreshold: 6
    readinessProbe:
      httpGet: {path: /readyz, port: 8080}
      periodSeconds: 5
      timeoutSeconds: 5
{{- end }}
{{- if .sleep }}
    lifecycle:
      preStop:
        sleep: {seconds: {{ .sleep }}}
{{- end }}
volumes:
  - name: settings
    projected:
      defaultMode: 0440
      sources:
        - configMap: {name: {{ include "name" . }}}
{{- with $values.nats.existingSecret }}
        - secret:
            name: {{ . }}
            items:
              - {key: {{ include "identity" $ }}, path: BROADCAST_NATS_PASSWORD}
{{- if eq $.part "api" }}
              - {key: steward, path: BROADCAST_NATS_STEWARD_PASSWORD}
{{- end }}
{{- with $values.nats.caKey }}
              - {key: {{ . }}, path: nats-ca.crt}
{{- end }}
{{- end }}
{{- if eq .part "api" }}
        - secret:
            name: {{ include "dsn" .root }}
            items:
              - {key: {{ $values.postgresql.key }}, path: BROADCAST_DATABASE_URL}
              - {key: {{ $values.postgresql.key }}, path: BROADCAST_EVENT_STORE}
{{- if ne $values.door.kind "off" }}
        - secret:
            name: {{ required "door.existingSecret: the door needs the bots' tokens" $values.door.existingSecret }}
            items: [{key: {{ $values.door.key }}, path: BROADCAST_DOOR_TOKENS}]
{{- end }}
{{- else }}
        - secret:
            name: {{ $values.accounts.existingSecret }}
            items: [{key: {{ $values.accounts.key }}, path: BROADCAST_ACCOUNTS}]
{{- end }}
{{- with $own.existingSecret }}
        - secret: {name: {{ . }}}
{{- end }}
{{- if .tmp }}
  - name: tmp
    emptyDir: {sizeLimit: {{ .tmp }}}
{{- end }}
{{- end }}
