{{- define "mastodon.url" -}}
{{- with .Values.postgresql -}}
postgres://{{ .user }}:{{ .password }}@{{ .host }}/{{ .database }}
{{- end -}}
{{- end -}}

{{- /* One migration: (dict "root" . "name" "db-migrate" "on" "pre-upgrade" "weight" "-2" "secret" "mastodon" "step" "pre") */ -}}
{{- define "mastodon.migration" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: mastodon-{{ .name }}
  annotations:
    helm.sh/hook: {{ .on }}
    helm.sh/hook-weight: "{{ .weight }}"
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: {{ .name }}
          image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
          envFrom:
            - secretRef: { name: {{ .secret }} }
          command:
            - sh
            - -c
            - |
              psql -v ON_ERROR_STOP=1 "$DATABASE_URL" <<SQL
              create table if not exists migrations (name text primary key);
              insert into migrations values ('{{ .root.Values.image.tag }} {{ .step }}');
              SQL
{{- end -}}
