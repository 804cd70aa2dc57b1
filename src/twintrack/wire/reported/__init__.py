"""Tokens as each API reports them.

A reader takes what an answer said in its dialect; a writer says the same to a client in its own. Readers never raise: a
member that is absent, null, of another type, negative or absurd is unknown, and the others still count. What each
provider puts into its members stands case by case, with source and date, in tests/wire/usage_cases.py.
"""
