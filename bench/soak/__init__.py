"""A day in operation, in an hour or less: mixed traffic, faulty providers, clients that leave, and books that agree.

    PYTHONPATH=bench .venv/bin/python -m soak --minutes 60 --rate 30 --workers 3 --json soak.json

`plan.py` says what is asked when, `clients.py` asks, `providers.py` is the other side with its own invoices,
`watch.py` looks at the gateway's processes, `books.py` holds the ledger against invoices and clients, `verdict.py`
judges each property.
"""
