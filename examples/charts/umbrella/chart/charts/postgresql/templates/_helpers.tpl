{{- define "postgresql.image" -}}
{{ .Values.image.registry }}/{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- /* The password that there is, else a new one: each rendering would make another. */ -}}
{{- define "postgresql.password" -}}
{{- $there := lookup "v1" "Secret" .Release.Namespace .Chart.Name -}}
{{- if $there -}}
{{ index $there.data "password" }}
{{- else -}}
{{ randAlphaNum 16 | b64enc }}
{{- end -}}
{{- end -}}
