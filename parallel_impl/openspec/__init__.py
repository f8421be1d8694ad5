"""The change folder of OpenSpec, as far as this program reads it."""
