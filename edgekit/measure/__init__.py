"""Power: meters, traces, figures with their uncertainty, and the verdict."""
