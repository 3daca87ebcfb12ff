"""The lowest room: database, cache, embedded services, money, ids, telemetry. It knows nothing of banking."""
