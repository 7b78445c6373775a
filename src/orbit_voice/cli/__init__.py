"""The `orbit-voice` command."""
