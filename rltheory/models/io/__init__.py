"""File formats and converters."""
