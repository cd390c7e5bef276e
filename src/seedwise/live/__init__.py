"""How far a study is while it runs: its events, what they add up to, and what it tells others."""
