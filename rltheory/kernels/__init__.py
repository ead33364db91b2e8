"""Compiled loops and exact linear algebra on bare arrays; nothing here knows a class of the layers above."""
