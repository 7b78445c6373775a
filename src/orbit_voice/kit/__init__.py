"""What every package may use: errors, ids, clock, task scopes, logging."""
