"""A stand-in for safetensors: tables as JSON."""
