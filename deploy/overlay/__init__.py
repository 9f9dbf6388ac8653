"""What an operator would trip over in a rendered overlay of deploy/k8s, before it is applied."""
