{{- /* One hook Job: (dict "root" . "name" "db-init" "image" .Values.images.sentry "weight" "6" "run" "echo x") */ -}}
{{- define "sentry.hook" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .root.Release.Name }}-{{ .name }}
  annotations:
    helm.sh/hook: post-install,post-upgrade
    helm.sh/hook-weight: "{{ .weight }}"
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: {{ .name }}
          image: "{{ .image.repository }}:{{ .image.tag }}"
          command: ["sh", "-c", {{ .run | quote }}]
{{- end -}}
