"""Call control: calls and legs as state tables, their life from INVITE to the last event."""
