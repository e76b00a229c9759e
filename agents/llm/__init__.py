"""Speaking with models: one client for every server that offers the chat completions of OpenAI. Knows no Django."""
