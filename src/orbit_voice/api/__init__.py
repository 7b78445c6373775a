"""The REST API: one module per resource, envelope, errors, authentication."""
