"""The database: tables, migrations, group-committed writes, reads for the API."""
