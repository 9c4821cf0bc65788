"""Sound in, int8 features out: wav files and mel-frequency cepstra in integer arithmetic."""
