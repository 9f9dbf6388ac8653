"""The TypeScript client as it is built, against real gateways, processors and Redis."""
