{{- define "notes.labels" -}}
app.kubernetes.io/name: notes
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "notes.image" -}}
{{ .Values.image.repository }}:{{ required "image.tag says which release to deploy" .Values.image.tag }}
{{- end }}

{{/* What the app and its migration share: image, database, and a container that may do nothing else. */}}
{{- define "notes.container" -}}
image: {{ include "notes.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
env:
  - { name: PGHOST, value: {{ .Values.database.host | quote }} }
  - { name: PGPORT, value: {{ .Values.database.port | quote }} }
  - { name: PGDATABASE, value: {{ .Values.database.name | quote }} }
  - { name: PGUSER, value: {{ .Values.database.user | quote }} }
envFrom:
  - secretRef: { name: {{ .Release.Name }}-database }
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities: { drop: [ALL] }
  seccompProfile: { type: RuntimeDefault }
{{- end }}
