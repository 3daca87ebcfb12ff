"""The one gate that money passes: propose, freeze, show, approve, execute once (ADR 0010)."""
