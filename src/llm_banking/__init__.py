"""llm-banking: a self-hosted conversational assistant for banks."""
