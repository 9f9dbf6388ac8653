"""What integrators may rely on: the calls declared as data, and the document, the page and docs/api.md made of them."""
