"""The one form between dialects: what every one of them can mean, in no one's spelling.

    parts.py     what a turn holds: text, media, tool calls and results, thinking
    request.py   a conversation and what is asked of the answer
    answer.py    a whole answer, and `Sink`, the same piece by piece
    losses.py    what the other dialect has no word for
    sides.py     what each dialect implements
    strict.py    decoding that knows every member
    media.py     base64 and data URLs, looked at without decoding
    schema.py    the rules for a schema of arguments

A dialect's package turns its own JSON into these values and these values into its own JSON; no dialect knows another.
"""
