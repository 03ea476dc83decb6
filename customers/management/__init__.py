"""The customers' management commands."""
