"""Pure choice: hard objections first, then the cheapest that is good enough; every choice says why."""
