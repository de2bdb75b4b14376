{{- define "airflow.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
envFrom:
  - secretRef: { name: {{ .Values.database.secret }} }
env:
  - name: DATABASE_URL
    value: postgres://$(POSTGRES_USER):$(POSTGRES_PASSWORD)@{{ .Values.database.host }}/$(POSTGRES_DB)
  - name: AIRFLOW_VERSION
    value: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
{{- end -}}

{{- /* What the image's `airflow db migrate` would do: nothing where it is done. */ -}}
{{- define "airflow.migrate" -}}
psql -v ON_ERROR_STOP=1 "$DATABASE_URL" <<SQL
create table if not exists migrations (name text primary key, by text);
insert into migrations values ('$AIRFLOW_VERSION', '$HOSTNAME') on conflict do nothing;
SQL
{{- end -}}
