"""Moving in: what another gateway's configuration says, said in ours.

    move.py         whose file it is
    document.py     a YAML or JSON text as values that know their line
    account.py      what became of each of them: carried, or listed with a reason
    draft.py        the configuration to be, in the order and with the names it will have
    write.py        TOML with comments
    upstream.py     providers and models of the old file, as the catalogue knows them
    variables.py    secrets become references
    words.py        another gateway's words, from litellm.toml and openrouter.toml
    litellm*.py     LiteLLM's model_list (entry, places, facts, models), its fallbacks (routes), its settings
    openrouter.py   a request or preset of OpenRouter
    fresh.py        a first configuration, from what was found and chosen

Pure: texts and facts come in, a text comes out. `cli/init.py` reads, asks and writes.
"""
