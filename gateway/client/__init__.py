"""The client's side of the API: a library and the `waybill` command. Knows HTTP alone, neither Redis nor the framework."""
