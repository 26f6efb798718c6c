"""What operators see: metrics, and one log line a transfer. Never payload data."""
