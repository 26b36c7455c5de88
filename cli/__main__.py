"""`python -m cli` is `tokuten`."""

from cli.main import main

main()
