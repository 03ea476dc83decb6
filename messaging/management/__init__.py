"""The messages' management commands."""
