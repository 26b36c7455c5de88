"""The centre's database: its tables, its migrations, and the one way to open it."""
