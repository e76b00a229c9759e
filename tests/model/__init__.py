"""Against a real SGLang server on a plain CPU: `make test-model` (see docs/model-server.md)."""
