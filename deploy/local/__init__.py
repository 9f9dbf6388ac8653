"""Everything on one machine: an embedded Valkey, sample files, a gateway and a processor (`make run`)."""
