{{- define "ntpd.name" -}}
{{- if contains "ntpd" .Release.Name }}{{ .Release.Name }}{{ else }}{{ printf "%s-ntpd" .Release.Name }}{{ end }}
{{- end }}

{{- define "ntpd.select" -}}
app.kubernetes.io/name: {{ include "ntpd.name" . }}
{{- end }}

{{- define "ntpd.labels" -}}
{{ include "ntpd.select" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "ntpd.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- define "ntpd.conf" -}}
{{- if .Values.config -}}
{{ .Values.config }}
{{- else -}}
{{- range .Values.servers }}servers {{ . }}
{{ end }}
{{- range .Values.constraints }}constraints from {{ . | quote }}
{{ end }}
{{- if .Values.serve.enabled }}listen on *
{{- range $number, $file := .Values.keys.serve }} key {{ $number }} "/etc/ntpd-key/{{ $file }}"{{ end }}
{{ range .Values.serve.allow }}allow from {{ . }}
{{ end }}
{{- end }}
{{- if .Values.clockbound.enabled }}clockbound on
{{ end }}
{{- if .Values.metrics.enabled }}metrics on * port {{ .Values.metrics.port }}
{{ end }}
{{- .Values.extraConfig }}
{{- end }}
{{- end }}
