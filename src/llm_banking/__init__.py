"""llm-banking: a self-hosted conversational assistant for banks."""

import os

# ONNX Runtime's Linux builds since 1.29 report usage to their maker unless this is set before they are loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
