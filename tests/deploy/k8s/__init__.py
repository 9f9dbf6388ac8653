"""deploy/k8s, rendered and held against Kubernetes' schemas and against what the application itself says."""
