"""The agents room: one Protocol, one module per kind of agent, and the prompt that they are given."""
